package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMalformedConfigFile(t *testing.T) {
	const secret = "dapi0123456789abcdef"
	long := "# " + strings.Repeat("x", 10_000) + "\n" // longer than the parser's buffer: still one line
	for _, tt := range []struct{ name, text, says string }{
		{"token on its own line", "[DEFAULT]\nhost = https://a.example.com\n\n" + secret + "\n[x]\ny = z\n", "line 4 has no"},
		{"after a long line", long + "[DEFAULT]\n" + secret, "line 3 has no"},
		{"unclosed section", "# c\n[DEFAULT\nhost = x\n", "line 2 opens a section"},
		{"unnamed section", "[DEFAULT]\n[]\n", "line 2 has a section without a name"},
		{"no key", "[DEFAULT]\nhost = x\n= " + secret + "\n", "line 3 has no key"},
		{"open quote", "[DEFAULT]\nhost = x\ntoken = `" + secret + "\nmore\n", "is not closed"},
		{"windows lines", "[DEFAULT]\r\nhost = x\r\n" + secret + "\r\n", "line 3 has no"},
		{"utf-16", "\xff\xfe[\x00D\x00", "UTF-16"},
		{"binary", "[DEFAULT]\nhost = x\n\x00\x01", "line 3 has a zero byte"},
		{"too large", strings.Repeat("#\n", maxConfigFile/2+1), "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := writeConfig(t, tt.text)
			_, err := Resolve(Options{ConfigFile: path})
			e := wantError(t, err, tt.says, path)
			if strings.Contains(e.Error(), secret) {
				t.Errorf("the error quotes the file: %v", e)
			}
		})
	}
}

func TestUnreadableConfigFile(t *testing.T) {
	dir := t.TempDir()
	_, err := Resolve(Options{ConfigFile: dir})
	wantError(t, err, "cannot be read", dir)

	missing := filepath.Join(dir, "nowhere")
	_, err = Resolve(Options{Getenv: env{"DATABRICKS_CONFIG_FILE": missing}.get})
	wantError(t, err, "There is no Databricks configuration file", "DATABRICKS_CONFIG_FILE in the environment")
}

func TestConfigFileMeansWhatItMeansToTheSDK(t *testing.T) {
	path := writeConfig(t, "\ufeff[__settings__]\nauth_storage = secure\n"+
		"[DEFAULT]\nhost = https://default.example.com\ntoken = inherited?\n"+
		"[a]\nclient_id = from-parent\n"+
		"; comment\n[a.b] # comment\nhost: https://a.example.com/?o=5\nTOKEN = not this\ntoken = p#ss%(host)s;x # comment\n")
	id := resolve(t, Options{ConfigFile: path, Profile: "a.b"})
	if got := token(t, id); got != "p#ss%(host)s;x" {
		t.Errorf("token = %q: only \" #\" begins a comment, and nothing is expanded", got)
	}
	if id.Host != "https://a.example.com" || id.WorkspaceID != "5" || id.ClientID != "" {
		t.Errorf("%+v: want no attribute of a parent section or of DEFAULT", id)
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add("[DEFAULT]\nhost = https://a.example.com\ntoken = x\n")
	f.Add("[__settings__]\ndefault_profile = w\n[w]\nhost=h\n")
	f.Add("a = `b\nc` # d\\\n[x")
	f.Add("[x]\na = %(a)s\\\n\"b\"=c")
	f.Fuzz(func(t *testing.T, text string) {
		const marker = "dapiSECRET0SECRET0SECRET0"
		file, err := parseConfig([]byte(text + "\n" + marker))
		if err == nil { // the marker ended up inside a quoted value, a comment or a continued line
			c := configFile{path: "f", file: file}
			for _, p := range append(c.profiles(), settingsSection) {
				c.profile(p)
			}
			if _, err := c.choose("", Source{}); err != nil && err.Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		if strings.Contains(err.Error(), marker) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("the error quotes the file: %v", err)
		}
	})
}

// A server's cold start is 7 ms: resolving must not be a visible part of it.
func BenchmarkResolve(b *testing.B) {
	text := "[DEFAULT]\nhost = https://default.example.com\ntoken = x\n"
	for _, n := range strings.Fields("a b c d e f g h i j k l m n o p q r s t") {
		text += "[" + n + "]\nhost = https://" + n + ".example.com\nauth_type = pat\ntoken = dapi\n\n"
	}
	path := filepath.Join(b.TempDir(), "cfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Resolve(Options{ConfigFile: path, Profile: "t"}); err != nil {
			b.Fatal(err)
		}
	}
}
