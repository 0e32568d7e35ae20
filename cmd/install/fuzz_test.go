package install

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/tailscale/hujson"
)

// kept fails unless the edits change nothing of a text but white space, commas and
// what may reports as ours.
func kept(t *testing.T, text []byte, edits []edit, ours func(string) bool) {
	t.Helper()
	last := 0
	for _, e := range edits {
		if e.start < last || e.end < e.start || e.end > len(text) {
			t.Fatalf("the edits %v overlap, or leave the text of %d bytes", edits, len(text))
		}
		last = e.end
		if gone := string(text[e.start:e.end]); strings.Trim(gone, " \t\r\n,") != "" && !ours(gone) {
			t.Fatalf("%q of %q is lost", gone, text)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, text := range files {
		f.Add([]byte(text))
	}
	f.Add([]byte("{ // c\n}"))
	f.Add([]byte("{\"mcpServers\":{\n\"a\":{} // c\n,\"brickmcp\":{\"command\":\"x\"} /* d */ , // e\n}}"))
	f.Add([]byte("{\"mcpServers\":{\"brickmcp\":{\"args\":[],\"command\":\"x\" // c\r\n}}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		edits, err := jsonc.put(text, plainEntry)
		if err != nil {
			return
		}
		if blank(text) {
			text = []byte("{}")
			if edits, err = jsonc.put(text, plainEntry); err != nil {
				t.Fatal(err)
			}
		}
		before := value(t, text)
		_, held := before["mcpServers"]
		had := entryOf(before) != nil
		kept(t, text, edits, func(string) bool { return had }) // its command and args
		after, _, _ := apply(text, edits)
		now := value(t, after)
		want, _ := entryOf(now).(map[string]any)
		if want["command"] != plainEntry.Command || !reflect.DeepEqual(want["args"], []any{"--sandbox"}) {
			t.Fatalf("%q becomes %q", text, after)
		}
		if again, err := jsonc.put(after, plainEntry); err != nil || len(again) > 0 {
			t.Fatalf("%q is changed again: %v %v", after, again, err)
		}
		drop(before)
		drop(now)
		if !reflect.DeepEqual(before, now) {
			t.Fatalf("%q becomes %q: something else is changed", text, after)
		}
		for _, keep := range []bool{true, false} {
			edits, err := jsonc.take(after, keep)
			if err != nil || len(edits) == 0 {
				t.Fatalf("%q: %v", after, err)
			}
			kept(t, after, edits, func(gone string) bool { return strings.Contains(gone, `/bin/brickmcp`) })
			left, _, _ := apply(after, edits)
			rest := value(t, left)
			drop(rest)
			if !reflect.DeepEqual(before, rest) {
				t.Fatalf("%q becomes %q: something else is taken out", after, left)
			}
			if !had && keep == held && !sameButSpace(left, text) {
				t.Fatalf("%q becomes %q, then %q", text, after, left)
			}
		}
	})
}

// sameButSpace compares without the white space that an empty object may lose.
func sameButSpace(a, b []byte) bool {
	strip := func(text []byte) string {
		return strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(string(text))
	}
	return strip(a) == strip(b)
}

func value(t *testing.T, text []byte) map[string]any {
	t.Helper()
	standard, err := hujson.Standardize(bytes.Clone(text))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var v map[string]any
	if err := json.Unmarshal(standard, &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

func entryOf(v map[string]any) any {
	servers, _ := v["mcpServers"].(map[string]any)
	return servers["brickmcp"]
}

// drop takes out what install writes, and the container when nothing is left in it.
func drop(v map[string]any) {
	servers, _ := v["mcpServers"].(map[string]any)
	delete(servers, "brickmcp")
	if len(servers) == 0 {
		delete(v, "mcpServers")
	}
}

func FuzzTOML(f *testing.F) {
	f.Add([]byte(files["codex"]))
	f.Add([]byte("[mcp_servers.brickmcp]\nargs = [ ]\n'command' = \"\"\"x\"\"\" # c\n[mcp_servers.brickmcp.env]\r\nA = 'b'"))
	f.Add([]byte("mcp_servers.brickmcp.command = 'x'\n"))
	f.Add([]byte("[mcp_servers]\na = {command = 'x'}\n[[other]]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var before map[string]any
		if toml.Unmarshal(text, &before) != nil {
			return // such as a key that is there twice; Codex does not start with it
		}
		edits, err := tomlForm{}.put(text, plainEntry)
		if err != nil {
			return
		}
		servers, _ := before["mcp_servers"].(map[string]any)
		_, had := servers["brickmcp"]
		kept(t, text, edits, func(string) bool { return had })
		after, _, _ := apply(text, edits)
		var now map[string]any
		if err := toml.Unmarshal(after, &now); err != nil {
			t.Fatalf("%q becomes %q: %v", text, after, err)
		}
		servers, _ = now["mcp_servers"].(map[string]any)
		entry, _ := servers["brickmcp"].(map[string]any)
		if entry["command"] != plainEntry.Command || !reflect.DeepEqual(entry["args"], []any{"--sandbox"}) {
			t.Fatalf("%q becomes %q", text, after)
		}
		if again, err := (tomlForm{}).put(after, plainEntry); err != nil || len(again) > 0 {
			t.Fatalf("%q is changed again: %v %v", after, again, err)
		}
		edits, err = tomlForm{}.take(after, false)
		if err != nil || len(edits) == 0 {
			t.Fatalf("%q: %v", after, err)
		}
		left, _, _ := apply(after, edits)
		if !had && !bytes.Equal(left, text) {
			t.Fatalf("%q becomes %q, then %q", text, after, left)
		}
		var rest map[string]any
		if err := toml.Unmarshal(left, &rest); err != nil {
			t.Fatalf("%q becomes %q: %v", after, left, err)
		}
		for _, v := range []map[string]any{before, now, rest} {
			servers, _ := v["mcp_servers"].(map[string]any)
			delete(servers, "brickmcp")
			if len(servers) == 0 {
				delete(v, "mcp_servers")
			}
		}
		if !reflect.DeepEqual(before, now) || !reflect.DeepEqual(before, rest) {
			t.Fatalf("%q becomes %q, then %q: something else is changed", text, after, left)
		}
	})
}

// FuzzHide: a secret in a value or a comment is in no diff.
func FuzzHide(f *testing.F) {
	for _, text := range files {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, form := range []form{jsonc, tomlForm{}} {
			edits, err := form.put(text, plainEntry)
			if err != nil {
				continue
			}
			after, removed, added := apply(text, edits)
			a, b := form.hide(text, removed), form.hide(after, added)
			if strings.Count(a, "\n") != bytes.Count(text, []byte("\n")) && !blank(text) {
				t.Fatalf("%q has other lines: %q", text, a)
			}
			if json, ok := form.(jsonForm); ok && !blank(text) {
				for _, secret := range values(t, json, text) {
					if strings.Contains(a, secret) || strings.Contains(b, secret) {
						t.Fatalf("%q of %q is shown: %q", secret, text, b)
					}
				}
			}
		}
	})
}

// values are the strings in a file that are long enough to be found, and are no name
// there.
func values(t *testing.T, f jsonForm, text []byte) []string {
	d, err := f.read(text)
	if err != nil {
		t.Fatal(err)
	}
	if d.entry != nil {
		return nil // the old command and args are shown
	}
	names := map[string]int{}
	var all []string
	for v := range d.root.All() {
		if lit, ok := v.Value.(hujson.Literal); ok && lit.Kind() == '"' && len(lit) > 12 {
			all = append(all, string(lit))
		}
		if obj, ok := v.Value.(*hujson.Object); ok {
			for _, m := range obj.Members {
				names[string(m.Name.Value.(hujson.Literal))]++
			}
		}
	}
	var secrets []string
	for _, lit := range all {
		if names[lit] == 0 {
			secrets = append(secrets, lit[1:len(lit)-1])
		}
	}
	for _, s := range secrets {
		for name := range names {
			if strings.Contains(name, s) {
				return nil // a part of a name, which is shown
			}
		}
	}
	return secrets
}
