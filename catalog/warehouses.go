package catalog

// SQL warehouses: contract/sql.md section 1.

func warehouseRows() []*Row {
	return []*Row{
		&CreateWarehouse.Row, &ListWarehouses.Row, &StartWarehouse.Row, &StopWarehouse.Row,
		&GetWarehouse.Row,
	}
}

// CreateWarehouseRequest describes a warehouse. Zeros and false count: they are
// sent when given.
type CreateWarehouseRequest struct {
	Name                    string `json:"name,omitempty" jsonschema_description:"Unique"`
	ClusterSize             string `json:"cluster_size,omitempty" jsonschema_description:"2X-Small, X-Small, Small ... 5X-Large"`
	WarehouseType           string `json:"warehouse_type,omitempty" jsonschema:"enum=CLASSIC,enum=PRO,enum=TYPE_UNSPECIFIED" jsonschema_description:"PRO if serverless"`
	EnableServerlessCompute *bool  `json:"enable_serverless_compute,omitempty" jsonschema_description:"Always say"`
	AutoStopMins            *int64 `json:"auto_stop_mins,omitempty" check:"minimum=0" jsonschema_description:"0: never"`
	MinNumClusters          int64  `json:"min_num_clusters,omitempty" check:"minimum=1,maximum=30" jsonschema_description:"Default 1"`
	MaxNumClusters          int64  `json:"max_num_clusters,omitempty" check:"minimum=1,maximum=40" jsonschema_description:"Default min"`
	EnablePhoton            *bool  `json:"enable_photon,omitempty" jsonschema_description:"Default true"`
	SpotInstancePolicy      string `json:"spot_instance_policy,omitempty" jsonschema:"enum=COST_OPTIMIZED,enum=POLICY_UNSPECIFIED,enum=RELIABILITY_OPTIMIZED" jsonschema_description:"Spot"`
	Channel                 Object `json:"channel,omitempty" jsonschema_description:"{name}"`
	Tags                    Object `json:"tags,omitempty" jsonschema_description:"{custom_tags: [{key, value}]}"`
	InstanceProfileArn      string `json:"instance_profile_arn,omitempty" jsonschema:"-" jsonschema_description:"Deprecated"`
	CreatorName             string `json:"creator_name,omitempty" jsonschema:"-" jsonschema_description:"Ignored"`
	Forced
}

// CreatedWarehouse names the new warehouse.
type CreatedWarehouse struct {
	ID string `json:"id"`
}

// CreateWarehouse makes a warehouse, which starts at once and bills. Its name is
// unique, so a repeat fails rather than making a second one.
var CreateWarehouse = Define[CreateWarehouseRequest, CreatedWarehouse](Row{
	Name: "warehouses_create", Title: "Create SQL warehouse", Group: Warehouses, Effect: Create,
	Method: "POST", Path: "/api/2.0/sql/warehouses",
	Needs:  "the right to create SQL warehouses (its creator then has CAN_MANAGE)",
	Object: "warehouse {name}",
	Verify: "Look for its name with warehouses_list before creating it again.",
	Doc:    "Create and start a SQL warehouse.",
	Did:    "created {}", Then: "warehouse {id}", Undo: "warehouses_stop with warehouse_id {id}",
	Touches: []Touch{{Scope: ScopeWarehouses, Name: "{name}"}},
})

// ListWarehousesRequest pages through warehouses.
type ListWarehousesRequest struct {
	PageSize    int64 `json:"page_size,omitempty" check:"minimum=1" jsonschema_description:"Page size"`
	RunAsUserID ID    `json:"run_as_user_id,omitempty" jsonschema:"-" jsonschema_description:"Ignored"`
	Paged
}

// Warehouse is what a list shows of a warehouse. health explains a failed start.
type Warehouse struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	State         string `json:"state"`
	ClusterSize   string `json:"cluster_size"`
	WarehouseType string `json:"warehouse_type"`
	Serverless    bool   `json:"enable_serverless_compute"`
	Health        struct {
		Status  string `json:"status"`
		Summary string `json:"summary"`
	} `json:"health"`
}

// WarehouseList is the answer of sql/warehouses.
type WarehouseList struct {
	Warehouses []Warehouse `json:"warehouses"`
}

// ListWarehouses lists the warehouses that the user may use.
var ListWarehouses = Define[ListWarehousesRequest, WarehouseList](Row{
	Name: "warehouses_list", Title: "List SQL warehouses", Group: Warehouses, Effect: Read,
	Method: "GET", Path: "/api/2.0/sql/warehouses", Items: "warehouses", Paging: TokenPages,
	Needs: "CAN_VIEW or CAN_USE on the warehouses",
	Doc:   "List SQL warehouses.",
	Did:   "listed SQL warehouses",
	Shows: Shown{Scope: ScopeWarehouses, ID: "id", Name: "name"},
})

// StartWarehouseRequest names a warehouse.
type StartWarehouseRequest struct {
	WarehouseID string `json:"warehouse_id" jsonschema_description:"Warehouse id"`
}

// StartWarehouse starts a warehouse, which may run already. A statement starts
// its warehouse by itself.
var StartWarehouse = Define[StartWarehouseRequest, None](Row{
	Name: "warehouses_start", Title: "Start SQL warehouse", Group: Warehouses, Effect: Ensure,
	Method: "POST", Path: "/api/2.0/sql/warehouses/{warehouse_id}/start",
	Needs: "CAN_USE on the warehouse", Object: "warehouse {warehouse_id}",
	Doc: "Start a SQL warehouse; statements do so too.",
	Did: "started {}", Undo: "warehouses_stop with warehouse_id {warehouse_id}",
	Touches: []Touch{{Scope: ScopeWarehouses, ID: "{warehouse_id}"}},
})

// StopWarehouseRequest names a warehouse.
type StopWarehouseRequest struct {
	WarehouseID string `json:"warehouse_id" jsonschema_description:"Warehouse id"`
}

// StopWarehouse stops a warehouse and the queries of everybody on it.
var StopWarehouse = Define[StopWarehouseRequest, None](Row{
	Name: "warehouses_stop", Title: "Stop SQL warehouse", Group: Warehouses, Effect: Replace,
	Method: "POST", Path: "/api/2.0/sql/warehouses/{warehouse_id}/stop",
	Needs: "CAN_USE on the warehouse, in some workspaces CAN_MANAGE", Object: "warehouse {warehouse_id}",
	Doc: "Stop a SQL warehouse and its queries.",
	Did: "stopped {}", Undo: "warehouses_start with warehouse_id {warehouse_id}",
	Touches: []Touch{{Scope: ScopeWarehouses, ID: "{warehouse_id}"}},
})

// GetWarehouseRequest names a warehouse.
type GetWarehouseRequest struct {
	WarehouseID string `json:"warehouse_id" jsonschema_description:"Warehouse id"`
}

// GetWarehouse reads one warehouse.
var GetWarehouse = Define[GetWarehouseRequest, Warehouse](Row{
	Name: "warehouses_get", Group: Warehouses, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/sql/warehouses/{warehouse_id}",
	Needs: "CAN_USE on the warehouse", Object: "warehouse {warehouse_id}",
})
