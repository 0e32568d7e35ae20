package tools

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

const someSettings = `{"name":"nightly","format":"MULTI_TASK","max_concurrent_runs":1,"timeout_seconds":3600,"email_notifications":{},
	"queue":{"enabled":true},"tags":{"team":"a","env":"dev"},
	"schedule":{"quartz_cron_expression":"0 0 6 * * ?","timezone_id":"UTC","pause_status":"UNPAUSED"},
	"parameters":[{"name":"day","default":"today"}],
	"tasks":[{"task_key":"extract","run_if":"ALL_SUCCESS","notebook_task":{"notebook_path":"/x"}},
		{"task_key":"load","run_if":"ALL_SUCCESS","timeout_seconds":0,"sql_task":{"warehouse_id":"w","file":{"path":"/q"}},"depends_on":[{"task_key":"extract"}]}]}`

func TestDifference(t *testing.T) {
	for _, c := range []struct {
		name, given string
		remove      []string
		reset       bool
		want        []string
	}{
		{"a schedule", `{"schedule":{"quartz_cron_expression":"0 0 9 * * ?","timezone_id":"UTC","pause_status":"UNPAUSED"}}`, nil, false,
			[]string{"schedule.quartz_cron_expression changes from '0 0 6 * * ?' to '0 0 9 * * ?'"}},
		{"an object is replaced whole", `{"tags":{"team":"b"}}`, nil, false,
			[]string{"tags.team changes from 'a' to 'b'", "tags.env is left out (was 'dev')"}},
		{"the same", `{"timeout_seconds":3600,"tags":{"env":"dev","team":"a"},"parameters":[{"default":"today","name":"day"}]}`, nil, false, nil},
		{"a new field", `{"description":"it's\nnew"}`, nil, false, []string{`description is set to 'it\'s new'`}},
		{"a new task", `{"tasks":[{"task_key":"check","notebook_task":{"notebook_path":"/c"}}]}`, nil, false, []string{"task 'check' is added (notebook_task)"}},
		{"a task is replaced whole", `{"tasks":[{"task_key":"load","sql_task":{"warehouse_id":"v","file":{"path":"/q"}}}]}`, nil, false,
			[]string{"task 'load': sql_task.warehouse_id changes from 'w' to 'v'", `task 'load': depends_on is left out (was [{"task_key":"extract"}])`}},
		{"dependencies", `{"tasks":[{"task_key":"load","sql_task":{"warehouse_id":"w","file":{"path":"/q"}},"depends_on":[{"task_key":"check"}]}]}`, nil, false,
			[]string{"task 'load': dependency 'extract' is removed", "task 'load': dependency 'check' is added"}},
		{"another kind of task", `{"tasks":[{"task_key":"extract","sql_task":{"warehouse_id":"w"}}]}`, nil, false,
			[]string{`task 'extract': notebook_task is left out (was {"notebook_path":"/x"})`, `task 'extract': sql_task is set to {"warehouse_id":"w"}`}},
		{"removals", `{}`, []string{"schedule", "tasks/load", "tasks/gone", "trigger", "max_concurrent_runs"}, false,
			[]string{"schedule falls back to its default (was {\"quartz_cron_expression\":\"0 0 6 * * ?\",\"timezone_id\":\"UTC\",\"pause_status\":\"UNPA…)",
				"task 'load' is removed (sql_task)", "there is no task 'gone' to remove, and the workspace may refuse", "trigger is not set: there is nothing to remove"}},
		{"reset to the same", someSettings, nil, true, nil},
		{"reset without what the service fills in", `{"name":"nightly","timeout_seconds":3600,"tags":{"team":"a","env":"dev"},"schedule":{"quartz_cron_expression":"0 0 6 * * ?","timezone_id":"UTC","pause_status":"UNPAUSED"},
			"parameters":[{"name":"day","default":"today"}],"tasks":[{"task_key":"extract","notebook_task":{"notebook_path":"/x"}},{"task_key":"load","sql_task":{"warehouse_id":"w","file":{"path":"/q"}},"depends_on":[{"task_key":"extract"}]}]}`, nil, true, nil},
		{"reset to little", `{"name":"weekly","max_concurrent_runs":5,"tasks":[{"task_key":"extract","notebook_task":{"notebook_path":"/x"}}]}`, nil, true,
			[]string{"name changes from 'nightly' to 'weekly'", "max_concurrent_runs changes from 1 to 5", "timeout_seconds falls back to its default (was 3600)",
				`tags falls back to its default (was {"team":"a","env":"dev"})`,
				"schedule falls back to its default (was {\"quartz_cron_expression\":\"0 0 6 * * ?\",\"timezone_id\":\"UTC\",\"pause_status\":\"UNPA…)",
				"parameter 'day' is removed", "task 'load' is removed (sql_task)"}},
		{"a secret", `{"job_clusters":[{"job_cluster_key":"c","new_cluster":{"spark_conf":{"my.password":"hunter2"}}}]}`, nil, false, []string{"job cluster 'c' is added"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d difference
			now, given := cleanSettings([]byte(someSettings)), cleanSettings([]byte(c.given))
			if c.reset {
				d.reset(now, given)
			} else {
				d.update(now, given, c.remove)
			}
			if got := d.all(); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestDifferenceIsBounded(t *testing.T) {
	var tasks []string
	for i := range 500 {
		tasks = append(tasks, fmt.Sprintf(`{"task_key":"%s%d","notebook_task":{}}`, strings.Repeat("k", 90), i))
	}
	var d difference
	d.update(gjson.Parse(someSettings), gjson.Parse(`{"tasks":[`+strings.Join(tasks, ",")+`],"description":"`+strings.Repeat("ä", 5000)+`"}`), nil)
	got := d.all()
	if len(got) != maxChanges+1 || got[maxChanges] != "and 471 more changes" || d.count() != 501 {
		t.Errorf("%d sentences for %d changes, the last is %q", len(got), d.count(), got[len(got)-1])
	}
	for _, sentence := range got {
		if len(sentence) > 2*maxShown+40 {
			t.Errorf("a sentence of %d bytes", len(sentence))
		}
	}
}

// Two long texts that begin alike are shown from where they differ.
func TestDifferenceOfLongTexts(t *testing.T) {
	same := strings.Repeat("select ", 30)
	from, to := briefPair(gjson.Parse(`"`+same+`old"`), gjson.Parse(`"`+same+`new"`))
	if !strings.HasSuffix(from, "old'") || !strings.HasSuffix(to, "new'") || len(from) > 40 {
		t.Errorf("%s, %s", from, to)
	}
}

// What others named cannot end the quotation, begin a line or drive a terminal.
func TestNamesStayInTheirQuotes(t *testing.T) {
	got := quoted("x' is deleted.\n\x1b[31mTask 'y\u202e")
	if strings.ContainsAny(got, "\n\x1b\u202e") || strings.Count(got, "'") != strings.Count(got, `\'`)+2 {
		t.Errorf("%q", got)
	}
	if got := plainKey("a b'c"); got != `'a b\'c'` {
		t.Errorf("%q", got)
	}
}

// Whatever the two sides are, a difference is found exactly where there is one.
func FuzzDifference(f *testing.F) {
	f.Add(someSettings, `{"tasks":[{"task_key":"load"}]}`)
	f.Add(`{"tasks":[{"task_key":"a"},{"task_key":"a"}]}`, `{"tasks":[1,{"task_key":2}]}`)
	f.Add(`{"a.b":{"c*":1}}`, `{"a.b":{"c*":2}}`)
	f.Fuzz(func(t *testing.T, before, after string) {
		if !gjson.Valid(before) || !gjson.Valid(after) || !gjson.Parse(before).IsObject() || !gjson.Parse(after).IsObject() {
			return
		}
		now, given := cleanSettings([]byte(before)), cleanSettings([]byte(after))
		var d, none difference
		d.reset(now, given)
		d.update(now, given, []string{"tasks/a", "schedule"})
		for _, sentence := range d.all() {
			if strings.ContainsAny(sentence, "\n\r") {
				t.Fatalf("a sentence of two lines: %q", sentence)
			}
		}
		if none.reset(now, now); none.count() != 0 && !strings.Contains(now.Raw, "hidden") {
			t.Fatalf("%s differs from itself: %q", before, none.all())
		}
	})
}
