package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"brickmcp/transport/sandbox/engine"
)

// historyStatus is how query history spells the states.
var historyStatus = map[string]string{
	statementPending: "QUEUED", statementRunning: "RUNNING", statementSucceeded: "FINISHED",
	statementClosed: "FINISHED", statementFailed: "FAILED", statementCanceled: "CANCELED",
}

// history lists statements, newest first: one's own, for an admin everybody's.
func (ss *statements) history(r *request) (any, error) {
	query := r.URL.Query()
	limit, err := r.int("max_results", 100)
	if err != nil {
		return nil, err
	}
	if limit < 0 || limit >= 1000 {
		return nil, badArgument("max_results must be less than 1000.")
	}
	const from, to = "filter_by.query_start_time_range.start_time_ms", "filter_by.query_start_time_range.end_time_ms"
	after, err := r.int(from, 0)
	if err != nil {
		return nil, err
	}
	before, err := r.int(to, 1<<62)
	if err != nil {
		return nil, err
	}
	last, err := openToken(r.URL)
	if err != nil {
		return nil, err
	}
	wanted := func(key, value string) bool { return !query.Has(key) || slices.Contains(query[key], value) }
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.sweep(r.now)
	body, res := shape{"has_next_page": false}, []shape(nil)
	for i := len(ss.order) - 1; i >= 0; i-- {
		s := ss.order[i]
		if last != "" { // skip to behind the last one shown
			if s.id == last {
				last = ""
			}
			continue
		}
		at := s.started.UnixMilli()
		if s.user.ID != r.user.ID && !r.user.Admin || at < after || at > before ||
			!wanted("filter_by.statement_ids", s.id) || !wanted("filter_by.statuses", historyStatus[s.state]) ||
			!wanted("filter_by.user_ids", s.user.ID) || !wanted("filter_by.warehouse_ids", s.in.Warehouse) {
			continue
		}
		if len(res) == int(limit) {
			body["has_next_page"] = true
			body["next_page_token"] = sealToken(r.URL, res[limit-1]["query_id"].(string))
			break
		}
		res = append(res, s.queryInfo())
	}
	if last != "" {
		return nil, failure(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf("Invalid page_token: statement %s is no longer in the history.", last))
	}
	if res != nil {
		body["res"] = res
	}
	return body, nil
}

func (s *statement) queryInfo() shape {
	user, err := strconv.ParseInt(s.user.ID, 10, 64)
	if err != nil {
		user = 0 // ids of the directory are decimal
	}
	o := shape{
		"query_id": s.id, "status": historyStatus[s.state], "query_text": s.in.Statement, "statement_type": engine.StatementType(s.in.Statement),
		"query_start_time_ms": s.started.UnixMilli(), "user_id": user, "user_name": s.user.UserName,
		"executed_as_user_id": user, "executed_as_user_name": s.user.UserName,
		"warehouse_id": s.in.Warehouse, "endpoint_id": s.in.Warehouse, "is_final": !s.ended.IsZero(), "rows_produced": int64(0),
	}
	if !s.ended.IsZero() {
		o["execution_end_time_ms"], o["query_end_time_ms"] = s.ended.UnixMilli(), s.ended.UnixMilli()
		o["duration"] = s.ended.Sub(s.started).Milliseconds()
	}
	if s.result != nil {
		o["rows_produced"] = s.result.rows
	}
	if s.failure != nil && s.state == statementFailed {
		o.set("error_message", s.failure.Message)
	}
	if tags := s.tags(); tags != nil {
		o["query_tags"] = tags
	}
	return o
}

// tags are the query tags that count: the last value of each key, 20 at most.
func (s *statement) tags() []queryTag {
	var out []queryTag
	for _, t := range s.in.QueryTags {
		if i := slices.IndexFunc(out, func(o queryTag) bool { return o.Key == t.Key }); i >= 0 {
			out[i] = t
		} else if len(out) < 20 {
			out = append(out, t)
		}
	}
	return out
}
