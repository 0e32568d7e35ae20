package catalog

// Clusters: contract/clusters.md. The create request is in clusters_create.go.

func clusterRows() []*Row {
	return []*Row{
		&CreateCluster.Row, &ListClusters.Row, &StartCluster.Row, &TerminateCluster.Row,
		&GetCluster.Row,
	}
}

// ListClustersRequest narrows the list. Unfiltered it also holds every job's
// cluster of the last 30 days, thousands in a busy workspace.
type ListClustersRequest struct {
	FilterBy Object `json:"filter_by,omitempty" send:"{\"cluster_sources\":[\"UI\",\"API\"]}" jsonschema_description:"{cluster_states, cluster_sources (default UI, API), is_pinned, policy_id}"`
	SortBy   Object `json:"sort_by,omitempty" jsonschema:"-" jsonschema_description:"{field, direction}"`
	PageSize int64  `json:"page_size,omitempty" check:"minimum=1,maximum=100" jsonschema_description:"Up to 100"`
	PagedWide
}

// Cluster is what a list shows of a cluster. num_workers is the target, and
// absent when the cluster autoscales.
type Cluster struct {
	ClusterID       string `json:"cluster_id"`
	ClusterName     string `json:"cluster_name"`
	State           string `json:"state"`
	CreatorUserName string `json:"creator_user_name"`
	SparkVersion    string `json:"spark_version"`
	NodeTypeID      string `json:"node_type_id"`
	NumWorkers      int64  `json:"num_workers"`
	Autoscale       Raw    `json:"autoscale"`
	Termination     struct {
		Code string `json:"code"`
	} `json:"termination_reason"`
}

// ClusterList is the answer of clusters/list.
type ClusterList struct {
	Clusters []Cluster `json:"clusters"`
}

// ListClusters lists all-purpose clusters unless the filter says otherwise.
var ListClusters = Define[ListClustersRequest, ClusterList](Row{
	Name: "clusters_list", Title: "List clusters", Group: Clusters, Effect: Read,
	Method: "GET", Path: "/api/2.1/clusters/list", Items: "clusters", Paging: TokenPages,
	Needs: "CAN_VIEW (or more) on the clusters",
	Doc:   "List clusters.",
	Did:   "listed clusters",
	Shows: Shown{Scope: ScopeClusters, ID: "cluster_id", Name: "cluster_name"},
})

// StartClusterRequest names a cluster.
type StartClusterRequest struct {
	ClusterID string `json:"cluster_id" jsonschema_description:"Cluster id"`
}

// StartCluster starts a terminated cluster. On one that runs the API answers 400
// INVALID_STATE, whatever its documentation says.
var StartCluster = Define[StartClusterRequest, None](Row{
	Name: "clusters_start", Title: "Start cluster", Group: Clusters, Effect: Ensure,
	Method: "POST", Path: "/api/2.1/clusters/start",
	Needs: "CAN_RESTART on the cluster", Object: "cluster {cluster_id}",
	Doc: "Start a cluster. Poll with clusters_list.",
	Did: "started {}", Undo: "clusters_terminate with cluster_id {cluster_id}",
	Touches: []Touch{{Scope: ScopeClusters, ID: "{cluster_id}"}},
})

// TerminateClusterRequest names a cluster.
type TerminateClusterRequest struct {
	ClusterID string `json:"cluster_id" jsonschema_description:"Cluster id"`
}

// TerminateCluster stops a cluster. The API calls it delete, but it stays listed
// and can be started again.
var TerminateCluster = Define[TerminateClusterRequest, None](Row{
	Name: "clusters_terminate", Title: "Terminate cluster", Group: Clusters, Effect: Replace,
	Method: "POST", Path: "/api/2.1/clusters/delete",
	Needs: "CAN_RESTART on the cluster", Object: "cluster {cluster_id}",
	Doc: "Stop a cluster; it can start again.",
	Did: "terminated {}", Undo: "clusters_start with cluster_id {cluster_id}",
	Touches: []Touch{{Scope: ScopeClusters, ID: "{cluster_id}"}},
})

// GetClusterRequest names a cluster.
type GetClusterRequest struct {
	ClusterID string `json:"cluster_id" jsonschema_description:"Cluster id"`
}

// ClusterState is where a cluster stands, and why.
type ClusterState struct {
	ClusterID    string `json:"cluster_id"`
	ClusterName  string `json:"cluster_name"`
	State        string `json:"state"`
	StateMessage string `json:"state_message"`
	Termination  Raw    `json:"termination_reason"`
}

// GetCluster reads one cluster's state.
var GetCluster = Define[GetClusterRequest, ClusterState](Row{
	Name: "clusters_get", Group: Clusters, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.1/clusters/get",
	Needs: "CAN_ATTACH_TO on the cluster", Object: "cluster {cluster_id}",
})
