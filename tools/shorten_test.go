package tools

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func plainJSON(t testing.TB, s string) string {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// FuzzAppendText: the JSON of a text is that of encoding/json, and fitting never
// promises too little room.
func FuzzAppendText(f *testing.F) {
	for _, s := range []string{"", "plain", `"\`, "<a>&", "\x00\x1f\x7f\u2028\u2029", "ü€😀", "\xff\xc3", "\ufffd", "a\nb\tc\rd\be\ff"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, room int) {
		if got, want := string(appendText([]byte("x"), s)), "x"+plainJSON(t, s); got != want {
			t.Fatalf("%q: got %s, want %s", s, got, want)
		}
		n := fitting(s, room)
		if size := len(plainJSON(t, s[:n])) - len(`""`); size > max(room, 0) {
			t.Fatalf("%q: the first %d bytes take %d, more than %d", s, n, size, room)
		}
		if all := len(plainJSON(t, s)); room >= 6*len(s) && n < len(s) {
			t.Fatalf("%q: only %d bytes of %d in %d", s, n, all, room)
		}
	})
}

// FuzzShorten: whatever the value and the limit, the result is JSON of the same
// kind, within the limit, and unchanged or marked.
func FuzzShorten(f *testing.F) {
	long := `"` + strings.Repeat(`\u0001`, 4000) + `"`
	for _, s := range []string{
		`{}`, `[]`, `null`, `{"a":{"b":[1,2,{"c":"d"}]}}`, long, `{"a":` + long + `,"b":[` + strings.Repeat("1,", 5000) + `2]}`,
		`{` + long + `:` + long + `,"x":` + strings.Repeat("9", 5000) + `}`, strings.Repeat(`[`, 3000) + strings.Repeat(`]`, 3000),
		strings.Repeat(`{"a":`, 500) + `1` + strings.Repeat(`}`, 500), `{` + manyMembers(2000) + `"z":1}`, ` [ "` + strings.Repeat("ü€", 900) + `" ] `,
	} {
		for _, limit := range []int{0, 300, 1000, 20000} {
			f.Add(s, limit)
		}
	}
	f.Fuzz(func(t *testing.T, value string, limit int) {
		if !json.Valid([]byte(value)) || len(value) > 1<<20 {
			return
		}
		out := shorten([]byte(value), limit)
		if !json.Valid(out) || gjson.ParseBytes(out).IsObject() != gjson.Parse(value).IsObject() {
			t.Fatalf("%.300q became %.300q", value, out)
		}
		if len(value) <= limit {
			if string(out) != value {
				t.Fatalf("%.300q fits into %d and became %.300q", value, limit, out)
			}
			return
		}
		if len(out) > max(limit, 300) {
			t.Fatalf("%.300q at %d: %d bytes: %.400s", value, limit, len(out), out)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, []byte(value)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(compact.Bytes(), out) && !bytes.Contains(out, []byte("… ")) && !bytes.Contains(out, []byte(`"…"`)) {
			t.Fatalf("%.300q at %d lost something silently: %.300q", value, limit, out)
		}
	})
}

func TestShortenSaysHowMuch(t *testing.T) {
	for _, c := range []struct {
		value string
		limit int
		want  string
	}{
		{`{"id":"1","text":"` + strings.Repeat("a", 2000) + `"}`, 1100, `{"id":"1","text":"` + strings.Repeat("a", 1000) + `… 1000 more bytes"}`},
		{`["` + strings.Repeat("é", 1000) + `"]`, 1100, `["` + strings.Repeat("é", 500) + `… 1000 more bytes"]`},
		{`{"list":[` + strings.Repeat(`1,`, 999) + `1]}`, 700, `{"list":[` + strings.Repeat(`1,`, 300) + `"… 700 more"]}`},
		{`{"a":{"b":{"c":{"d":[` + strings.Repeat(`"x",`, 2000) + `"x"]}}}}`, 45, `{"a":{"b":{"c":"… 8011 bytes of JSON"}}}`},
	} {
		if got := string(shorten([]byte(c.value), c.limit)); got != c.want {
			t.Errorf("at %d: got %s, want %s", c.limit, got, c.want)
		}
	}
	// One long text costs the short ones beside it nothing.
	value := `{"name":"` + strings.Repeat("n", 900) + `","view":"` + strings.Repeat("v", 50000) + `"}`
	out := shorten([]byte(value), 30000)
	if got := gjson.GetBytes(out, "name").Str; len(got) != 900 || len(out) < 15000 {
		t.Errorf("%d bytes of name and %d in all are left", len(got), len(out))
	}
}

func TestObject(t *testing.T) {
	var o object
	if got := string(o.bytes()); got != "{}" {
		t.Errorf("an empty object is %s", got)
	}
	o.text("a", "<\"\n>")
	o.integer("b", -9223372036854775808)
	o.boolean("c", true)
	o.texts("d", nil)
	o.texts("e", []string{"x", "ü"})
	o.raw("f", `{"g":null}`)
	if got, want := string(o.bytes()), `{"a":"<\"\n>","b":-9223372036854775808,"c":true,"d":[],"e":["x","ü"],"f":{"g":null}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCutText(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{{"abc", 5, "abc"}, {"abc", 2, "ab"}, {"aü", 2, "a"}, {"ü", 1, ""}, {"a\xffbc", 3, "a\uFFFDb"}, {"", 0, ""}} {
		if got := cutText(c.s, c.n); got != c.want {
			t.Errorf("%q at %d: %q, want %q", c.s, c.n, got, c.want)
		}
	}
}
