package sandbox

import (
	"fmt"
	"time"
)

// The job that always fails, and why: it reads a column that the table does not
// have. With the job parameter event_column=order_date it succeeds.
const (
	failingJobID = 9221120237041091 // above 2^53 and odd: a float64 cannot hold it
	churnError   = "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `order_dt` cannot be resolved. " +
		"Did you mean one of the following? [`order_date`, `order_id`, `ordered_at`, `store_id`, `status`]. SQLSTATE: 42703"
	churnTrace = `---------------------------------------------------------------------------
AnalysisException                         Traceback (most recent call last)
File <command-4182907355120934>, line 11
      8 event_column = dbutils.widgets.get("event_column")
      9 orders = spark.table("main.retail.orders")
     10 features = (
---> 11     orders.groupBy("customer_id")
     12     .agg(F.max(F.col(event_column)).alias("last_order"), F.count("*").alias("orders"))
     13 )
     14 features.write.mode("overwrite").saveAsTable("main.retail.churn_features")

File /databricks/spark/python/pyspark/sql/connect/group.py:185, in GroupedData.agg(self, *exprs)
    184 res = DataFrame(plan.Aggregate(...), session=self._df._session)
--> 185 res._check_same_session(exprs)

AnalysisException: ` + churnError + "\n"
)

func failure42703() fate {
	return fate{code: "RUN_EXECUTION_ERROR", kind: "CLIENT_ERROR", message: "AnalysisException: " + churnError, trace: churnTrace}
}

func codeError(class, message, file string, line int, source string) fate {
	return fate{
		code: "RUN_EXECUTION_ERROR", kind: "CLIENT_ERROR", message: class + ": " + message,
		trace: fmt.Sprintf("Traceback (most recent call last):\n  File \"%s\", line %d, in <module>\n    %s\n%s: %s\n", file, line, source, class, message),
	}
}

// jobSeeds is the company's jobs, oldest first.
func jobSeeds(born time.Time) []jobSeed {
	const (
		ana, carla = "ana@example.com", "carla@example.com"
		etl        = "/Workspace/Shared/etl/"
		ml         = "/Workspace/Shared/ml/"
		reports    = "/Workspace/Shared/reports/"
	)
	shared := warehouseID(1)
	seeds := []jobSeed{
		{
			name: "nightly_sales_ingest", about: "Loads the day's order files from the landing volume into main.retail.", age: 412, cron: "0 0 2 * * ?",
			creator: ClientID, team: "data-engineering", timeout: 7200, access: acl{"analysts": "CAN_VIEW"},
			extra: with(jobCluster(2), object{"parameters": parameters("run_date", "{{job.start_time.iso_date}}", "full_refresh", "false")}),
			tasks: onCluster(
				notebook("land_orders", etl+"land_orders"),
				with(notebook("validate_orders", etl+"validate_orders", "land_orders"), object{"max_retries": 2, "min_retry_interval_millis": 30000}),
				notebook("merge_orders", etl+"merge_orders", "validate_orders"),
				notebook("refresh_daily", etl+"refresh_daily", "merge_orders"),
			),
			troubles: []trouble{{task: "validate_orders", chance: 0.06, past: true, fate: codeError("NumberFormatException",
				"[CAST_INVALID_INPUT] The value '12,9O' of the type \"STRING\" cannot be cast to \"DECIMAL(12,2)\" because it is malformed. SQLSTATE: 22018",
				"/Workspace/Shared/etl/validate_orders", 23, `orders.withColumn("total_amount", F.col("total_amount").cast("decimal(12,2)"))`)}},
		},
		{
			name: "inventory_snapshot", about: "Counts of every store, four times a day.", age: 388, cron: "0 10 0/6 * * ?", creator: ClientID,
			team: "data-engineering", extra: jobCluster(3), access: acl{"analysts": "CAN_VIEW"},
			tasks: onCluster(notebook("read_counts", etl+"read_counts"), notebook("reconcile", etl+"reconcile_inventory", "read_counts"), notebook("publish", etl+"publish_inventory", "reconcile")),
		},
		{
			name: "store_replication_full", about: "Copies every table of the store systems, one task each.", age: 365, cron: "0 0 4 ? * SUN", creator: ClientID,
			team: "data-engineering", extra: jobCluster(8), tasks: replication(),
			troubles: []trouble{{task: "sync_117", chance: 0.5, past: true, fate: codeError("SQLServerException",
				"The TCP/IP connection to the host pos-db.example.com, port 1433 has failed.", "/Workspace/Shared/etl/sync_table", 9, "df.write.saveAsTable(target)")}},
		},
		{
			name: "monthly_close_report", about: "Closing figures for finance. Paused until the new chart of accounts is in.", age: 340, cron: "0 0 6 1 * ?", paused: true,
			creator: carla, team: "finance", tasks: []object{query("close", shared, reports+"monthly_close.sql"), notebook("send", reports+"send_report", "close")},
		},
		{
			name: "clickstream_ingest", about: "Streams web shop events into main.retail.web_events.", age: 301, creator: ClientID, team: "data-engineering",
			extra: object{"continuous": object{"pause_status": "UNPAUSED"}, "max_concurrent_runs": 1}, tasks: []object{notebook("stream", etl+"stream_web_events")},
			manual: []time.Duration{31 * time.Hour},
		},
		{
			name: "marketing_attribution", about: "Credits orders to campaigns; the deep model runs on Mondays only.", age: 270, cron: "0 30 5 * * ?", creator: carla,
			team: "marketing", access: acl{"analysts": "CAN_MANAGE_RUN"}, extra: object{"parameters": parameters("window_days", "30")},
			tasks: []object{
				notebook("load_touchpoints", reports+"load_touchpoints"),
				work("is_monday", "condition_task", object{"op": "EQUAL_TO", "left": "{{job.start_time.iso_weekday}}", "right": "1"}, "load_touchpoints"),
				with(notebook("deep_model", ml+"attribution_model"), object{"depends_on": []object{{"task_key": "is_monday", "outcome": "true"}}}),
				with(notebook("last_click", reports+"last_click"), object{"depends_on": []object{{"task_key": "is_monday", "outcome": "false"}}}),
				with(notebook("publish", reports+"publish_attribution", "deep_model", "last_click"), object{"run_if": "AT_LEAST_ONE_SUCCESS"}),
			},
		},
		{
			name: "price_update_fanout", about: "Pushes changed prices to the shop of each country.", age: 251, cron: "0 0 3 * * ?", creator: ClientID, team: "pricing",
			tasks: []object{
				notebook("collect_changes", etl+"collect_price_changes"),
				work("push_country", "for_each_task", object{
					"inputs": `["DE","FR","IT","ES","NL","PL","AT","SE"]`, "concurrency": 4,
					"task": notebook("push_country_iteration", etl+"push_prices"),
				}, "collect_changes"),
			},
		},
		{
			name: "dbt_core_models", about: "The dbt project retail_core.", age: 233, cron: "0 45 0/4 * * ?", creator: ClientID, team: "analytics-engineering",
			access: acl{"analysts": "CAN_VIEW"}, extra: with(environment("dbt-databricks>=1.10"), object{"git_source": object{
				"git_url": "https://github.com/example/retail-core", "git_provider": "gitHub", "git_branch": "main",
			}}),
			tasks: []object{with(work("dbt", "dbt_task", object{"commands": []string{"dbt deps", "dbt build"}, "warehouse_id": shared, "catalog": "main", "schema": "retail"}), object{"environment_key": "default"})},
		},
		{
			name: "fraud_scoring_batch", about: "Scores the payments of the last hours.", age: 204, cron: "0 20 0/6 * * ?", creator: carla, team: "risk",
			extra: environment("xgboost==2.1.4"), tasks: []object{
				script("prepare", "/Workspace/Shared/ml/prepare_payments.py"),
				with(script("score", "/Workspace/Shared/ml/score_payments.py", "prepare"), object{"max_retries": 2, "min_retry_interval_millis": 15000}),
			},
			troubles: []trouble{{task: "score", chance: 0.25, times: 1, past: true, fate: codeError("ConnectionError",
				"HTTPSConnectionPool(host='feature-store.example.com', port=443): Read timed out.", "/Workspace/Shared/ml/score_payments.py", 41, "features = client.lookup(ids)")}},
		},
		{
			name: "loyalty_points_export", about: "Hands the balances to the loyalty partner.", age: 190, cron: "0 0 7 ? * MON", creator: carla, team: "crm",
			tasks: []object{query("balances", shared, reports+"loyalty_balances.sql"), notebook("upload", etl+"upload_sftp", "balances")},
		},
		{
			name: "product_catalog_sync", about: "Starts when the PIM drops a file.", age: 176, creator: ClientID, team: "data-engineering",
			extra: object{"trigger": object{"pause_status": "UNPAUSED", "file_arrival": object{"url": "/Volumes/main/retail/landing/", "min_time_between_triggers_seconds": 60}}},
			tasks: []object{notebook("sync", etl+"sync_catalog")}, manual: []time.Duration{2 * day, 9 * day, 16 * day},
		},
		{
			name: "supplier_scorecard", about: "Delivery quality per supplier.", age: 161, cron: "0 0 8 ? * TUE", creator: carla, team: "purchasing", access: acl{"analysts": "CAN_VIEW"},
			tasks: []object{query("score", shared, reports+"supplier_scorecard.sql")},
		},
		{
			name: "returns_reconciliation", about: "Matches returns with refunds.", age: 150, cron: "0 15 4 * * ?", creator: ClientID, team: "finance",
			tasks: []object{notebook("match", etl+"match_returns"), notebook("report", reports+"returns_report", "match")},
		},
		{
			name: "customer_churn_features", about: "Features of the churn model. Broken since the column was renamed.", age: 133, cron: "0 30 3 * * ?", creator: carla,
			id: failingJobID, team: "ml", access: acl{"analysts": "CAN_VIEW"},
			extra: object{"parameters": parameters("event_column", "order_dt", "lookback_days", "365")},
			tasks: []object{
				notebook("extract_orders", ml+"extract_orders"),
				with(notebook("build_features", ml+"build_features", "extract_orders"), object{"notebook_task": object{
					"notebook_path": ml + "build_features", "source": "WORKSPACE", "base_parameters": object{"event_column": "{{job.parameters.event_column}}"},
				}}),
				notebook("publish_features", ml+"publish_features", "build_features"),
			},
			troubles: []trouble{{task: "build_features", params: map[string]string{"event_column": "order_dt"}, fate: failure42703()}},
		},
	}
	return append(seeds, newerSeeds(shared)...)
}

// replication is 130 tasks: more than one answer of API 2.2 holds, and more
// than API 2.1 can handle at all.
func replication() []object {
	tasks := onCluster(notebook("prepare", "/Workspace/Shared/etl/prepare_replication"))
	var keys []string
	for n := 1; n <= 128; n++ {
		key := fmt.Sprintf("sync_%03d", n)
		keys = append(keys, key)
		tasks = append(tasks, onCluster(with(notebook(key, "/Workspace/Shared/etl/sync_table", "prepare"), object{
			"notebook_task": object{"notebook_path": "/Workspace/Shared/etl/sync_table", "base_parameters": object{"table": fmt.Sprintf("pos.t_%03d", n)}},
		}))...)
	}
	return append(tasks, onCluster(with(notebook("report", "/Workspace/Shared/etl/replication_report", keys...), object{"run_if": "ALL_DONE"}))...)
}

func newerSeeds(shared string) []jobSeed {
	const (
		ana, carla = "ana@example.com", "carla@example.com"
		etl        = "/Workspace/Shared/etl/"
		ml         = "/Workspace/Shared/ml/"
		reports    = "/Workspace/Shared/reports/"
	)
	return []jobSeed{
		{
			name: "gdpr_erasure", about: "Erases customers who asked for it. Started by hand after legal has checked.", age: 120, creator: ana, team: "privacy",
			extra: object{"parameters": parameters("request_id", "")}, tasks: []object{notebook("erase", etl+"erase_customers"), notebook("verify", etl+"verify_erasure", "erase")},
			manual: []time.Duration{6 * day, 19 * day, 33 * day},
		},
		{
			name: "vacuum_optimize_tables", about: "OPTIMIZE and VACUUM of main.retail.", age: 111, cron: "0 0 1 ? * SAT", creator: ClientID, team: "data-engineering",
			tasks: []object{query("optimize", shared, "/Workspace/Shared/etl/optimize.sql"), query("vacuum", shared, "/Workspace/Shared/etl/vacuum.sql", "optimize")},
		},
		{
			name: "data_quality_checks", about: "Checks of the gold tables; freshness of web_events is known to be late.", age: 98, cron: "0 0 6 * * ?", creator: ClientID, team: "data-engineering",
			access: acl{"analysts": "CAN_VIEW"},
			tasks: []object{
				query("row_counts", shared, reports+"dq_row_counts.sql"), query("null_keys", shared, reports+"dq_null_keys.sql"), query("freshness", shared, reports+"dq_freshness.sql"),
				with(notebook("summary", reports+"dq_summary", "row_counts", "null_keys", "freshness"), object{"run_if": "ALL_DONE"}),
			},
			troubles: []trouble{{task: "freshness", chance: 0.4, fate: fate{code: "RUN_EXECUTION_ERROR", kind: "CLIENT_ERROR",
				message: "[USER_RAISED_EXCEPTION] main.retail.web_events is 7 hours old, at most 4 are allowed. SQLSTATE: P0001"}}},
		},
		{
			name: "store_traffic_forecast", about: "Visitors per store and hour.", age: 87, cron: "0 40 3 * * ?", creator: carla, team: "ml", extra: environment("prophet==1.1.6"),
			tasks: []object{script("forecast", "/Workspace/Shared/ml/traffic_forecast.py")},
		},
		{
			name: "demand_forecast_training", about: "Trains the demand model; may take long.", age: 76, cron: "0 0 22 ? * WED", creator: carla, team: "ml", timeout: 5400, extra: jobCluster(4),
			tasks: onCluster(notebook("features", ml+"demand_features"), notebook("train", ml+"demand_train", "features"), notebook("evaluate", ml+"demand_evaluate", "train")),
			troubles: []trouble{{task: "train", chance: 0.3, past: true, fate: fate{code: "CLUSTER_ERROR", kind: "CLOUD_FAILURE",
				message: "Cluster terminated. Reason: AWS_INSUFFICIENT_INSTANCE_CAPACITY_FAILURE. We currently do not have sufficient i3.xlarge capacity in eu-west-1a."}}},
			manual: []time.Duration{90 * time.Second}, // under way when the workspace begins
		},
		{
			name: "promo_uplift_backfill", about: "Recomputes the uplift of past promotions.", age: 62, creator: carla, team: "marketing", access: acl{"analysts": "CAN_VIEW"},
			extra: object{"parameters": parameters("from", "2025-01-01", "to", "2025-03-31")}, tasks: []object{notebook("backfill", reports+"uplift_backfill")},
			manual: []time.Duration{3 * day, 7 * day},
		},
		{
			name: "hr_headcount_sync", about: "Personnel data; restricted.", age: 55, cron: "0 5 5 ? * MON-FRI", creator: ana, team: "hr",
			access: acl{"data-engineers": "CAN_VIEW"}, tasks: []object{notebook("sync", "/Workspace/Users/ana@example.com/headcount_sync")},
		},
		{
			name: "bi_extract_refresh", about: "Refreshes the extracts behind the dashboards.", age: 41, cron: "0 15 6 ? * MON-FRI", creator: carla, team: "bi", access: acl{"analysts": "CAN_MANAGE_RUN"},
			tasks: []object{query("orders_daily", shared, reports+"orders_daily.sql"), query("top_customers", shared, reports+"top_customers.sql"), query("stock", shared, reports+"stock.sql", "orders_daily")},
		},
		{
			name: "warehouse_cost_report", about: "What compute cost yesterday, per team.", age: 29, cron: "0 0 9 * * ?", creator: ana, team: "platform",
			tasks: []object{query("usage", shared, reports+"usage.sql"), notebook("mail", reports+"mail_costs", "usage")},
		},
		{
			name: "ana_scratch_test", about: "Trying things out.", age: 5, creator: ana, team: "platform",
			extra:  object{"tags": object{"env": "dev"}, "max_concurrent_runs": 2},
			tasks:  []object{with(notebook("main", "/Workspace/Users/ana@example.com/scratch"), object{"existing_cluster_id": sharedClusterID})},
			manual: []time.Duration{2 * time.Hour, 26 * time.Hour, 4 * day},
		},
	}
}
