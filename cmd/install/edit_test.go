package install

import (
	"strings"
	"testing"
)

var (
	plainEntry = Entry{Command: "/bin/brickmcp", Args: []string{"--sandbox"}}
	jsonc      = jsonForm{container: "mcpServers"}
)

// changed applies edits that must be possible.
func changed(t *testing.T, text string, edits []edit, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	after, _, _ := apply([]byte(text), edits)
	return string(after)
}

// TestLayouts puts the entry into files of many layouts and takes it out again.
func TestLayouts(t *testing.T) {
	const compact = `"brickmcp": {"command": "/bin/brickmcp", "args": ["--sandbox"]}`
	spread := func(indent string) string {
		return strings.ReplaceAll("\"brickmcp\": {\n  \"command\": \"/bin/brickmcp\",\n  \"args\": [\"--sandbox\"]\n}", "\n", "\n"+indent)
	}
	const table = "[mcp_servers.brickmcp]\ncommand = \"/bin/brickmcp\"\nargs = [\"--sandbox\"]\n"
	for _, c := range []struct {
		name          string
		form          form
		before, after string
		keep          bool   // the backup knows the container
		left          string // by the removal, where that is not before
	}{
		{name: "top object without members", form: jsonc, before: "{}\n", after: "{\n  \"mcpServers\": {\n    " + spread("    ") + "\n  }\n}\n"},
		{name: "container on one line", form: jsonc, before: "{\n  \"mcpServers\": {}\n}", keep: true, after: "{\n  \"mcpServers\": {\n    " + spread("    ") + "\n  }\n}"},
		{name: "container with space", form: jsonc, before: "{\n  \"mcpServers\": { }\n}", keep: true, after: "{\n  \"mcpServers\": {\n    " + spread("    ") + "\n  }\n}", left: "{\n  \"mcpServers\": {}\n}"},
		{name: "container on two lines", form: jsonc, before: "{\n  \"mcpServers\": {\n  }\n}", keep: true, after: "{\n  \"mcpServers\": {\n    " + spread("    ") + "\n  }\n}", left: "{\n  \"mcpServers\": {}\n}"},
		{name: "container with a comment", form: jsonc, before: "{\n  \"mcpServers\": {\n    // none yet\n  }\n}", after: "{\n  \"mcpServers\": {\n    // none yet\n    " + spread("    ") + "\n  }\n}"},
		{name: "container goes where install made it", form: jsonc, before: "{\n  \"a\": 1\n}", after: "{\n  \"a\": 1,\n  \"mcpServers\": {\n    " + spread("    ") + "\n  }\n}"},
		{name: "one line", form: jsonc, before: `{"a":1}`, after: `{"a":1, "mcpServers": {` + compact + `}}`},
		{name: "one line with a comment at the end", form: jsonc, before: `{"mcpServers":{"a":{} /* c */ }}`, after: `{"mcpServers":{"a":{}, ` + compact + ` /* c */ }}`},
		{name: "one line with a line comment", form: jsonc, before: "{\"a\":1// c\n}", after: "{\"a\":1, \"mcpServers\": {" + compact + "}// c\n}"},
		{name: "one line, nothing but a line comment", form: jsonc, before: "{\"mcpServers\":{// c\n}}", after: "{\"mcpServers\":{" + compact + "// c\n}}"},
		{name: "one line, trailing comma", form: jsonc, before: `{"mcpServers":{"a":{},}}`, after: `{"mcpServers":{"a":{}, ` + compact + `,}}`},
		{name: "line comment after the last value", form: jsonc, before: "{\n\t\"mcpServers\": {\n\t\t\"a\": {} // one\n\t}\n}", after: "{\n\t\"mcpServers\": {\n\t\t\"a\": {}, // one\n\t\t\"brickmcp\": {\n\t\t\t\"command\": \"/bin/brickmcp\",\n\t\t\t\"args\": [\"--sandbox\"]\n\t\t}\n\t}\n}"},
		{name: "brace on the last line", form: jsonc, before: "{\n  \"mcpServers\": {\n    \"a\": {} }}", after: "{\n  \"mcpServers\": {\n    \"a\": {},\n    " + spread("    ") + " }}"},
		{name: "block comment before the brace", form: jsonc, before: "{\n  \"mcpServers\": {\n    \"a\": {}\n  /* end */ }\n}", after: "{\n  \"mcpServers\": {\n    \"a\": {},\n  /* end */\n    " + spread("    ") + " }\n}"},
		{name: "several members to a line", form: jsonc, before: "{\n    \"mcpServers\": {\n        \"a\": {}, \"b\": {}\n    }\n}", after: "{\n    \"mcpServers\": {\n        \"a\": {}, \"b\": {},\n        \"brickmcp\": {\n            \"command\": \"/bin/brickmcp\",\n            \"args\": [\"--sandbox\"]\n        }\n    }\n}"},
		{name: "names with escapes", form: jsonc, before: "{\n  \"mcp\\u0053ervers\": {\n    \"a\": {}\n  }\n}", after: "{\n  \"mcp\\u0053ervers\": {\n    \"a\": {},\n    " + spread("    ") + "\n  }\n}"},
		{name: "TOML: no file", form: tomlForm{}, before: "", after: table},
		{name: "TOML: empty lines", form: tomlForm{}, before: "\n", after: "\n\n" + table},
		{name: "TOML: at the end", form: tomlForm{}, before: "a = 1\n", after: "a = 1\n\n" + table},
		{name: "TOML: after an empty line", form: tomlForm{}, before: "a = 1\n\n", after: "a = 1\n\n\n" + table},
		{name: "TOML: no line break at the end", form: tomlForm{}, before: "[a]\nb = 1", after: "[a]\nb = 1\n\n" + strings.TrimSuffix(table, "\n")},
		{name: "TOML: other servers with dots", form: tomlForm{}, before: "mcp_servers.a.command = 'a'\r\n", after: "mcp_servers.a.command = 'a'\r\n\r\n" + strings.ReplaceAll(table, "\n", "\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			edits, err := c.form.put([]byte(c.before), plainEntry)
			after := changed(t, c.before, edits, err)
			if after != c.after {
				t.Fatalf("after put:\n%s\nwant:\n%s", after, c.after)
			}
			edits, err = c.form.take([]byte(after), c.keep)
			want := c.before
			if c.left != "" {
				want = c.left
			}
			if left := changed(t, after, edits, err); left != want {
				t.Errorf("after take:\n%q\nwant:\n%q", left, want)
			}
		})
	}
}

// TestUpdates puts the entry where there is one. What people have added stays.
func TestUpdates(t *testing.T) {
	for _, c := range []struct {
		name          string
		form          form
		before, after string
	}{
		{"as it is", jsonc, `{"mcpServers":{"brickmcp":{"command":"/bin\/brickmcp","args":[ "--sand\u0062ox", /* all */ ],"env":{"A":"b"}}}}`, ""},
		{"another command", jsonc, `{"mcpServers":{"brickmcp":{"args":["--sandbox"],"command":"old","env":{"A":"b"}}}}`, `{"mcpServers":{"brickmcp":{"args":["--sandbox"],"command":"/bin/brickmcp","env":{"A":"b"}}}}`},
		{"both, args first", jsonc, `{"mcpServers":{"brickmcp":{"args":[1],"command":"old"}}}`, `{"mcpServers":{"brickmcp":{"args":["--sandbox"],"command":"/bin/brickmcp"}}}`},
		{"no args", jsonc, "{\n \"mcpServers\": {\n  \"brickmcp\": {\n   \"command\": \"old\",\n   \"disabled\": true // for now\n  }\n }\n}", "{\n \"mcpServers\": {\n  \"brickmcp\": {\n   \"command\": \"/bin/brickmcp\",\n   \"disabled\": true, // for now\n   \"args\": [\"--sandbox\"]\n  }\n }\n}"},
		{"args of another kind", jsonc, `{"mcpServers":{"brickmcp":{"command":"/bin/brickmcp","args":null}}}`, `{"mcpServers":{"brickmcp":{"command":"/bin/brickmcp","args":["--sandbox"]}}}`},
		{"TOML: as it is", tomlForm{}, "[mcp_servers.'brickmcp'] # ours\ncommand = '/bin/brickmcp'\nargs = [\n  '--sandbox', # all\n]\n", ""},
		{"TOML: another command", tomlForm{}, "[mcp_servers.brickmcp]\n# why\nargs = ['--sandbox']\ncommand=\"old\" # was\nstartup_timeout_sec = 20\n[mcp_servers.brickmcp.env]\nA = 'b'\n", "[mcp_servers.brickmcp]\n# why\nargs = ['--sandbox']\ncommand=\"/bin/brickmcp\" # was\nstartup_timeout_sec = 20\n[mcp_servers.brickmcp.env]\nA = 'b'\n"},
		{"TOML: both, args first", tomlForm{}, "[mcp_servers.brickmcp]\nargs = [1]\ncommand = 'old'\n", "[mcp_servers.brickmcp]\nargs = [\"--sandbox\"]\ncommand = \"/bin/brickmcp\"\n"},
		{"TOML: no args", tomlForm{}, "[mcp_servers.brickmcp]\n  command = '''old''' # c\n", "[mcp_servers.brickmcp]\n  args = [\"--sandbox\"]\n  command = \"/bin/brickmcp\" # c\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			edits, err := c.form.put([]byte(c.before), plainEntry)
			if after := changed(t, c.before, edits, err); after != c.after && (c.after != "" || len(edits) > 0) {
				t.Errorf("after put:\n%s\nwant:\n%s", after, c.after)
			}
		})
	}
}

// TestRemovals takes out entries that people have moved and added to.
func TestRemovals(t *testing.T) {
	for _, c := range []struct {
		name          string
		form          form
		before, after string
	}{
		{"first", jsonc, `{"mcpServers":{ "brickmcp":{"command":"x"}, "b":{} }}`, `{"mcpServers":{ "b":{} }}`},
		{"between", jsonc, "{\"mcpServers\":{\n \"a\":{}, // one\n \"brickmcp\":{\"command\":\"x\"},\n \"b\":{}\n}}", "{\"mcpServers\":{\n \"a\":{}, // one\n \"b\":{}\n}}"},
		{"another one on its line", jsonc, "{\"mcpServers\":{\n \"a\":{}, // one\n \"brickmcp\":{\"command\":\"x\"}, \"b\":{}\n}}", "{\"mcpServers\":{\n \"a\":{}, // one\n  \"b\":{}\n}}"},
		{"comments around", jsonc, "{\"mcpServers\":{\"a\":{},\n // before\n \"brickmcp\":{\"command\":\"x\"} /* after */, // behind\n \"b\":{}\n}}", "{\"mcpServers\":{\"a\":{},\n // before\n  /* after */ // behind\n \"b\":{}\n}}"},
		{"alone under a comment", jsonc, "{\"mcpServers\":{\n // before\n \"brickmcp\":{\"command\":\"x\"}\n}}", "{\"mcpServers\":{\n // before\n}}"},
		{"not there", jsonc, `{"mcpServers":{"a":{}}}`, `{"mcpServers":{"a":{}}}`},
		{"no servers", jsonc, `{}`, `{}`},
		{"TOML: between, with tables below", tomlForm{}, "# a\n[mcp_servers.brickmcp]\ncommand = 'x'\nenv_vars = [\n 'A',\n]\n# of b\n\n[b]\nc = 1\n\n[mcp_servers.brickmcp.env] # of ours\nA = 'b'\n", "# a\n# of b\n\n[b]\nc = 1\n"},
		{"TOML: the end without a line break", tomlForm{}, "[mcp_servers.brickmcp]\ncommand = 'x'\n[mcp_servers.brickmcp.env]\nA = 'b'", ""},
		{"TOML: a table without values", tomlForm{}, "[mcp_servers.brickmcp]\ncommand = 'x'\n[mcp_servers.brickmcp.env]\n[b]\n", "[b]\n"},
		{"TOML: not there", tomlForm{}, "[mcp_servers.a]\ncommand = 'x'\n", "[mcp_servers.a]\ncommand = 'x'\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			edits, err := c.form.take([]byte(c.before), false)
			if after := changed(t, c.before, edits, err); after != c.after {
				t.Errorf("after take:\n%q\nwant:\n%q", after, c.after)
			}
		})
	}
}

// TestHide: whatever is written as a value or a comment may be a secret.
func TestHide(t *testing.T) {
	for _, c := range []struct {
		toml       bool
		text, want string
	}{
		{false, `{"key" : "hush\"", "list": ["hush", 1, true, null]} // hush`, `{"key" : "…", "list": ["…", 1, true, null]} // …`},
		{false, "/* hush\nhush */{} // hush\r\n", "/* … */\n{} // …\r\n"},
		{false, `{"a": "hush`, `{"a": "…"`},
		{true, "a = 'hush' # hush\n\"b\".c = \"hu\\\"sh\"\nd = \"\"\"hush\n\\\"\"\"hush\"\"\"\ne = '''hush'hush\nhush'''\nf = [\"hush\", 'hush', 1979-05-27]\n", "a = \"…\" # …\n\"b\".c = \"…\"\nd = \"\"\"…\"\"\"\n\ne = '''…'''\n\nf = [\"…\", \"…\", 1979-05-27]\n"},
	} {
		if got := hide([]byte(c.text), nil, c.toml); got != c.want {
			t.Errorf("%s\nis shown as\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

func TestDiffOfAHugeLine(t *testing.T) {
	text := `{"projects": [` + strings.Repeat(`"hush", `, 10000) + `1]}`
	edits, err := jsonc.put([]byte(text), plainEntry)
	if err != nil {
		t.Fatal(err)
	}
	after, removed, added := apply([]byte(text), edits)
	d := unified("a", "b", jsonc.hide([]byte(text), removed), jsonc.hide(after, added))
	if len(d) > 1000 || strings.Contains(d, "hush") || !strings.Contains(d, `"mcpServers": {"brickmcp": {"command": "/bin/brickmcp"`) {
		t.Errorf("%d bytes: %.1200s", len(d), d)
	}
}
