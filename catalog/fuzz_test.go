package catalog

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// FuzzBind feeds arbitrary arguments to every tool. Whatever they are, Bind does
// not panic, and what it accepts makes a well-formed request.
func FuzzBind(f *testing.F) {
	for i, row := range All() {
		args, err := json.Marshal(sampleArguments(row, row.Arguments()...))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), args)
	}
	f.Add(uint8(1), []byte(`{"job_id":9223372036854775807,"page_token":"~2~x"}`))
	f.Add(uint8(3), []byte(`{"job_id":"1","new_settings":{"run_job_task":{"job_id":"2"}}}`))
	f.Add(uint8(12), []byte(`{"filter_by":{"\"":[{"a":1}]}}`))
	f.Add(uint8(28), []byte(`{"path":"/Volumes/%2e%2e/..\u0000"}`))
	f.Fuzz(func(t *testing.T, which uint8, args []byte) {
		rows := All()
		row := rows[int(which)%len(rows)]
		call, err := row.Bind(args)
		if err != nil {
			if e := AsError(err); e.Kind != Invalid || e.Message == "" {
				t.Fatalf("%s: %v", row.Name, err)
			}
			return
		}
		if call.Body != nil && !json.Valid(call.Body) {
			t.Fatalf("%s: the body is no JSON: %q", row.Name, call.Body)
		}
		if _, err := url.ParseQuery(call.Query); err != nil {
			t.Fatalf("%s: the query %q: %v", row.Name, call.Query, err)
		}
		u, err := url.Parse("https://host" + call.Path)
		if err != nil || u.EscapedPath() != call.Path || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("%s: the path %q reads as %q, %v", row.Name, call.Path, u, err)
		}
		if joined := u.JoinPath(); joined.EscapedPath() != call.Path {
			t.Fatalf("%s: the path %q climbs to %q", row.Name, call.Path, joined.EscapedPath())
		}
		prefix, _, _ := strings.Cut(row.Path, "{")
		if !strings.HasPrefix(call.Path, prefix) {
			t.Fatalf("%s: the path %q leaves %q", row.Name, call.Path, prefix)
		}
		_, byName := row.lookup()
		for name, raw := range call.Args {
			if p := byName[name]; p.kind == kindID && p.in == inBody {
				want := strings.Trim(string(raw), `"`)
				if got := gjson.GetBytes(call.Body, p.wire).Raw; got != want {
					t.Fatalf("%s: %s is %s in the body, given was %s", row.Name, name, got, raw)
				}
			}
		}
	})
}

// FuzzAppendClean holds the scanner against encoding/json: the same value, but
// for ids as strings.
func FuzzAppendClean(f *testing.F) {
	for _, value := range cleanCases {
		f.Add(value.in)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !json.Valid([]byte(value)) || !utf8.ValidString(value) {
			return
		}
		out := appendClean([]byte("before"), "", value)
		out, ok := bytes.CutPrefix(out, []byte("before"))
		if !ok || !json.Valid(out) {
			t.Fatalf("%q becomes %q", value, out)
		}
		if !sameValue(decode(t, []byte(value)), decode(t, out), false) {
			t.Fatalf("%q becomes %q, another value", value, out)
		}
		if again := appendClean(nil, "", string(out)); !bytes.Equal(again, out) {
			t.Fatalf("%q is not clean: again it becomes %q", out, again)
		}
		if back := unquoteIDs(value); !json.Valid([]byte(back)) {
			t.Fatalf("%q turns back into %q", value, back)
		}
	})
}

func decode(t *testing.T, raw []byte) (value any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return value
}

// sameValue reports whether b is a, with numbers as strings where they are ids or
// too large for a double.
func sameValue(a, b any, id bool) bool {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for key, value := range a {
			if !sameValue(value, m[key], isIDKey(key)) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		if !ok || len(a) != len(l) {
			return false
		}
		for i := range a {
			if !sameValue(a[i], l[i], id) {
				return false
			}
		}
		return true
	case json.Number:
		integer := !strings.ContainsAny(a.String(), ".eE")
		if integer && (id || !exactInDouble(a.String())) {
			text, ok := b.(string)
			return ok && text == a.String()
		}
		return a == b
	}
	return a == b
}

// FuzzProject holds every row's projection against arbitrary answers.
func FuzzProject(f *testing.F) {
	f.Add(uint8(2), `{"jobs":[{"job_id":1,"settings":{"name":"a","x":[1]}}],"has_more":true}`, "settings.x")
	f.Add(uint8(8), `{"run_id":9007199254740993,"tasks":[null,5,{"status":[]}]}`, "tasks")
	f.Fuzz(func(t *testing.T, which uint8, answer, field string) {
		if !json.Valid([]byte(answer)) {
			return
		}
		rows := All()
		call := &Call{Row: rows[int(which)%len(rows)]}
		if field != "" {
			call.Fields = []string{field}
		}
		p := call.Projection()
		if out := p.Append(nil, answer); !json.Valid(out) {
			t.Fatalf("%s: %q becomes %q", call.Row.Name, answer, out)
		}
		if p.items != nil {
			if out := p.AppendItem(nil, gjson.Parse(answer)); !json.Valid(out) {
				t.Fatalf("%s: item %q becomes %q", call.Row.Name, answer, out)
			}
		}
	})
}

func FuzzParsePage(f *testing.F) {
	for _, token := range []string{"", "abc", "~3~abc", "~3~", "~0~a", "~-1~a", "~x", "~+2~a", "~02~a"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		page, ok := ParsePage(token)
		if !ok {
			return
		}
		if again, ok := ParsePage(page.String()); !ok || again != page {
			t.Fatalf("%q is %+v, whose own token %q is %+v", token, page, page.String(), again)
		}
	})
}
