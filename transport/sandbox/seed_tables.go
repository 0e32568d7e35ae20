package sandbox

import (
	"iter"
	"strings"

	"brickmcp/transport/sandbox/engine"
)

// tableSeed describes a seeded table. A column is "name type comment", with an
// exclamation mark behind a type that is NOT NULL.
type tableSeed struct {
	name, comment string
	columns       []string
	key           []string
	refs          []foreignKey
	partitions    []string
	rows          func() iter.Seq[[]any] // nil: a view
	view          string
	reads         []string
	props         map[string]string
}

// schemaSeed is a schema with its tables.
type schemaSeed struct {
	catalog, name, comment, owner string
	tables                        []tableSeed
}

var seedSchemas = []schemaSeed{
	{"main", "default", "Default schema", anaName, nil},
	{"main", "retail", "Orders, customers and stock of the retail business; refreshed every night by nightly_sales_ingest", "data-engineers", []tableSeed{
		{
			name: "customers", comment: "One row per customer", key: []string{"customer_id"}, rows: customerRows,
			columns: []string{
				"customer_id bigint! Customer id", "name string! Full name", "email string Contact address (personal data)", "city string City",
				"country string Two-letter country code", "segment string consumer, business or vip", "signed_up date Date of registration",
				"newsletter boolean Receives the newsletter", "lifetime_value decimal(12,2) Revenue up to the last refresh, EUR",
			},
			props: map[string]string{"delta.enableChangeDataFeed": "true", "quality": "gold", "contains_pii": "true"},
		},
		{
			name: "products", comment: "Catalogue of products", key: []string{"product_id"}, refs: []foreignKey{{"supplier_id", "main.retail.suppliers", "supplier_id"}}, rows: productRows,
			columns: []string{
				"product_id bigint! Product id", "sku string! Stock keeping unit", "name string! Name in the shop", "category string Category",
				"price decimal(10,2)! List price, EUR", "cost decimal(10,2) Purchase cost, EUR", "supplier_id bigint Supplier",
				"tags array<string> Search tags", "active boolean On sale",
			},
		},
		{
			name: "stores", comment: "Shops and warehouses", key: []string{"store_id"}, rows: storeRows,
			columns: []string{
				"store_id int! Store id", "name string! Name", "city string City", "country string Two-letter country code",
				"opened date Opening day", "floor_space_m2 double Sales area in square metres",
			},
		},
		{
			name: "suppliers", comment: "Suppliers of products", key: []string{"supplier_id"}, rows: supplierRows,
			columns: []string{"supplier_id bigint! Supplier id", "name string! Company", "country string Two-letter country code", "lead_time_days int Days from order to delivery", "rating double Quality rating, 1 to 5"},
		},
		{
			name: "orders", comment: "One row per order", key: []string{"order_id"}, partitions: []string{"order_date"}, rows: orderRows,
			refs: []foreignKey{{"customer_id", "main.retail.customers", "customer_id"}, {"store_id", "main.retail.stores", "store_id"}},
			columns: []string{
				"order_id bigint! Order id", "customer_id bigint! Customer", "store_id int Store; NULL for online orders", "order_date date! Day of the order",
				"ordered_at timestamp! Moment of the order, UTC", "status string! placed, shipped, delivered, returned or cancelled",
				"channel string! web, app or store", "items int! Number of order lines", "total_amount decimal(12,2)! Sum of the order lines, EUR",
			},
			props: map[string]string{"delta.enableChangeDataFeed": "true", "delta.autoOptimize.optimizeWrite": "true", "quality": "silver"},
		},
		{
			name: "order_items", comment: "Order lines", key: []string{"order_id", "line"}, rows: orderItemRows,
			refs:    []foreignKey{{"order_id", "main.retail.orders", "order_id"}, {"product_id", "main.retail.products", "product_id"}},
			columns: []string{"order_id bigint! Order", "line int! Line number within the order", "product_id bigint! Product", "quantity int! Pieces", "unit_price decimal(10,2)! Price of one piece, EUR", "discount decimal(4,2) Discount between 0 and 1", "line_amount decimal(12,2)! quantity * unit_price * (1 - discount)"},
		},
		{
			name: "payments", comment: "Payments of orders", key: []string{"payment_id"}, rows: paymentRows,
			columns: []string{"payment_id string! Payment id", "order_id bigint! Order", "method string card, invoice, wallet or cash", "amount decimal(12,2) EUR", "paid_at timestamp Moment of payment; NULL while open"},
		},
		{
			name: "returns", comment: "Returned order lines", key: []string{"return_id"}, rows: returnRows,
			columns: []string{"return_id bigint! Return id", "order_id bigint! Order", "product_id bigint! Product", "returned_on date Day of arrival", "reason string Reason given by the customer", "refund decimal(10,2) EUR"},
		},
		{
			name: "inventory", comment: "Stock per store and product, last count", key: []string{"store_id", "product_id"}, rows: inventoryRows,
			columns: []string{"store_id int! Store", "product_id bigint! Product", "on_hand int! Pieces in stock", "reorder_point int Order again below this", "counted_at timestamp Moment of the count"},
		},
		{
			name: "web_events", comment: "Clicks in the web shop, sampled", partitions: []string{"event_date"}, rows: webEventRows,
			columns: []string{"event_id string! Event id", "event_date date! Day", "event_time timestamp! Moment, UTC", "session_id string Session", "customer_id bigint Customer, when signed in", "event_type string view, search, cart or checkout", "page string Path of the page", "duration_ms int Time on the page", "properties map<string,string> Anything else"},
		},
		{
			name: "churn_features", comment: "Features of the churn model, one row per customer; stale since customer_churn_features fails", key: []string{"customer_id"}, rows: churnRows,
			columns: []string{"customer_id bigint! Customer", "last_order date Day of the last order", "orders int Orders in the window", "average_basket double EUR", "returns_rate double Returned share of lines", "churned boolean Label"},
		},
		{
			name: "promotions", comment: "Price promotions", key: []string{"promotion_id"}, rows: promotionRows,
			columns: []string{"promotion_id int! Promotion id", "name string! Name", "category string Category it applies to", "discount decimal(4,2) Between 0 and 1", "starts date First day", "ends date Last day"},
		},
		{
			name: "orders_daily", comment: "Orders and revenue per day and channel",
			columns: []string{"order_date date Day", "channel string Channel", "orders bigint Orders", "revenue decimal(22,2) Revenue, EUR"},
			view:    "SELECT order_date, channel, count(*) AS orders, sum(total_amount) AS revenue FROM main.retail.orders WHERE status <> 'cancelled' GROUP BY order_date, channel",
			reads:   []string{"main.retail.orders"},
		},
		{
			name: "top_customers", comment: "Customers by revenue",
			columns: []string{"customer_id bigint Customer", "name string Name", "segment string Segment", "orders bigint Orders", "revenue decimal(22,2) Revenue, EUR"},
			view:    "SELECT c.customer_id, c.name, c.segment, count(*) AS orders, sum(o.total_amount) AS revenue FROM main.retail.customers c JOIN main.retail.orders o ON o.customer_id = c.customer_id WHERE o.status <> 'cancelled' GROUP BY c.customer_id, c.name, c.segment",
			reads:   []string{"main.retail.customers", "main.retail.orders"},
		},
	}},
	{"main", "staging", "Raw loads before they are checked; emptied after 30 days", "data-engineers", []tableSeed{
		{
			name: "orders_raw", comment: "Orders as the shops send them, as text; rows of 2025-06-29 hold a broken amount", rows: rawOrderRows,
			columns: []string{"order_id string As sent", "customer_id string As sent", "order_date string As sent", "total_amount string As sent; not always a number", "source_file string File in the landing volume", "loaded_at timestamp Moment of the load"},
		},
		{
			name: "load_log", comment: "One row per load of nightly_sales_ingest", rows: loadLogRows,
			columns: []string{"load_id bigint! Load id", "source_file string! File", "rows_read bigint Rows in the file", "rows_rejected bigint Rows that did not parse", "status string! ok or failed", "message string Error, if any", "finished_at timestamp! End of the load"},
		},
	}},
	{"main", "marketing", "Campaigns and what they cost", anaName, []tableSeed{
		{
			name: "campaigns", comment: "Marketing campaigns", key: []string{"campaign_id"}, rows: campaignRows,
			columns: []string{"campaign_id int! Campaign id", "name string! Name", "channel string search, social, mail or print", "budget decimal(12,2) EUR", "starts date First day", "ends date Last day"},
		},
		{
			name: "spend_daily", comment: "Spend and clicks per campaign and day", rows: spendRows,
			columns: []string{"campaign_id int! Campaign", "day date! Day", "spend decimal(10,2) EUR", "impressions bigint Times shown", "clicks bigint Clicks"},
		},
	}},
	{"main", "hr", "Personnel data; restricted", anaName, []tableSeed{
		{
			name: "employees", comment: "Employees; restricted", key: []string{"employee_id"}, rows: employeeRows,
			columns: []string{"employee_id int! Employee id", "name string! Full name", "role string Role", "store_id int Store; NULL for the head office", "hired date First day", "manager_id int Manager"},
			props:   map[string]string{"contains_pii": "true", "classification": "restricted"},
		},
		{
			name: "salaries", comment: "Yearly salaries; restricted", rows: salaryRows,
			columns: []string{"employee_id int! Employee", "valid_from date! First day", "gross_per_year decimal(10,2)! EUR"},
			props:   map[string]string{"contains_pii": "true", "classification": "restricted"},
		},
	}},
	ragSchema,
	{"main", "ml", "Scores of models", "data-engineers", []tableSeed{
		{
			name: "churn_scores", comment: "Scores of the churn model, one row per customer", key: []string{"customer_id"}, rows: churnScoreRows,
			columns: []string{"customer_id bigint! Customer", "score double! Probability to leave, 0 to 1", "model_version int Version of the model", "scored_on date Day of scoring"},
		},
	}},
	{"samples", "nyctaxi", "Sample of taxi trips", "System user", []tableSeed{
		{
			name: "trips", comment: "Taxi trips in New York City", rows: tripRows,
			columns: []string{"tpep_pickup_datetime timestamp Start", "tpep_dropoff_datetime timestamp End", "trip_distance double Miles", "fare_amount double USD", "pickup_zip int ZIP code of the start", "dropoff_zip int ZIP code of the end"},
		},
	}},
	{"samples", "tpch", "Sample after the TPC-H benchmark, much reduced", "System user", []tableSeed{
		{name: "region", comment: "Regions", rows: regionRows, columns: []string{"r_regionkey bigint! Key", "r_name string! Name", "r_comment string Comment"}},
		{name: "nation", comment: "Nations", rows: nationRows, columns: []string{"n_nationkey bigint! Key", "n_name string! Name", "n_regionkey bigint! Region", "n_comment string Comment"}},
		{name: "customer", comment: "Customers", rows: tpchCustomerRows, columns: []string{"c_custkey bigint! Key", "c_name string! Name", "c_address string Address", "c_nationkey bigint Nation", "c_phone string Telephone", "c_acctbal decimal(18,2) Balance", "c_mktsegment string Segment"}},
		{name: "orders", comment: "Orders", rows: tpchOrderRows, columns: []string{"o_orderkey bigint! Key", "o_custkey bigint! Customer", "o_orderstatus string F, O or P", "o_totalprice decimal(18,2) Total", "o_orderdate date Day", "o_orderpriority string Priority", "o_clerk string Clerk"}},
	}},
	{"samples", "bench", "Generated files of any size, for trying out downloads", "System user", nil},
	{"prod_sales", "core", "Production sales ledger: protected, changes only through the nightly pipeline", "data-engineers", []tableSeed{
		{
			name: "transactions", comment: "Booked sales", key: []string{"transaction_id"}, partitions: []string{"booked_on"}, rows: transactionRows,
			columns: []string{"transaction_id bigint! Transaction id", "booked_on date! Booking day", "store_id int Store", "amount decimal(14,2)! EUR", "currency string! ISO 4217 code", "booked_by string! Who booked it"},
			props:   map[string]string{"protected": "true", "delta.appendOnly": "true"},
		},
		{
			name: "revenue_daily", comment: "Revenue per day, closed books", rows: revenueRows,
			columns: []string{"day date! Day", "revenue decimal(16,2)! EUR", "closed boolean! Books are closed"},
			props:   map[string]string{"protected": "true"},
		},
	}},
}

// seedColumn reads "name type[!] comment".
func seedColumn(text string) engine.Column {
	name, rest, _ := strings.Cut(text, " ")
	spelt, comment, _ := strings.Cut(rest, " ")
	bare, notNull := strings.CutSuffix(spelt, "!")
	t, err := engine.ParseType(bare)
	if err != nil {
		panic("seed column " + text + ": " + err.Error()) // a mistake in the table above; a test reads them all
	}
	return engine.Column{Name: name, Type: t, NotNull: notNull, Comment: comment}
}

func seedColumns(texts []string) []engine.Column {
	out := make([]engine.Column, len(texts))
	for i, text := range texts {
		out[i] = seedColumn(text)
	}
	return out
}

// rowsByID finds the generator of a seeded table by its id: a table made later
// under the same name has another id and starts empty.
var rowsByID = func() map[string]func() iter.Seq[[]any] {
	m := map[string]func() iter.Seq[[]any]{}
	for _, s := range seedSchemas {
		for _, t := range s.tables {
			if t.rows != nil {
				m[stableUUID(kindTable+" "+s.catalog+"."+s.name+"."+t.name)] = t.rows
			}
		}
	}
	return m
}

// seedRows serves engine.Options.Rows.
func seedRows(t engine.Table) iter.Seq[[]any] {
	if rows := rowsByID()[t.ID]; rows != nil {
		return rows()
	}
	return nil
}
