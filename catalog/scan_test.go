package catalog

import (
	"encoding/json"
	"math/rand/v2"
	"strconv"
	"testing"
)

var cleanCases = []struct{ in, want string }{
	{`{"job_id":1}`, `{"job_id":"1"}`},
	{` { "a" : [ 1 , 2 ] } `, `{"a":[1,2]}`},
	{`{"id":9007199254740993,"n":9007199254740993,"m":9007199254740992}`, `{"id":"9007199254740993","n":"9007199254740993","m":9007199254740992}`},
	{`{"n":-9007199254740993,"m":-9007199254740992}`, `{"n":"-9007199254740993","m":-9007199254740992}`},
	{`{"task_run_ids":[1,2],"x":[1]}`, `{"task_run_ids":["1","2"],"x":[1]}`},
	{`{"run_id":{"x":1},"y":2}`, `{"run_id":{"x":1},"y":2}`},
	{`{"a_id":"7","b_id":null,"c_id":1.5,"d_id":1e3}`, `{"a_id":"7","b_id":null,"c_id":1.5,"d_id":1e3}`},
	{`{"a":"job_id: 5","b":"\"run_id\":5","run_id":5}`, `{"a":"job_id: 5","b":"\"run_id\":5","run_id":"5"}`},
	{`{"paid":5,"valid":6,"idx":7,"void":8}`, `{"paid":5,"valid":6,"idx":7,"void":8}`},
	{`[1,"x",true,false,null]`, `[1,"x",true,false,null]`},
	{`9223372036854775808`, `"9223372036854775808"`},
	{`{"spark_context_id":4020997813441462000,"cores":8.0}`, `{"spark_context_id":"4020997813441462000","cores":8.0}`},
	{"{\"t\":\"a\\\\\",\n\t\"id\":2}", `{"t":"a\\","id":"2"}`},
	{`{}`, `{}`}, {`[]`, `[]`}, {`""`, `""`},
}

func TestAppendClean(t *testing.T) {
	for _, tt := range cleanCases {
		if got := string(appendClean(nil, "", tt.in)); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.in, got, tt.want)
		}
	}
}

// Random values, deep and with awkward texts, come through unchanged but for ids.
func TestAppendCleanKeepsRandomValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		raw, err := json.MarshalIndent(randomValue(rng, 4), "", " ")
		if err != nil {
			t.Fatal(err)
		}
		out := appendClean(nil, "", string(raw))
		if !sameValue(decode(t, raw), decode(t, out), false) {
			t.Fatalf("value %d: %s\nbecomes %s", i, raw, out)
		}
	}
}

func randomValue(rng *rand.Rand, depth int) any {
	keys := []string{"id", "job_id", "ids", "run_ids", "name", `qu"ote`, "back\\slash", "ü\n", ""}
	switch kind := rng.IntN(8); {
	case kind == 0 && depth > 0:
		m := map[string]any{}
		for range rng.IntN(5) {
			m[keys[rng.IntN(len(keys))]] = randomValue(rng, depth-1)
		}
		return m
	case kind == 1 && depth > 0:
		l := []any{}
		for range rng.IntN(5) {
			l = append(l, randomValue(rng, depth-1))
		}
		return l
	case kind == 2:
		return keys[rng.IntN(len(keys))]
	case kind == 3:
		return rng.NormFloat64()
	case kind == 4:
		return nil
	case kind == 5:
		return rng.IntN(2) == 0
	}
	return json.Number(strconv.FormatInt(int64(rng.Uint64())>>rng.IntN(60), 10))
}

func TestUnquoteIDs(t *testing.T) {
	for in, want := range map[string]string{
		`{"run_job_task":{"job_id":"7"}}`:                                         `{"run_job_task":{"job_id":7}}`,
		`{"run_job_task":{"job_id":7}}`:                                           `{"run_job_task":{"job_id":7}}`,
		`{"run_job_task":{"job_id":"seven"}}`:                                     `{"run_job_task":{"job_id":"seven"}}`,
		`{"run_job_task":{"job_id":"9007199254740993123"}}`:                       `{"run_job_task":{"job_id":9007199254740993123}}`,
		`{"for_each_task":{"task":{"run_job_task":{"job_id":"7"}}}}`:              `{"for_each_task":{"task":{"run_job_task":{"job_id":7}}}}`,
		`{"dbt_cloud_task":{"dbt_cloud_job_id":"7"}}`:                             `{"dbt_cloud_task":{"dbt_cloud_job_id":7}}`,
		`{"run_job_task":{"job_parameters":{"job_id":"7"},"job_id":"8"}}`:         `{"run_job_task":{"job_parameters":{"job_id":"7"},"job_id":8}}`,
		`{"run_job_task":{"sql_params":{"a":"run_job_task"},"note":["job_id"]}}`:  `{"run_job_task":{"sql_params":{"a":"run_job_task"},"note":["job_id"]}}`,
		`{"tags":{"run_job_task":"7"},"job_id":"9"}`:                              `{"tags":{"run_job_task":"7"},"job_id":"9"}`,
		`{"run_job_task":{"notebook_params":{"x":"\"job_id\":\"5\""}, "a":"\\"}}`: `{"run_job_task":{"notebook_params":{"x":"\"job_id\":\"5\""}, "a":"\\"}}`,
	} {
		if got := unquoteIDs(in); got != want {
			t.Errorf("%s\n got %s\nwant %s", in, got, want)
		}
	}
}

// What a get tool shows can be written again: ids that it turned into strings are
// numbers on the wire again.
func TestSettingsGoRound(t *testing.T) {
	settings := `{"name":"n","tasks":[{"task_key":"a","run_job_task":{"job_id":9007199254740993123,"job_parameters":{"job_id":"1"}}}]}`
	shown := (&Call{Row: &GetJob.Row}).Projection().Append(nil, `{"job_id":1,"settings":`+settings+`}`)
	var job struct {
		Settings json.RawMessage `json:"settings"`
	}
	if err := json.Unmarshal(shown, &job); err != nil {
		t.Fatal(err)
	}
	call, err := ResetJob.Bind([]byte(`{"job_id":"1","new_settings":` + string(job.Settings) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"job_id":1,"new_settings":` + settings + `}`; string(call.Body) != want {
		t.Errorf("got  %s\nwant %s", call.Body, want)
	}
}
