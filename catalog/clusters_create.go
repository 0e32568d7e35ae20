package catalog

// CreateClusterRequest is a cluster specification (contract/clusters.md section 3)
// with what only create takes.
type CreateClusterRequest struct {
	SparkVersion               string   `json:"spark_version" jsonschema_description:"e.g. 15.4.x-scala2.12"`
	ClusterName                string   `json:"cluster_name,omitempty" jsonschema_description:"Name"`
	NodeTypeID                 string   `json:"node_type_id,omitempty" jsonschema_description:"Machine type"`
	NumWorkers                 *int64   `json:"num_workers,omitempty" check:"minimum=0" jsonschema_description:"Or autoscale"`
	Autoscale                  Object   `json:"autoscale,omitempty" jsonschema_description:"{min_workers, max_workers}"`
	AutoterminationMinutes     *int64   `json:"autotermination_minutes,omitempty" check:"minimum=0" jsonschema_description:"0: never"`
	DataSecurityMode           string   `json:"data_security_mode,omitempty" jsonschema:"enum=DATA_SECURITY_MODE_AUTO,enum=DATA_SECURITY_MODE_DEDICATED,enum=DATA_SECURITY_MODE_STANDARD,enum=LEGACY_PASSTHROUGH,enum=LEGACY_SINGLE_USER,enum=LEGACY_SINGLE_USER_STANDARD,enum=LEGACY_TABLE_ACL,enum=NONE,enum=SINGLE_USER,enum=USER_ISOLATION" jsonschema_description:"Access mode"`
	SingleUserName             string   `json:"single_user_name,omitempty" jsonschema_description:"User"`
	PolicyID                   string   `json:"policy_id,omitempty" jsonschema_description:"Policy"`
	ApplyPolicyDefaultValues   bool     `json:"apply_policy_default_values,omitempty" jsonschema_description:"Policy"`
	RuntimeEngine              string   `json:"runtime_engine,omitempty" jsonschema:"enum=NULL,enum=PHOTON,enum=STANDARD" jsonschema_description:"Engine"`
	SparkConf                  Map      `json:"spark_conf,omitempty" jsonschema_description:"Settings"`
	SparkEnvVars               Map      `json:"spark_env_vars,omitempty" audit:"hide" jsonschema_description:"Environment"`
	CustomTags                 Map      `json:"custom_tags,omitempty" jsonschema_description:"Tags"`
	InitScripts                []Object `json:"init_scripts,omitempty" jsonschema_description:"Scripts"`
	DriverNodeTypeID           string   `json:"driver_node_type_id,omitempty" jsonschema_description:"Driver type"`
	InstancePoolID             string   `json:"instance_pool_id,omitempty" jsonschema_description:"Pool"`
	DriverInstancePoolID       string   `json:"driver_instance_pool_id,omitempty" jsonschema_description:"Driver pool"`
	WorkerNodeTypeFlexibility  Object   `json:"worker_node_type_flexibility,omitempty" jsonschema_description:"Other types"`
	DriverNodeTypeFlexibility  Object   `json:"driver_node_type_flexibility,omitempty" jsonschema_description:"Other types"`
	AwsAttributes              Object   `json:"aws_attributes,omitempty" jsonschema_description:"AWS"`
	AzureAttributes            Object   `json:"azure_attributes,omitempty" audit:"hide" jsonschema_description:"Azure"`
	GcpAttributes              Object   `json:"gcp_attributes,omitempty" jsonschema_description:"GCP"`
	EnableElasticDisk          bool     `json:"enable_elastic_disk,omitempty" jsonschema_description:"Growing disks"`
	EnableLocalDiskEncryption  bool     `json:"enable_local_disk_encryption,omitempty" jsonschema_description:"Encrypt disks"`
	DockerImage                Object   `json:"docker_image,omitempty" audit:"hide" jsonschema_description:"{url}"`
	ClusterLogConf             Object   `json:"cluster_log_conf,omitempty" jsonschema_description:"Logs"`
	CloneFrom                  Object   `json:"clone_from,omitempty" jsonschema_description:"{source_cluster_id}"`
	WorkloadType               Object   `json:"workload_type,omitempty" jsonschema_description:"Clients"`
	DependencyMode             string   `json:"dependency_mode,omitempty" jsonschema:"enum=DEPENDENCY_MODE_AUTO,enum=DEPENDENCY_MODE_CLUSTER_LIBRARIES,enum=DEPENDENCY_MODE_ENVIRONMENTS" jsonschema_description:"Libraries"`
	Kind                       string   `json:"kind,omitempty" jsonschema:"enum=CLASSIC_PREVIEW" jsonschema_description:"Form"`
	IsSingleNode               bool     `json:"is_single_node,omitempty" jsonschema_description:"With kind"`
	UseMlRuntime               bool     `json:"use_ml_runtime,omitempty" jsonschema_description:"With kind"`
	RemoteDiskThroughput       int64    `json:"remote_disk_throughput,omitempty" jsonschema_description:"GCP"`
	TotalInitialRemoteDiskSize int64    `json:"total_initial_remote_disk_size,omitempty" jsonschema_description:"GCP"`
	SSHPublicKeys              []string `json:"ssh_public_keys,omitempty" jsonschema_description:"SSH"`
	IdempotencyToken           string   `json:"idempotency_token,omitempty" check:"maxLength=64" jsonschema:"-" jsonschema_description:"Set if absent"`
	Forced
}

// CreatedCluster names the new cluster.
type CreatedCluster struct {
	ClusterID string `json:"cluster_id"`
}

// CreateCluster makes a cluster; it bills as its machines come.
var CreateCluster = Define[CreateClusterRequest, CreatedCluster](Row{
	Name: "clusters_create", Title: "Create cluster", Group: Clusters, Effect: Create,
	Method: "POST", Path: "/api/2.1/clusters/create", Token: "idempotency_token",
	Needs:  "the right to create clusters, or CAN_USE on the cluster policy (its creator then has CAN_MANAGE)",
	Object: "cluster {cluster_name}",
	Verify: "Look for it with clusters_list before creating it again: names are not unique, and each cluster bills.",
	Doc:    "Create and start a cluster. Poll clusters_list.",
	Did:    "created {}", Then: "cluster {cluster_id}", Undo: "clusters_terminate with cluster_id {cluster_id}",
	Touches: []Touch{{Scope: ScopeClusters, Name: "{cluster_name}"}},
})
