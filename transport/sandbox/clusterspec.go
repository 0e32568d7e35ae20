package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// clusterFields are the fields of a cluster specification. Others are dropped,
// as the real API ignores what it does not know.
var clusterFields = []string{
	"apply_policy_default_values", "autoscale", "autotermination_minutes", "aws_attributes", "azure_attributes", "cluster_log_conf",
	"cluster_name", "custom_tags", "data_security_mode", "dependency_mode", "docker_image", "driver_instance_pool_id",
	"driver_node_type_flexibility", "driver_node_type_id", "enable_elastic_disk", "enable_local_disk_encryption", "gcp_attributes",
	"init_scripts", "instance_pool_id", "is_single_node", "kind", "node_type_id", "num_workers", "policy_id",
	"remote_disk_throughput", "runtime_engine", "single_user_name", "spark_conf", "spark_env_vars", "spark_version",
	"ssh_public_keys", "total_initial_remote_disk_size", "use_ml_runtime", "worker_node_type_flexibility", "workload_type",
}

// clusterSpec checks a create or edit body and keeps its known fields.
func clusterSpec(body object) (object, error) {
	var s struct {
		Name            string  `json:"cluster_name"`
		SparkVersion    string  `json:"spark_version"`
		NodeType        string  `json:"node_type_id"`
		DriverNodeType  string  `json:"driver_node_type_id"`
		Pool            string  `json:"instance_pool_id"`
		Policy          string  `json:"policy_id"`
		Kind            string  `json:"kind"`
		Workers         *int64  `json:"num_workers"`
		AutoTermination int64   `json:"autotermination_minutes"`
		Tags            object  `json:"custom_tags"`
		SSHKeys         []any   `json:"ssh_public_keys"`
		Security        *string `json:"data_security_mode"`
		Scale           *struct {
			Min int64 `json:"min_workers"`
			Max int64 `json:"max_workers"`
		} `json:"autoscale"`
	}
	if err := recast(body, &s); err != nil {
		return nil, err
	}
	known := func(id string) bool {
		return id == "" || slices.ContainsFunc(nodeTypes, func(n nodeType) bool { return n.id == id })
	}
	switch {
	case s.SparkVersion == "":
		return nil, badArgument("Missing required field: spark_version")
	case !slices.ContainsFunc(sparkVersions, func(v [2]string) bool { return v[0] == s.SparkVersion }):
		return nil, badArgument("Invalid spark version " + s.SparkVersion + ".")
	case s.Workers != nil && s.Scale != nil:
		return nil, badArgument("Only one of num_workers and autoscale can be set")
	case s.Workers == nil && s.Scale == nil && s.Kind == "":
		return nil, badArgument("Missing required field: size. Set num_workers (0 for a single node) or autoscale")
	case s.Workers != nil && (*s.Workers < 0 || *s.Workers > 100000):
		return nil, badArgument(fmt.Sprintf("Invalid num_workers %d. It must be 0 or more", *s.Workers))
	case s.Scale != nil && s.Scale.Max <= s.Scale.Min:
		return nil, badArgument("autoscale.max_workers must be greater than autoscale.min_workers")
	case s.NodeType == "" && s.Pool == "" && s.Policy == "" && s.Kind == "":
		return nil, badArgument("Missing required field: node_type_id")
	case s.NodeType != "" && s.Pool != "":
		return nil, badArgument("The field node_type_id cannot be supplied when an instance pool ID is provided.")
	case s.Pool != "":
		return nil, badArgument("Can't find an instance pool with id: " + s.Pool)
	case s.Policy != "":
		return nil, badArgument("Cluster policy " + s.Policy + " does not exist")
	case !known(s.NodeType) || !known(s.DriverNodeType):
		bad := s.NodeType
		if known(bad) {
			bad = s.DriverNodeType
		}
		var ids []string
		for _, n := range nodeTypes {
			ids = append(ids, n.id)
		}
		return nil, badArgument("Node type " + bad + " is not supported. Supported node types: " + strings.Join(ids, ", "))
	case s.AutoTermination != 0 && (s.AutoTermination < 10 || s.AutoTermination > 10000):
		return nil, badArgument(fmt.Sprintf("Invalid autotermination_minutes %d. It must be 0 (never) or between 10 and 10000", s.AutoTermination))
	case len(s.Tags) > 45:
		return nil, badArgument("At most 45 custom_tags are allowed")
	case len(s.SSHKeys) > 10:
		return nil, badArgument("At most 10 ssh_public_keys are allowed")
	}
	spec := object{}
	for _, f := range clusterFields {
		if v, ok := body[f]; ok && v != nil {
			spec[f] = v
		}
	}
	return spec, nil
}

// number reads an integer out of an open object, 0 if there is none.
func number(v any) int64 {
	switch n := v.(type) {
	case json.Number:
		i, _ := n.Int64()
		return i
	case int64:
		return n
	case int:
		return int64(n)
	}
	return 0
}

// workers is how many workers run: an autoscaling cluster starts at its minimum.
func (c *cluster) workers() int64 {
	if scale, ok := c.spec["autoscale"].(object); ok {
		return number(scale["min_workers"])
	}
	return number(c.spec["num_workers"])
}

func (c *cluster) size() object {
	if scale, ok := c.spec["autoscale"]; ok {
		return object{"autoscale": scale}
	}
	return object{"num_workers": c.workers()}
}

// view is ClusterDetails without spec (contract clusters.md, section 6).
func (c *cluster) view() object {
	o := object{
		"driver_node_type_id": c.spec["node_type_id"], "enable_elastic_disk": true, "enable_local_disk_encryption": false,
		"autotermination_minutes": 0, "data_security_mode": "DATA_SECURITY_MODE_STANDARD",
	}
	for k, v := range c.spec {
		if k != "apply_policy_default_values" {
			o[k] = v
		}
	}
	for k, v := range (object{
		"cluster_id": c.id, "cluster_source": c.source, "creator_user_name": c.creator, "state": c.state, "state_message": c.message,
		"start_time": millis(c.started), "last_restarted_time": millis(c.restarted), "last_state_loss_time": 0,
		"default_tags": object{"Vendor": "Databricks", "Creator": c.creator, "ClusterName": c.spec["cluster_name"], "ClusterId": c.id},
	}) {
		o[k] = v
	}
	if c.reason != nil {
		o["termination_reason"] = c.reason
	}
	if !c.terminated.IsZero() {
		o["terminated_time"] = millis(c.terminated)
	}
	if c.state == "RUNNING" || c.state == "RESIZING" {
		c.viewNodes(o)
	}
	return o
}

// viewNodes adds what only a running cluster has.
func (c *cluster) viewNodes(o object) {
	node := func(n int64) object {
		return object{
			"node_id": fmt.Sprintf("%032x", n+1), "instance_id": fmt.Sprintf("i-%017x", n+1), "private_ip": fmt.Sprintf("10.42.0.%d", n%250+4),
			"public_dns": "", "start_timestamp": millis(c.started), "node_aws_attributes": object{"is_spot": n > 0},
		}
	}
	o["driver"] = node(0)
	var executors []object
	for n := range min(c.workers(), 100) {
		executors = append(executors, node(n+1))
	}
	if executors != nil {
		o["executors"] = executors
	}
	o["spark_context_id"], o["jdbc_port"] = c.contextID, 10000
	for _, n := range nodeTypes {
		if n.id == c.spec["node_type_id"] {
			o["cluster_cores"], o["cluster_memory_mb"] = float64(n.cores*(c.workers()+1)), n.memory*(c.workers()+1)
		}
	}
}
