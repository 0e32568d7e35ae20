package tools

import (
	"context"
	"errors"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// startCluster starts a cluster. The API refuses one that is already started or
// starting; to the agent that is the state it asked for.
func (s *Server) startCluster(ctx context.Context, call *catalog.Call) ([]byte, error) {
	id, _ := argument[string](call, "cluster_id")
	_, err := s.api.Do(ctx, call)
	var refused *catalog.Error
	if err != nil && (!errors.As(err, &refused) || refused.Code != "INVALID_STATE") {
		return nil, err
	}
	state, message := s.clusterState(ctx, id)
	if refused != nil && state != "RUNNING" && state != "PENDING" && state != "RESTARTING" && state != "RESIZING" {
		return nil, err
	}
	return s.whole(started("cluster_id", id, state, message, refused != nil)), nil
}

// clusterState is the present state; empty when it cannot be read, which takes
// nothing away from the start.
func (s *Server) clusterState(ctx context.Context, id string) (state, message string) {
	call, err := catalog.GetCluster.Bind(jsonObject("cluster_id", id))
	if err != nil {
		return "", ""
	}
	answer, err := s.api.Do(ctx, call)
	if err != nil {
		return "", ""
	}
	root := parse(answer.Body)
	return root.Get("state").Str, root.Get("state_message").Str
}

// startWarehouse starts a warehouse. The API answers a start of a running one like
// any other; one that runs at once was running before.
func (s *Server) startWarehouse(ctx context.Context, call *catalog.Call) ([]byte, error) {
	id, _ := argument[string](call, "warehouse_id")
	if _, err := s.api.Do(ctx, call); err != nil {
		return nil, err
	}
	state := s.warehouseState(ctx, id)
	return s.whole(started("warehouse_id", id, state, "", state == "RUNNING")), nil
}

func (s *Server) warehouseState(ctx context.Context, id string) string {
	call, err := catalog.GetWarehouse.Bind(jsonObject("warehouse_id", id))
	if err != nil {
		return ""
	}
	answer, err := s.api.Do(ctx, call)
	if err != nil {
		return ""
	}
	return gjson.GetBytes(answer.Body, "state").Str
}

func started(name, id, state, message string, already bool) []byte {
	var o object
	o.text(name, id)
	if state != "" {
		o.text("state", state)
	}
	if message != "" {
		o.text("state_message", message)
	}
	if already {
		o.boolean("already_started", true)
	}
	return o.bytes()
}
