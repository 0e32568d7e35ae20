package sandbox

import "time"

// nodeType is one machine size; memory in MiB.
type nodeType struct {
	id            string
	category      string
	cores, memory int64
	gpus          int
}

var nodeTypes = []nodeType{
	{"m5d.large", "General Purpose", 2, 8192, 0},
	{"m5d.xlarge", "General Purpose", 4, 16384, 0},
	{"m5d.2xlarge", "General Purpose", 8, 32768, 0},
	{"i3.xlarge", "Storage Optimized", 4, 31232, 0},
	{"i3.2xlarge", "Storage Optimized", 8, 62464, 0},
	{"i3.4xlarge", "Storage Optimized", 16, 124928, 0},
	{"r5d.xlarge", "Memory Optimized", 4, 32768, 0},
	{"r5d.4xlarge", "Memory Optimized", 16, 131072, 0},
	{"c5d.2xlarge", "Compute Optimized", 8, 16384, 0},
	{"g5.2xlarge", "GPU Accelerated", 8, 32768, 1},
}

// sparkVersions are key and name, newest first.
var sparkVersions = [][2]string{
	{"17.3.x-scala2.13", "17.3 LTS (includes Apache Spark 4.0.0, Scala 2.13)"},
	{"17.3.x-cpu-ml-scala2.13", "17.3 LTS ML (includes Apache Spark 4.0.0, Scala 2.13)"},
	{"16.4.x-scala2.12", "16.4 LTS (includes Apache Spark 3.5.2, Scala 2.12)"},
	{"16.4.x-photon-scala2.12", "16.4 LTS Photon (includes Apache Spark 3.5.2, Scala 2.12)"},
	{"15.4.x-scala2.12", "15.4 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
	{"15.4.x-photon-scala2.12", "15.4 LTS Photon (includes Apache Spark 3.5.0, Scala 2.12)"},
	{"15.4.x-cpu-ml-scala2.12", "15.4 LTS ML (includes Apache Spark 3.5.0, Scala 2.12)"},
	{"15.4.x-gpu-ml-scala2.12", "15.4 LTS ML (includes Apache Spark 3.5.0, GPU, Scala 2.12)"},
	{"14.3.x-scala2.12", "14.3 LTS (includes Apache Spark 3.5.0, Scala 2.12)"},
}

func listNodeTypes(*request) (any, error) {
	var rows []object
	for i, n := range nodeTypes {
		rows = append(rows, object{
			"node_type_id": n.id, "instance_type_id": n.id, "description": n.id, "category": n.category,
			"memory_mb": n.memory, "num_cores": float64(n.cores), "num_gpus": n.gpus, "display_order": i,
			"is_deprecated": false, "is_hidden": false, "is_graviton": false, "is_io_cache_enabled": true, "is_encrypted_in_transit": false,
			"photon_driver_capable": n.gpus == 0, "photon_worker_capable": n.gpus == 0,
			"support_ebs_volumes": true, "support_cluster_tags": true, "support_port_forwarding": true,
			"node_instance_type": object{"instance_type_id": n.id, "local_disks": 1, "local_disk_size_gb": 150},
		})
	}
	return object{"node_types": rows}, nil
}

func listSparkVersions(*request) (any, error) {
	var rows []object
	for _, v := range sparkVersions {
		rows = append(rows, object{"key": v[0], "name": v[1]})
	}
	return object{"versions": rows}, nil
}

func listZones(*request) (any, error) {
	return object{"default_zone": "eu-west-1a", "zones": []string{"eu-west-1a", "eu-west-1b", "eu-west-1c"}}, nil
}

// The id of the cluster that seeded jobs run on.
const sharedClusterID = "0412-083015-retail01"

// seed makes three clusters of people and three that jobs left behind: an
// unfiltered list of version 2.1 shows both.
func (cs *clusters) seed(now time.Time) {
	aws := object{"availability": "SPOT_WITH_FALLBACK", "first_on_demand": 1, "zone_id": "auto", "spot_bid_price_percent": 100}
	shared := cs.add(sharedClusterID, object{
		"cluster_name": "analytics-shared", "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "autotermination_minutes": 480,
		"autoscale": object{"min_workers": 2, "max_workers": 8}, "data_security_mode": "USER_ISOLATION", "runtime_engine": "PHOTON",
		"custom_tags": object{"team": "data-platform", "cost_center": "4410"}, "aws_attributes": aws,
	}, "UI", "ana@example.com", now.Add(-120*24*time.Hour))
	shared.acl["users"], shared.acl["data-engineers"] = "CAN_ATTACH_TO", "CAN_RESTART"
	shared.pinned = true
	shared.begin(now.Add(-2*time.Hour), "carla@example.com")

	dev := cs.add("0903-141722-devana01", object{
		"cluster_name": "ana-dev", "spark_version": "17.3.x-scala2.13", "node_type_id": "m5d.large", "num_workers": 0,
		"autotermination_minutes": 60, "data_security_mode": "SINGLE_USER", "single_user_name": "ana@example.com",
		"spark_conf":  object{"spark.databricks.cluster.profile": "singleNode", "spark.master": "local[*]"},
		"custom_tags": object{"ResourceClass": "SingleNode"}, "aws_attributes": aws,
	}, "UI", "ana@example.com", now.Add(-40*24*time.Hour))
	dev.begin(now.Add(-27*time.Hour), "ana@example.com") // by now terminated for inactivity

	ml := cs.add("1015-090448-mltrain2", object{
		"cluster_name": "ml-training", "spark_version": "15.4.x-cpu-ml-scala2.12", "node_type_id": "r5d.4xlarge", "num_workers": 4,
		"autotermination_minutes": 120, "data_security_mode": "SINGLE_USER", "single_user_name": "carla@example.com",
		"spark_env_vars": object{"MLFLOW_EXPERIMENT": "/Shared/churn"}, "aws_attributes": aws,
	}, "API", "carla@example.com", now.Add(-20*24*time.Hour))
	ml.begin(now.Add(-52*time.Hour), "carla@example.com")
	ml.advance(now.Add(-51 * time.Hour))
	ml.end(now.Add(-51*time.Hour), "AWS_INSUFFICIENT_INSTANCE_CAPACITY_FAILURE", "CLOUD_FAILURE",
		"The cloud provider could not supply the instances of this cluster.", object{
			"aws_api_error_code": "InsufficientInstanceCapacity",
			"aws_error_message":  "We currently do not have sufficient r5d.4xlarge capacity in the Availability Zone you requested (eu-west-1a).",
		})

	for i, job := range []string{"nightly_sales_ingest", "inventory_snapshot", "customer_churn_features"} {
		at := now.Add(-time.Duration(6+9*i) * time.Hour)
		c := cs.add(cs.newID(at), object{
			"cluster_name": "job-" + job + "-main", "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 2 + i,
			"data_security_mode": "SINGLE_USER", "single_user_name": ClientID, "aws_attributes": aws,
			"custom_tags": object{"ResourceClass": "Job", "JobName": job},
		}, "JOB", ClientID, at)
		c.acl["data-engineers"] = "CAN_ATTACH_TO"
		c.begin(at, ClientID)
		c.advance(at.Add(20 * time.Minute))
		c.end(at.Add(20*time.Minute), "JOB_FINISHED", "SUCCESS", "", object{})
	}
}
