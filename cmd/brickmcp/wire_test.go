package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// wireCase is one call on the wire: what an agent gives, what the workspace is
// asked and answers, and what the agent gets.
type wireCase struct {
	// Before are calls that come first: what they start, the call is about.
	Before []struct {
		Tool string          `json:"tool"`
		Args json.RawMessage `json:"args"`
	} `json:"before"`
	Args json.RawMessage `json:"args"`
	exchange
	Exchanges []exchange      `json:"exchanges"` // when there are several requests
	Result    json.RawMessage `json:"result"`
}

type exchange struct {
	Request struct {
		Method, Path, Query string
		Headers             map[string]string
		Body                json.RawMessage
		Raw                 *string // a body that is not JSON
	} `json:"request"`
	Response struct {
		Status  int
		Headers map[string]string
		Body    json.RawMessage
		Raw     *string
	} `json:"response"`
}

// TestWire holds every tool to its wire case, through the whole server and over
// a real connection.
func TestWire(t *testing.T) {
	const dir = "../../testdata/wire"
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]bool{}
	for _, file := range files {
		tool := strings.TrimSuffix(filepath.Base(file), ".json")
		cases[tool] = true
		t.Run(tool, func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c wireCase
			decoder := json.NewDecoder(bytes.NewReader(raw))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(&c); err != nil {
				t.Fatal(err)
			}
			if len(c.Exchanges) == 0 {
				c.Exchanges = []exchange{c.exchange}
			}
			c.run(t, tool)
		})
	}
	for _, row := range catalog.All() {
		if !cases[row.Name] {
			t.Errorf("%s has no wire case", row.Name)
		}
	}
}

func (c *wireCase) run(t *testing.T, tool string) {
	row := catalog.Find(tool)
	if row == nil {
		t.Fatalf("there is no tool %s", tool)
	}
	step := 0
	workspace := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if step >= len(c.Exchanges) {
			t.Errorf("request %d was not expected: %s %s", step+1, r.Method, r.URL)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		c.Exchanges[step].serve(t, row, w, r)
		step++
	}))
	defer workspace.Close()
	env := map[string]string{"DATABRICKS_HOST": workspace.URL, "DATABRICKS_TOKEN": "dapi-wire", "HOME": t.TempDir()}
	config := newConfig(func(name string) string { return env[name] }, strings.NewReader(""), io.Discard, io.Discard)
	newRoot(config)                                 // sets the defaults
	config.access, config.auditFile = "full", "off" // audit asks who is signed in
	a, err := config.build()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	runID := ""
	call := func(row *catalog.Row, args json.RawMessage) []byte {
		result := a.tools.Call(t.Context(), row, bytes.ReplaceAll(args, []byte("{run_id}"), []byte(runID)))
		text, ok := result.Content[0].(mcp.TextContent)
		if !ok || result.IsError {
			t.Fatalf("the call failed: %v", result.Content)
		}
		if id := gjson.Get(text.Text, "run_id").Str; id != "" {
			runID = id
		}
		return []byte(text.Text)
	}
	for _, before := range c.Before {
		call(catalog.Find(before.Tool), before.Args)
	}
	answer := bytes.ReplaceAll(call(row, c.Args), []byte(workspace.URL), []byte("https://workspace"))
	sameJSON(t, "result", repeatable(answer), c.Result)
	if step != len(c.Exchanges) {
		t.Errorf("%d requests, want %d", step, len(c.Exchanges))
	}
}

var (
	runIDs  = regexp.MustCompile(`\brun_[0-9a-v]{36}\b`)
	runTime = regexp.MustCompile(`"(created_at|updated_at|expires_at)":"[^"]*"`)
)

// repeatable is a result without what differs each time.
func repeatable(result []byte) []byte {
	return runTime.ReplaceAll(runIDs.ReplaceAll(result, []byte("{run_id}")), []byte(`"$1":"{time}"`))
}

func (e *exchange) serve(t *testing.T, row *catalog.Row, w http.ResponseWriter, r *http.Request) {
	if got, want := r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery, e.Request.Method+" "+e.Request.Path+"?"+e.Request.Query; got != want {
		t.Errorf("asked %s\nwant  %s", got, want)
	}
	for name, want := range e.Request.Headers {
		if got := r.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if r.Header.Get("Authorization") != "Bearer dapi-wire" || !strings.HasPrefix(r.Header.Get("User-Agent"), "brickmcp/") {
		t.Errorf("Authorization %q, User-Agent %q", r.Header.Get("Authorization"), r.Header.Get("User-Agent"))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	switch {
	case e.Request.Raw != nil:
		if string(body) != *e.Request.Raw {
			t.Errorf("body %q, want %q", body, *e.Request.Raw)
		}
	case len(e.Request.Body) > 0:
		sameJSON(t, "body", withoutToken(t, row, body, e.Request.Body), e.Request.Body)
	case len(body) > 0 && string(body) != "{}":
		t.Errorf("body %q, want none", body)
	}
	for name, value := range e.Response.Headers {
		w.Header().Set(name, value)
	}
	answer := []byte(e.Response.Body)
	if e.Response.Raw != nil {
		answer = []byte(*e.Response.Raw)
	} else if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if e.Response.Status != 0 {
		w.WriteHeader(e.Response.Status)
	}
	_, _ = w.Write(answer)
}

// withoutToken drops the idempotency token that the server made itself: a case
// without one cannot know it.
func withoutToken(t *testing.T, row *catalog.Row, body, want []byte) []byte {
	if row.Token == "" || bytes.Contains(want, []byte(row.Token)) {
		return body
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		t.Error(err)
	}
	if len(members[row.Token]) < 10 {
		t.Errorf("no idempotency token was sent: %s", body)
	}
	delete(members, row.Token)
	rest, err := json.Marshal(members)
	if err != nil {
		t.Error(err)
	}
	return rest
}

// sameJSON compares values; numbers by their digits.
func sameJSON(t *testing.T, what string, got, want []byte) {
	t.Helper()
	decode := func(raw []byte) any {
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		var v any
		if err := decoder.Decode(&v); err != nil {
			t.Errorf("%s %q: %v", what, raw, err)
		}
		return v
	}
	if !reflect.DeepEqual(decode(got), decode(want)) {
		t.Errorf("%s\ngot  %s\nwant %s", what, got, want)
	}
}
