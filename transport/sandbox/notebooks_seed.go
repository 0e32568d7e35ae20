package sandbox

import (
	"maps"
	"slices"
	"strings"
)

// seedNotebook is a notebook that the workspace starts with, cell by cell.
type seedNotebook struct {
	path, language string
	daysAgo        int
	jupyter        bool
	cells          []string
}

var seedNotebooks = []seedNotebook{
	{path: "/Shared/etl/nightly_sales_ingest", language: "PYTHON", daysAgo: 9, cells: []string{
		"%md\n# nightly_sales_ingest\nLoads the day's order files from the landing volume into `main.staging.orders_raw`, checks them and merges them into `main.retail.orders`.\n\nOwner: ana@example.com. Runs every night at 02:00.",
		"dbutils.widgets.text(\"run_date\", \"2025-06-29\")\nrun_date = dbutils.widgets.get(\"run_date\")\nsource = f\"/Volumes/main/retail/landing/orders/{run_date}.csv\"",
		"raw = (spark.read.option(\"header\", True).csv(source)\n       .selectExpr(\"*\", f\"'{source}' AS source_file\", \"current_timestamp() AS loaded_at\"))\nraw.write.mode(\"append\").saveAsTable(\"main.staging.orders_raw\")",
		"# total_amount must be a number: some shops send \"12.90 EUR\" since their update\norders = raw.selectExpr(\n    \"CAST(order_id AS BIGINT) AS order_id\",\n    \"CAST(customer_id AS BIGINT) AS customer_id\",\n    \"CAST(order_date AS DATE) AS order_date\",\n    \"CAST(total_amount AS DECIMAL(12,2)) AS total_amount\",\n)",
		"%sql\nMERGE INTO main.retail.orders t\nUSING main.staging.orders_raw s\nON t.order_id = CAST(s.order_id AS BIGINT)\nWHEN MATCHED THEN UPDATE SET total_amount = CAST(s.total_amount AS DECIMAL(12,2))",
		"dbutils.notebook.exit(f\"loaded {orders.count()} orders of {run_date}\")",
	}},
	{path: "/Shared/etl/validate_orders", language: "SQL", daysAgo: 40, cells: []string{
		"%md\n## Checks after the load\nEvery query must return no rows.",
		"SELECT order_id, count(*) AS n FROM main.retail.orders GROUP BY order_id HAVING count(*) > 1",
		"SELECT * FROM main.staging.orders_raw WHERE try_cast(total_amount AS DECIMAL(12,2)) IS NULL",
	}},
	{path: "/Shared/etl/refresh_aggregates", language: "SQL", daysAgo: 33, cells: []string{
		"-- closed books are never touched\nSELECT order_date, sum(revenue) AS revenue FROM main.retail.orders_daily GROUP BY order_date ORDER BY order_date DESC",
	}},
	{path: "/Shared/reports/weekly_revenue", language: "SQL", daysAgo: 4, cells: []string{
		"%md\n# Weekly revenue",
		"SELECT date_trunc('WEEK', order_date) AS week, channel, sum(revenue) AS revenue\nFROM main.retail.orders_daily\nGROUP BY 1, 2\nORDER BY 1 DESC, 3 DESC",
	}},
	{path: "/Users/ana@example.com/churn_exploration", language: "PYTHON", daysAgo: 2, jupyter: true, cells: []string{
		"%md\n# Who leaves?",
		"df = spark.table(\"main.ml.churn_features\").toPandas()\ndf.groupby(\"churned\").days_since_order.describe()",
		"df[df.days_since_order > 180].churned.mean()",
	}},
	{path: "/Users/ana@example.com/published/customer_segments", language: "SQL", daysAgo: 21, cells: []string{
		"SELECT segment, count(*) AS customers, avg(lifetime_value) AS average FROM main.retail.customers GROUP BY segment",
	}},
	{path: "/Users/ben@example.com/adhoc", language: "SQL", daysAgo: 1, cells: []string{
		"SELECT * FROM main.retail.top_customers ORDER BY revenue DESC LIMIT 20",
	}},
	{path: "/Repos/ana@example.com/retail-pipelines/train_churn_model", language: "PYTHON", daysAgo: 60, cells: []string{
		"%pip install scikit-learn",
		"from sklearn.ensemble import GradientBoostingClassifier\n\ndf = spark.table(\"main.ml.churn_features\").toPandas()\nfeatures = [\"days_since_order\", \"orders_90d\", \"average_basket\", \"returns_rate\"]\nmodel = GradientBoostingClassifier().fit(df[features], df.churned)",
	}},
}

var seedWorkspaceFiles = map[string]string{
	"/Shared/etl/README.md":                                    "# ETL\n\nNotebooks of the nightly pipeline. Changes go through /Repos/ana@example.com/retail-pipelines.\n",
	"/Shared/etl/config.json":                                  "{\n  \"landing\": \"/Volumes/main/retail/landing\",\n  \"catalog\": \"main\",\n  \"alert\": \"data-oncall@example.com\"\n}\n",
	"/Repos/ana@example.com/retail-pipelines/requirements.txt": "scikit-learn==1.5.2\npandas==2.2.3\n",
	"/Users/ana@example.com/drafts/ideas.md":                   "- price elasticity per category\n- stock-outs against returns\n",
}

// plant builds the seeded tree. nb.mu is not needed: it runs once, before the
// first handler.
func (nb *notebooks) plant() {
	folder := func(path string) *node[item] {
		n, err := nb.tree.mkdirs(path, func(n *node[item]) { n.value = nb.newItem(item{kind: kindDirectory}, seeded.AddDate(0, -14, 0)) })
		if err != nil {
			panic("seed folder " + path + ": " + err.Error()) // a mistake in the lists above; any test finds it
		}
		return n
	}
	nb.tree.root.value = nb.newItem(item{kind: kindDirectory}, seeded.AddDate(0, -14, 0))
	for _, path := range []string{"/Users/" + anaName, "/Users/" + benName, "/Shared", "/Repos/" + anaName} {
		folder(path)
	}
	repo := folder("/Repos/" + anaName + "/retail-pipelines")
	repo.value.kind = kindRepo
	for _, s := range seedNotebooks {
		dir, name := dirBase(s.path)
		v := item{kind: kindNotebook, language: s.language, source: sourceOf(s.language, s.cells), jupyter: s.jupyter}
		v = nb.newItem(v, seeded.AddDate(0, 0, -s.daysAgo))
		folder(dir).put(name, v)
	}
	for _, path := range slices.Sorted(maps.Keys(seedWorkspaceFiles)) {
		dir, name := dirBase(path)
		v := item{kind: kindFile, content: nb.blobs.bytes([]byte(seedWorkspaceFiles[path]))}
		folder(dir).put(name, nb.newItem(v, seeded.AddDate(0, 0, -len(strings.Split(path, "/")))))
	}
}
