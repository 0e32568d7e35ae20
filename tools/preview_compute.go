package tools

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// clusterSize says in words how large a cluster is, from its specification.
func clusterSize(spec gjson.Result) string {
	workers := spec.Get("num_workers").Int()
	size := fmt.Sprintf("%s (1 driver, %s)", many(int(workers)+1, "machine"), many(int(workers), "worker"))
	scale := spec.Get("autoscale")
	switch {
	case scale.IsObject():
		least, most := scale.Get("min_workers").Int(), scale.Get("max_workers").Int()
		size = fmt.Sprintf("%d to %d machines (1 driver, %d to %d workers)", least+1, most+1, least, most)
	case spec.Get("is_single_node").Bool() || workers == 0:
		size = "1 machine (a single node)"
	}
	if kind := spec.Get("node_type_id").Str; kind != "" {
		size += " of " + plainKey(kind)
	} else if pool := spec.Get("instance_pool_id").Str; pool != "" {
		size += " from pool " + plainKey(pool)
	}
	if driver := spec.Get("driver_node_type_id").Str; driver != "" && driver != spec.Get("node_type_id").Str {
		size += ", the driver " + plainKey(driver)
	}
	return size
}

// stopsAfter says when compute stops by itself.
func (v *previewer) stopsAfter(minutes int64) {
	if minutes == 0 {
		v.say("it never stops by itself: it bills until somebody stops it")
		return
	}
	v.say("it stops by itself after %s without use", many(int(minutes), "minute"))
}

func (v *previewer) createCluster() {
	spec := v.whole()
	v.What = fmt.Sprintf("Creates and starts cluster %s, which bills at once: %s.", quoted(v.text("cluster_name")), clusterSize(spec))
	if spec.Get("clone_from").Exists() {
		v.say("what is not given is copied from cluster %s", quoted(spec.Get("clone_from.source_cluster_id").Str))
	}
	policy := spec.Get("policy_id").Str
	if minutes := spec.Get("autotermination_minutes"); policy == "" || minutes.Exists() {
		v.stopsAfter(minutes.Int())
	} else {
		v.say("unless cluster policy %s says otherwise, it never stops by itself: it bills until somebody stops it", quoted(policy))
	}
}

func (v *previewer) turnCluster() error {
	cluster, err := v.look(&catalog.GetCluster.Row, jsonObject("cluster_id", v.text("cluster_id")))
	if err != nil {
		return err
	}
	name, state := v.named(cluster.Get("cluster_name").Str), cluster.Get("state").Str
	starts := v.call.Row.Name == catalog.StartCluster.Name
	if starts {
		v.What = "Starts " + name + ", which then bills."
	} else {
		v.What = "Terminates " + name + ": what runs on it stops, and what is only in its memory is lost. It can start again."
	}
	if !cluster.Exists() {
		return nil
	}
	v.Now = pick(cluster, "cluster_id", "cluster_name", "state", "creator_user_name")
	v.say("it is %s now", plainState(state))
	v.say("it has %s", clusterSize(cluster))
	switch {
	case starts && (state == "RUNNING" || state == "PENDING" || state == "RESIZING"):
		v.What = "Changes nothing: " + name + " is " + state + " already."
	case starts:
		v.stopsAfter(cluster.Get("autotermination_minutes").Int())
	case state == "TERMINATED" || state == "TERMINATING":
		v.What = "Changes nothing: " + name + " is " + state + " already."
	default:
		if creator := cluster.Get("creator_user_name").Str; creator != "" {
			v.say("it was created by %s", quoted(creator))
		}
	}
	return nil
}

// warehouseSize says in words how large a warehouse is.
func warehouseSize(w gjson.Result) string {
	size := cmp.Or(plainKey(w.Get("cluster_size").Str), "of unknown size")
	least := max(w.Get("min_num_clusters").Int(), 1)
	switch most := max(w.Get("max_num_clusters").Int(), least); {
	case most > least:
		size += fmt.Sprintf(", %d to %d clusters", least, most)
	default:
		size += ", " + many(int(least), "cluster")
	}
	switch serverless := w.Get("enable_serverless_compute"); {
	case serverless.Bool():
		size += ", serverless"
	case serverless.Exists():
		size += ", not serverless"
	}
	return size
}

func (v *previewer) createWarehouse() {
	const autoStop = 120 // minutes, when nothing is given (contract/sql.md section 1.1)
	w := v.whole()
	v.What = fmt.Sprintf("Creates and starts SQL warehouse %s, which bills at once: %s.", quoted(v.text("name")), warehouseSize(w))
	v.stopsAfter(orElse(w.Get("auto_stop_mins"), autoStop))
	if !w.Get("enable_serverless_compute").Exists() {
		v.say("whether it is serverless is up to the workspace: enable_serverless_compute is not given")
	}
}

func (v *previewer) turnWarehouse() error {
	w, err := v.look(&catalog.GetWarehouse.Row, jsonObject("warehouse_id", v.text("warehouse_id")))
	if err != nil {
		return err
	}
	name, state := v.named(w.Get("name").Str), w.Get("state").Str
	starts := v.call.Row.Name == catalog.StartWarehouse.Name
	if starts {
		v.What = "Starts " + name + ", which then bills."
	} else {
		v.What = "Stops " + name + " and the queries of everybody on it. It starts again with the next statement."
	}
	if !w.Exists() {
		return nil
	}
	v.Now = pick(w, "id", "name", "state", "creator_name")
	v.say("it is %s now", plainState(state))
	v.say("its size is %s", warehouseSize(w))
	sessions := int(w.Get("num_active_sessions").Int())
	switch {
	case starts && (state == "RUNNING" || state == "STARTING"):
		v.What = "Changes nothing: " + name + " is " + state + " already."
	case starts:
		v.stopsAfter(w.Get("auto_stop_mins").Int())
	case state == "STOPPED" || state == "STOPPING":
		v.What = "Changes nothing: " + name + " is " + state + " already."
	case sessions > 0:
		v.say("it has %s", many(sessions, "active session"))
	}
	return nil
}

// runSQL tells of a statement what can be told without understanding it: the word
// it begins with, and where it runs.
func (v *previewer) runSQL() error {
	const begins = "Runs SQL that begins with %s"
	v.What = fmt.Sprintf(begins, cmp.Or(firstWord(v.text("statement")), "no word"))
	id := v.text("warehouse_id")
	if id == "" {
		v.What += " on a warehouse that is chosen then."
		return nil
	}
	v.What += " on warehouse " + plainKey(id) + "."
	w, err := v.look(&catalog.GetWarehouse.Row, jsonObject("warehouse_id", id))
	if err != nil || !w.Exists() {
		return err
	}
	state := w.Get("state").Str
	v.What = fmt.Sprintf(begins+" on warehouse %s %s, which is %s (%s).", cmp.Or(firstWord(v.text("statement")), "no word"),
		plainKey(id), quoted(w.Get("name").Str), plainState(state), warehouseSize(w))
	if state != "RUNNING" {
		v.say("the warehouse starts for it, and then bills")
		v.stopsAfter(w.Get("auto_stop_mins").Int())
	}
	return nil
}

// firstWord is the keyword that a statement begins with, in capitals; "" when it
// begins with something else.
func firstWord(sql string) string {
	for {
		sql = strings.TrimLeftFunc(sql, func(r rune) bool { return unicode.IsSpace(r) || r == '(' || r == ';' || r == utf8.RuneError })
		switch {
		case strings.HasPrefix(sql, "--"):
			_, sql, _ = strings.Cut(sql, "\n")
			continue
		case strings.HasPrefix(sql, "/*"):
			sql = behindComment(sql)
			continue
		}
		end := 0
		for end < len(sql) && end < 30 && (sql[end]|0x20 >= 'a' && sql[end]|0x20 <= 'z' || sql[end] == '_') {
			end++
		}
		return strings.ToUpper(sql[:end])
	}
}

// behindComment is what follows a bracketed comment; they nest.
func behindComment(sql string) string {
	depth := 0
	for len(sql) > 0 {
		switch {
		case strings.HasPrefix(sql, "/*"):
			depth, sql = depth+1, sql[2:]
		case strings.HasPrefix(sql, "*/"):
			if depth, sql = depth-1, sql[2:]; depth == 0 {
				return sql
			}
		default:
			sql = sql[1:]
		}
	}
	return ""
}

func (v *previewer) cancelStatement() error {
	statement, err := v.look(&catalog.GetStatement.Row, jsonObject("statement_id", v.text("statement_id")))
	if err != nil {
		return err
	}
	v.What = "Cancels " + v.about("") + "; it may still succeed, and what it has written may stay."
	if !statement.Exists() {
		return nil
	}
	switch state := statement.Get("status.state").Str; state {
	case "PENDING", "RUNNING":
		v.say("it is %s now", state)
	default:
		v.What = "Changes nothing: " + v.about("") + " is " + plainState(state) + " already."
	}
	return nil
}
