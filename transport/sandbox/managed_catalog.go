package sandbox

import (
	"net/http"
	"strings"
)

// addCatalogRoutes are the endpoints that say which MCP servers there are.
func (m *managed) addCatalogRoutes() {
	m.w.on("GET "+unity+"/mcp-services", m.listServices)
	m.w.on("GET "+unity+"/mcp-services/{name}", func(r *request) (any, error) {
		for _, s := range m.services {
			if s.name == r.PathValue("name") {
				return s.show(), nil
			}
		}
		return nil, failure(http.StatusNotFound, "MCP_SERVICE_DOES_NOT_EXIST", "MCP service '"+r.PathValue("name")+"' does not exist.")
	})
	m.w.on("GET "+unity+"/connections", m.listConnections)
	m.w.on("GET "+unity+"/connections/{name}/user-credentials/{user}", func(r *request) (any, error) {
		c := m.w.connections.find(r.PathValue("name"))
		if c == nil || !m.w.connections.signedIn(r.user.ID, c) {
			return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "No credential of the user for this connection.")
		}
		return object{"connection_name": c.name, "user": r.user.UserName}, nil
	})
	m.w.on("GET /api/2.0/vector-search/endpoints", func(*request) (any, error) {
		return object{"endpoints": []object{{"name": vectorEndpoint, "endpoint_type": "STANDARD", "num_indexes": len(m.indexes), "endpoint_status": object{"state": "ONLINE"}}}}, nil
	})
	m.w.on("GET /api/2.0/vector-search/indexes", func(r *request) (any, error) {
		if name := r.URL.Query().Get("endpoint_name"); name != vectorEndpoint {
			return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Endpoint '"+name+"' does not exist.")
		}
		var shown []object
		for _, x := range m.indexes {
			if x.maySelect(r.user) {
				shown = append(shown, object{"name": x.name, "endpoint_name": vectorEndpoint, "index_type": "DELTA_SYNC", "primary_key": "uri", "creator": anaName})
			}
		}
		return object{"vector_indexes": shown}, nil
	})
}

func (s mcpService) show() object {
	config := object{}
	if s.connection != "" {
		config["source_connection"] = object{"name": s.connection}
	}
	if s.selectors != nil {
		config["include_tool_selectors"] = s.selectors
	}
	return object{"name": s.name, "comment": s.comment, "config": config, "owner": anaName, "created_by": anaName, "metastore_id": MetastoreID}
}

func (m *managed) listServices(r *request) (any, error) {
	schema, ok := strings.CutPrefix(r.URL.Query().Get("parent"), "schemas/")
	if !ok || strings.Count(schema, ".") != 1 {
		return nil, badArgument("parent must be of the form schemas/{catalog}.{schema}")
	}
	var shown []object
	for _, s := range m.services {
		if strings.HasPrefix(s.name, schema+".") {
			shown = append(shown, s.show())
		}
	}
	return r.pageOf("mcp_services", shown)
}

func (m *managed) listConnections(r *request) (any, error) {
	shown := []object{{
		"name": "warehouse_db", "full_name": "warehouse_db", "connection_type": "POSTGRESQL", "owner": anaName, "options": object{"host": "db.example.com", "port": "5432"},
	}}
	for _, c := range m.w.connections.all {
		if c.mayUse(r.user) {
			shown = append(shown, object{
				"name": c.name, "full_name": c.name, "comment": c.comment, "connection_type": "HTTP", "owner": c.owner,
				"options": object{"host": "https://" + c.name + ".example.com", "base_path": "/mcp", "is_mcp_connection": "true"},
			})
		}
	}
	return object{"connections": shown}, nil
}
