package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// TestRunOutputByPages: the pages of long texts, put together, are the texts
// without what nobody sees in them.
func TestRunOutputByPages(t *testing.T) {
	colours := strings.Repeat("\x1b[31mERROR\x1b[0m größe \"€\"\\ 😀\n\u2028", 250)
	for _, c := range []struct {
		name  string
		texts map[string]string
	}{
		{"logs", map[string]string{"logs": colours}},
		{"several", map[string]string{"logs": colours, "error": "boom", "error_trace": strings.Repeat("  at <line>\n", 600), "notebook_output.result": strings.Repeat("ü", 2999)}},
		{"only escapes", map[string]string{"logs": strings.Repeat("\u2028", 3000)}},
		{"only hidden", map[string]string{"logs": strings.Repeat("\x01", 3000)}},
		{"short", map[string]string{"logs": "a", "notebook_output.result": "b"}},
	} {
		for _, tokens := range []int{150, 1000, 8000} {
			t.Run(fmt.Sprint(c.name, "/", tokens), func(t *testing.T) {
				nested := map[string]any{"metadata": map[string]any{"run_id": 12, "run_page_url": "https://x"}}
				for path, text := range c.texts {
					if name, ok := strings.CutPrefix(path, "notebook_output."); ok {
						nested["notebook_output"] = map[string]any{name: text, "truncated": false}
					} else {
						nested[path] = text
					}
				}
				body, err := json.Marshal(nested)
				if err != nil {
					t.Fatal(err)
				}
				api := &fake{do: func(context.Context, *catalog.Call) (string, error) { return string(body), nil }}
				s := newServer(t, api, func(cfg *Config) { cfg.ResultTokens = tokens })
				got, arguments := map[string]string{}, `{"run_id":12}`
				for rounds := 0; rounds < 2000; rounds++ {
					out := succeed(t, s, "jobs_get_run_output", arguments)
					if len(out) > tokens*4+300 {
						t.Fatalf("%d bytes: %.200s", len(out), out)
					}
					for _, path := range runTexts {
						got[path] += gjson.Get(out, path).Str
					}
					token := gjson.Get(out, "next_page_token").Str
					if (token != "") != gjson.Get(out, "truncated").Bool() {
						t.Fatalf("truncated and next_page_token disagree: %.200s", out)
					}
					if token == "" {
						break
					}
					arguments = fmt.Sprintf(`{"run_id":12,"page_token":%q}`, token)
				}
				for _, path := range runTexts {
					if want, _ := catalog.Clean(c.texts[path]); got[path] != want {
						t.Errorf("%s: %d bytes of %d", path, len(got[path]), len(want))
					}
				}
			})
		}
	}
}

// TestRunOutputIsUsed: a page is filled, not a fraction of it.
func TestRunOutputIsUsed(t *testing.T) {
	body := `{"metadata":{"run_id":1},"logs":"` + strings.Repeat("x", 100000) + `"}`
	if out := succeed(t, newServer(t, answering(body), nil), "jobs_get_run_output", `{"run_id":1}`); len(out) < 8000*4-300 {
		t.Errorf("a page has %d bytes", len(out))
	}
}

// TestRunOutputWithoutTexts: what is long, but no text of a run, is shortened and
// said to be.
func TestRunOutputWithoutTexts(t *testing.T) {
	for _, more := range []string{"", `,"logs":"short"`} {
		body := `{"metadata":{"run_id":1},"sql_output":{"query_output":{"query_text":"` + strings.Repeat("x", 50000) + `"}}` + more + `}`
		out := succeed(t, newServer(t, answering(body), nil), "jobs_get_run_output", `{"run_id":1}`)
		if len(out) > 8000*4+300 || !gjson.Get(out, "shortened").Bool() || !strings.Contains(out, "more bytes") || gjson.Get(out, "metadata.run_id").Str != "1" || more != "" && gjson.Get(out, "logs").Str != "short" {
			t.Errorf("%d bytes: %.200s … %s", len(out), out, out[max(len(out)-300, 0):])
		}
	}
}

func TestStart(t *testing.T) {
	invalidState := &catalog.Error{Kind: catalog.Conflict, Code: "INVALID_STATE", Message: "Cluster c is in unexpected state"}
	for _, c := range []struct {
		name, tool, arguments string
		startErr, stateErr    error
		state                 string
		want                  string // "" is an error
	}{
		{"cluster", "clusters_start", `{"cluster_id":"c"}`, nil, nil, "PENDING", `{"cluster_id":"c","state":"PENDING","state_message":"why","undo":"clusters_terminate with cluster_id c"}`},
		{"cluster, already", "clusters_start", `{"cluster_id":"c"}`, invalidState, nil, "RUNNING", `{"cluster_id":"c","state":"RUNNING","state_message":"why","already_started":true}`},
		{"cluster, on its way", "clusters_start", `{"cluster_id":"c"}`, invalidState, nil, "PENDING", `{"cluster_id":"c","state":"PENDING","state_message":"why","already_started":true}`},
		{"cluster, stopping", "clusters_start", `{"cluster_id":"c"}`, invalidState, nil, "TERMINATING", ""},
		{"cluster, state unknown", "clusters_start", `{"cluster_id":"c"}`, nil, errors.New("x"), "", `{"cluster_id":"c","undo":"clusters_terminate with cluster_id c"}`},
		{"cluster, refused and unknown", "clusters_start", `{"cluster_id":"c"}`, invalidState, errors.New("x"), "", ""},
		{"cluster, other error", "clusters_start", `{"cluster_id":"c"}`, &catalog.Error{Kind: catalog.Conflict, Code: "OTHER", Message: "no"}, nil, "RUNNING", ""},
		{"warehouse", "warehouses_start", `{"warehouse_id":"w"}`, nil, nil, "STARTING", `{"warehouse_id":"w","state":"STARTING","undo":"warehouses_stop with warehouse_id w"}`},
		{"warehouse, already", "warehouses_start", `{"warehouse_id":"w"}`, nil, nil, "RUNNING", `{"warehouse_id":"w","state":"RUNNING","already_started":true}`},
		{"warehouse, state unknown", "warehouses_start", `{"warehouse_id":"w"}`, nil, errors.New("x"), "", `{"warehouse_id":"w","undo":"warehouses_stop with warehouse_id w"}`},
		{"warehouse, refused", "warehouses_start", `{"warehouse_id":"w"}`, &catalog.Error{Kind: catalog.Conflict, Message: "deleted"}, nil, "DELETED", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := &fake{do: func(_ context.Context, call *catalog.Call) (string, error) {
				if call.Row.Method == "POST" {
					return "{}", c.startErr
				}
				return fmt.Sprintf(`{"state":%q,"state_message":"why"}`, c.state), c.stateErr
			}}
			text, failed := ask(t, newServer(t, api, nil), c.tool, c.arguments)
			if failed != (c.want == "") || !failed && text != c.want {
				t.Errorf("got %s, want %s", text, c.want)
			}
		})
	}
}
