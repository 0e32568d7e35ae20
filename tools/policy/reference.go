package policy

import (
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// references puts the jobs, clusters and warehouses that the settings of a job name
// among the objects: a job of one's own that runs another one is a way to run that.
// What the code of a job reaches, nobody can say. The tools that a Supervisor run is
// given are such references, too.
func (j *judgement) references() {
	if supervised(j.call) {
		gjson.ParseBytes(j.call.Args["tools"]).ForEach(func(_, tool gjson.Result) bool {
			j.objects = append(j.objects, HostedTool(tool)...)
			return true
		})
		return
	}
	if j.call.Row.Group != catalog.Jobs || !j.writes {
		return
	}
	for _, argument := range []string{"tasks", "new_settings"} {
		settings := gjson.ParseBytes(j.call.Args[argument])
		if settings.IsArray() {
			j.ofTasks(settings)
			continue
		}
		j.ofTask(settings) // the old form, of one task
		// Not Get: which of two equal keys the workspace takes is not known.
		settings.ForEach(func(key, value gjson.Result) bool {
			if key.Str == "tasks" {
				j.ofTasks(value)
			}
			return true
		})
	}
}

func (j *judgement) ofTasks(tasks gjson.Result) {
	tasks.ForEach(func(_, task gjson.Result) bool {
		j.ofTask(task)
		return true
	})
}

func (j *judgement) ofTask(task gjson.Result) {
	if !task.IsObject() {
		return
	}
	task.ForEach(func(key, value gjson.Result) bool {
		switch {
		case key.Str == "existing_cluster_id":
			j.refer(catalog.ScopeClusters, value)
		case strings.HasSuffix(key.Str, "_task") && value.IsObject():
			value.ForEach(func(inner, value gjson.Result) bool {
				switch {
				case inner.Str == "warehouse_id":
					j.refer(catalog.ScopeWarehouses, value)
				case inner.Str == "job_id" && key.Str == "run_job_task":
					j.refer(catalog.ScopeJobs, value)
				case inner.Str == "task" && key.Str == "for_each_task":
					j.ofTask(value)
				}
				return true
			})
		}
		return true
	})
}

func (j *judgement) refer(scope catalog.Scope, id gjson.Result) {
	text := id.Str
	if id.Type == gjson.Number {
		text = id.Raw // exact
	}
	if text != "" {
		j.objects = append(j.objects, Object{Scope: scope, ID: text})
	}
}
