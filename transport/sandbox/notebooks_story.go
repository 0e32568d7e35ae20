package sandbox

// seedNotebook is a notebook that the workspace starts with, cell by cell.
type seedNotebook struct {
	path, language string
	daysAgo        int
	cells          []string
}

const md = "%md\n"

// seedNotebooks are what the seeded jobs run, and what people keep beside it.
var seedNotebooks = []seedNotebook{
	{"/Shared/etl/land_orders", "PYTHON", 9, []string{
		md + "# land_orders\nFirst task of `nightly_sales_ingest`: reads the day's order file from the landing volume into `main.staging.orders_raw`, as text.",
		"dbutils.widgets.text(\"run_date\", \"2025-06-29\")\nrun_date = dbutils.widgets.get(\"run_date\")\nsource = f\"/Volumes/main/retail/landing/orders/{run_date}.csv\"",
		"raw = (spark.read.option(\"header\", True).csv(source)\n       .selectExpr(\"*\", f\"'{source}' AS source_file\", \"current_timestamp() AS loaded_at\"))\nraw.write.mode(\"append\").saveAsTable(\"main.staging.orders_raw\")",
		"dbutils.notebook.exit(f\"{raw.count()} rows of {run_date}\")",
	}},
	{"/Shared/etl/validate_orders", "PYTHON", 9, []string{
		md + "# validate_orders\nEverything must have its type. A value that has not fails the run on purpose: finance would rather have no numbers than wrong ones.\n\nSome shops have typed amounts by hand since their update (`12,9O` for `12.90`); see `main.staging.load_log`.",
		"from pyspark.sql import functions as F\n\nrun_date = dbutils.widgets.get(\"run_date\")\norders = spark.table(\"main.staging.orders_raw\").where(F.col(\"order_date\") == run_date)",
		"typed = (\n    orders.withColumn(\"total_amount\", F.col(\"total_amount\").cast(\"decimal(12,2)\"))\n    .withColumn(\"order_id\", F.col(\"order_id\").cast(\"bigint\"))\n    .withColumn(\"customer_id\", F.col(\"customer_id\").cast(\"bigint\"))\n)\ntyped.write.mode(\"overwrite\").saveAsTable(\"main.staging.orders_typed\")",
	}},
	{"/Shared/etl/merge_orders", "SQL", 40, []string{
		md + "# merge_orders\nIdempotent: running a day again changes nothing.",
		"MERGE INTO main.retail.orders t\nUSING main.staging.orders_typed s\nON t.order_id = s.order_id\nWHEN MATCHED THEN UPDATE SET total_amount = s.total_amount",
	}},
	{"/Shared/etl/refresh_daily", "SQL", 33, []string{
		"-- closed books are never touched\nSELECT order_date, sum(revenue) AS revenue FROM main.retail.orders_daily GROUP BY order_date ORDER BY order_date DESC",
	}},
	{"/Shared/etl/read_counts", "PYTHON", 80, []string{"counts = spark.read.json(\"/Volumes/main/retail/landing/counts\")\ncounts.write.mode(\"overwrite\").saveAsTable(\"main.staging.counts\")"}},
	{"/Shared/etl/reconcile_inventory", "SQL", 80, []string{"SELECT i.store_id, i.product_id, i.on_hand, c.on_hand AS counted\nFROM main.retail.inventory i JOIN main.staging.counts c USING (store_id, product_id)\nWHERE i.on_hand <> c.on_hand"}},
	{"/Shared/etl/publish_inventory", "SQL", 80, []string{"MERGE INTO main.retail.inventory t USING main.staging.counts s\nON t.store_id = s.store_id AND t.product_id = s.product_id\nWHEN MATCHED THEN UPDATE SET on_hand = s.on_hand, counted_at = s.counted_at"}},
	{"/Shared/etl/prepare_replication", "PYTHON", 120, []string{"tables = [f\"pos.t_{n:03d}\" for n in range(1, 129)]\ndbutils.jobs.taskValues.set(\"tables\", tables)"}},
	{"/Shared/etl/sync_table", "PYTHON", 120, []string{
		"table = dbutils.widgets.get(\"table\")\npassword = dbutils.secrets.get(\"etl\", \"pos-db-password\")",
		"df = spark.read.format(\"sqlserver\").option(\"host\", \"pos-db.example.com\").option(\"dbtable\", table).option(\"password\", password).load()\ntarget = \"main.staging.\" + table.replace(\".\", \"_\")\ndf.write.mode(\"overwrite\").saveAsTable(target)",
	}},
	{"/Shared/etl/replication_report", "PYTHON", 120, []string{"display(spark.sql(\"SHOW TABLES IN main.staging\"))"}},
	{"/Shared/etl/stream_web_events", "PYTHON", 70, []string{"(spark.readStream.format(\"cloudFiles\").option(\"cloudFiles.format\", \"json\")\n .load(\"/Volumes/main/retail/landing/clickstream\")\n .writeStream.option(\"checkpointLocation\", \"/Volumes/main/retail/landing/_checkpoints/web_events\")\n .toTable(\"main.retail.web_events\"))"}},
	{"/Shared/etl/collect_price_changes", "SQL", 61, []string{"SELECT product_id, sku, price FROM main.retail.products WHERE active"}},
	{"/Shared/etl/push_prices", "PYTHON", 61, []string{"country = dbutils.widgets.get(\"input\")\nprint(f\"pushing prices to the shop of {country}\")"}},
	{"/Shared/etl/upload_sftp", "PYTHON", 150, []string{"key = dbutils.secrets.get(\"etl\", \"loyalty-sftp-key\")\nprint(\"uploading balances\")"}},
	{"/Shared/etl/sync_catalog", "PYTHON", 131, []string{"products = spark.read.json(\"/Volumes/main/retail/landing/products\")\nproducts.createOrReplaceTempView(\"changed\")"}},
	{"/Shared/etl/match_returns", "SQL", 99, []string{"SELECT r.return_id, r.refund, p.amount\nFROM main.retail.returns r LEFT JOIN main.retail.payments p ON p.order_id = r.order_id\nWHERE p.payment_id IS NULL OR r.refund > p.amount"}},
	{"/Shared/etl/erase_customers", "PYTHON", 115, []string{md + "Started by hand, after legal has checked the request.", "request_id = dbutils.widgets.get(\"request_id\")\nassert request_id, \"request_id is missing\""}},
	{"/Shared/etl/verify_erasure", "SQL", 115, []string{"SELECT count(*) AS remaining FROM main.retail.customers WHERE email IS NULL"}},

	{"/Shared/ml/extract_orders", "PYTHON", 48, []string{"lookback_days = int(dbutils.widgets.get(\"lookback_days\"))\norders = spark.table(\"main.retail.orders\").where(f\"order_date > current_date() - {lookback_days}\")\nprint(orders.count())"}},
	{"/Shared/ml/build_features", "PYTHON", 48, []string{
		md + "# build_features\nOne row per customer for the churn model.\n\nThe job passes `event_column`; its value dates from before `order_dt` was renamed to `order_date`.",
		"from pyspark.sql import functions as F\n\ndbutils.widgets.text(\"event_column\", \"order_date\")\ndbutils.widgets.text(\"lookback_days\", \"365\")\n\n# the label is added by publish_features\nlookback_days = int(dbutils.widgets.get(\"lookback_days\"))\nevent_column = dbutils.widgets.get(\"event_column\")\norders = spark.table(\"main.retail.orders\")\nfeatures = (\n    orders.groupBy(\"customer_id\")\n    .agg(F.max(F.col(event_column)).alias(\"last_order\"), F.count(\"*\").alias(\"orders\"))\n)\nfeatures.write.mode(\"overwrite\").saveAsTable(\"main.retail.churn_features\")",
	}},
	{"/Shared/ml/publish_features", "PYTHON", 48, []string{"from databricks.feature_engineering import FeatureEngineeringClient\n\nFeatureEngineeringClient().publish_table(name=\"main.retail.churn_features\")"}},
	{"/Shared/ml/attribution_model", "PYTHON", 26, []string{"window_days = int(dbutils.widgets.get(\"window_days\"))\nprint(f\"attribution over {window_days} days\")"}},
	{"/Shared/ml/demand_features", "SQL", 30, []string{"SELECT order_date, product_id, sum(quantity) AS pieces\nFROM main.retail.orders JOIN main.retail.order_items USING (order_id)\nGROUP BY order_date, product_id"}},
	{"/Shared/ml/demand_train", "PYTHON", 30, []string{"%pip install lightgbm", "import lightgbm as lgb\n\nmodel = lgb.LGBMRegressor(n_estimators=800)"}},
	{"/Shared/ml/demand_evaluate", "PYTHON", 30, []string{"from sklearn.metrics import mean_absolute_percentage_error\n\nprint(\"MAPE must stay below 0.18\")"}},

	{"/Shared/reports/weekly_revenue", "SQL", 4, []string{
		md + "# Weekly revenue",
		"SELECT date_trunc('WEEK', order_date) AS week, channel, sum(revenue) AS revenue\nFROM main.retail.orders_daily\nGROUP BY 1, 2\nORDER BY 1 DESC, 3 DESC",
	}},
	{"/Shared/reports/send_report", "PYTHON", 210, []string{"recipients = [\"finance@example.com\"]\nprint(\"report sent to\", recipients)"}},
	{"/Shared/reports/load_touchpoints", "SQL", 26, []string{"SELECT customer_id, event_time, page FROM main.retail.web_events WHERE customer_id IS NOT NULL"}},
	{"/Shared/reports/last_click", "SQL", 26, []string{"SELECT customer_id, max(event_time) AS last_click FROM main.retail.web_events GROUP BY customer_id"}},
	{"/Shared/reports/publish_attribution", "PYTHON", 26, []string{"print(\"publishing to the dashboard\")"}},
	{"/Shared/reports/returns_report", "SQL", 99, []string{"SELECT reason, count(*) AS returns, sum(refund) AS refund FROM main.retail.returns GROUP BY reason ORDER BY refund DESC"}},
	{"/Shared/reports/dq_summary", "PYTHON", 13, []string{"print(\"one line per check goes to the channel #data-quality\")"}},
	{"/Shared/reports/uplift_backfill", "PYTHON", 44, []string{"start, end = dbutils.widgets.get(\"from\"), dbutils.widgets.get(\"to\")\nprint(f\"uplift of promotions between {start} and {end}\")"}},
	{"/Shared/reports/mail_costs", "PYTHON", 28, []string{"print(\"mailing the costs of yesterday\")"}},

	{"/Users/ana@example.com/headcount_sync", "PYTHON", 55, []string{"employees = spark.table(\"main.hr.employees\")\nprint(employees.groupBy(\"role\").count().collect())"}},
	{"/Users/ana@example.com/scratch", "PYTHON", 1, []string{"print(\"hello\")"}},
	{"/Users/ana@example.com/published/customer_segments", "SQL", 21, []string{
		"SELECT segment, count(*) AS customers, avg(lifetime_value) AS average FROM main.retail.customers GROUP BY segment",
	}},
	{"/Users/ben@example.com/adhoc", "SQL", 1, []string{"SELECT * FROM main.retail.top_customers ORDER BY revenue DESC LIMIT 20"}},
	{"/Repos/ana@example.com/retail-pipelines/train_churn_model", "PYTHON", 60, []string{
		"%pip install scikit-learn",
		"from sklearn.ensemble import GradientBoostingClassifier\n\ndf = spark.table(\"main.retail.churn_features\").toPandas()\nfeatures = [\"orders\", \"average_basket\", \"returns_rate\"]\nmodel = GradientBoostingClassifier().fit(df[features], df.churned)",
	}},
}

// seedJupyter came as a .ipynb and says so.
var seedJupyter = seedNotebook{"/Users/ana@example.com/churn_exploration", "PYTHON", 2, []string{
	md + "# Who leaves?",
	"df = spark.table(\"main.retail.churn_features\").toPandas()\ndf.groupby(\"churned\").orders.describe()",
	"df[df.orders < 2].churned.mean()",
}}

// seedWorkspaceFiles are plain files: scripts and queries of jobs, and notes.
var seedWorkspaceFiles = map[string]string{
	"/Shared/etl/README.md":                                    "# ETL\n\nNotebooks of the nightly pipelines. Changes go through /Repos/ana@example.com/retail-pipelines.\n",
	"/Shared/etl/config.json":                                  "{\n  \"landing\": \"/Volumes/main/retail/landing\",\n  \"catalog\": \"main\",\n  \"alert\": \"data-oncall@example.com\"\n}\n",
	"/Shared/etl/optimize.sql":                                 "OPTIMIZE main.retail.orders ZORDER BY (customer_id)\n",
	"/Shared/etl/vacuum.sql":                                   "VACUUM main.retail.orders RETAIN 168 HOURS\n",
	"/Shared/ml/prepare_payments.py":                           "from pyspark.sql import SparkSession\n\nspark = SparkSession.builder.getOrCreate()\nspark.table(\"main.retail.payments\").createOrReplaceTempView(\"payments\")\n",
	"/Shared/ml/score_payments.py":                             "import client\n\nids = []\nfeatures = client.lookup(ids)\n",
	"/Shared/ml/traffic_forecast.py":                           "from prophet import Prophet\n\nmodel = Prophet(weekly_seasonality=True)\n",
	"/Shared/reports/monthly_close.sql":                        "SELECT date_trunc('MONTH', day) AS month, sum(revenue) AS revenue FROM prod_sales.core.revenue_daily WHERE closed GROUP BY 1 ORDER BY 1\n",
	"/Shared/reports/loyalty_balances.sql":                     "SELECT customer_id, floor(lifetime_value / 10) AS points FROM main.retail.customers\n",
	"/Shared/reports/supplier_scorecard.sql":                   "SELECT supplier_id, name, rating, lead_time_days FROM main.retail.suppliers ORDER BY rating DESC\n",
	"/Shared/reports/dq_row_counts.sql":                        "SELECT count(*) AS orders FROM main.retail.orders\n",
	"/Shared/reports/dq_null_keys.sql":                         "SELECT count(*) AS broken FROM main.retail.orders WHERE customer_id IS NULL\n",
	"/Shared/reports/dq_freshness.sql":                         "SELECT max(event_time) AS newest FROM main.retail.web_events\n",
	"/Shared/reports/orders_daily.sql":                         "SELECT * FROM main.retail.orders_daily ORDER BY order_date DESC LIMIT 90\n",
	"/Shared/reports/top_customers.sql":                        "SELECT * FROM main.retail.top_customers ORDER BY revenue DESC LIMIT 100\n",
	"/Shared/reports/stock.sql":                                "SELECT store_id, count(*) AS below FROM main.retail.inventory WHERE on_hand < reorder_point GROUP BY store_id\n",
	"/Shared/reports/usage.sql":                                "SELECT status, count(*) AS orders FROM main.retail.orders GROUP BY status\n",
	"/Repos/ana@example.com/retail-pipelines/requirements.txt": "scikit-learn==1.5.2\npandas==2.2.3\n",
	"/Users/ana@example.com/drafts/ideas.md":                   "- price elasticity per category\n- stock-outs against returns\n",
}
