package auth

import (
	"errors"
	"net/url"
	"strings"
	"testing"
)

func TestParseHost(t *testing.T) {
	const adb = "https://adb-1234567890123456.7.azuredatabricks.net"
	for _, tt := range []struct {
		in                      string
		url, workspace, account string
	}{
		{in: adb, url: adb},
		{in: adb + "/", url: adb},
		{in: "  " + adb + "\n", url: adb},
		{in: "adb-1234567890123456.7.azuredatabricks.net", url: adb},
		{in: "ADB-1234567890123456.7.AzureDatabricks.net.", url: adb},
		{in: "HTTPS://adb-1234567890123456.7.azuredatabricks.net:443", url: adb},
		{in: adb + "/?o=1234567890123456#job/42/run/1", url: adb, workspace: "1234567890123456"},
		{in: adb + "/browse/folders/2?o=9007199254740993", url: adb, workspace: "9007199254740993"},
		{in: adb + "?workspace_id=12&account_id=00000000-0000-0000-0000-000000000000", url: adb, workspace: "12", account: "00000000-0000-0000-0000-000000000000"},
		{in: adb + "?w=conn-1&o=7&a=acc", url: adb, workspace: "conn-1", account: "acc"},
		{in: adb + "?o=not-a-number", url: adb},
		{in: adb + "?w=a%0d%0aX-Evil:%201", url: adb},
		{in: "dbc-a1b2.cloud.databricks.com/?next=https://x.y/", url: "https://dbc-a1b2.cloud.databricks.com"},
		{in: "https://lakehouse.example.com:8443/login.html", url: "https://lakehouse.example.com:8443"},
		{in: "https://workspace:8443", url: "https://workspace:8443"},
		{in: "http://127.0.0.1:8080/", url: "http://127.0.0.1:8080"},
		{in: "http://localhost:80", url: "http://localhost"},
		{in: "localhost:8080", url: "http://localhost:8080"},
		{in: "http://[::1]:9999/x", url: "http://[::1]:9999"},
		{in: "https://10.0.0.1", url: "https://10.0.0.1"},
	} {
		got, err := ParseHost(tt.in)
		if err != nil {
			t.Errorf("ParseHost(%q): %v", tt.in, err)
			continue
		}
		if want := (Host{tt.url, tt.workspace, tt.account}); got != want {
			t.Errorf("ParseHost(%q) = %+v, want %+v", tt.in, got, want)
		}
	}
}

func TestParseHostRefuses(t *testing.T) {
	for _, tt := range []struct{ in, says string }{
		{"", "is empty"},
		{"http://adb-1.2.azuredatabricks.net", "plain http"},
		{"http://localhost.example.com", "plain http"},
		{"http://127.0.0.1.nip.io", "plain http"},
		{"ftp://adb-1.2.azuredatabricks.net", `"ftp://"`},
		{"htps://adb-1.2.azuredatabricks.net", `"htps://"`},
		{"https:/adb-1.2.azuredatabricks.net", `"https:/"`},
		{"https//adb-1.2.azuredatabricks.net", `"https//"`},
		{"https:adb-1.2.azuredatabricks.net", `"https:"`},
		{"https://", "no host name"},
		{"https://?o=1", "no host name"},
		{"my workspace", "contains spaces"},
		{"https://<workspace>.cloud.databricks.com", "contains spaces, quotation marks, placeholders"},
		{"https://dbc\u0430.cloud.databricks.com", "characters that no host name has"},
		{"https://token:dapi0123@dbc-a.cloud.databricks.com", "user name or password"},
		{"dapi0123456789abcdef0123456789abcdef", "access token"},
		{"https://adb-1.2.azuredatabricks.com", "azuredatabricks.net"},
		{"https://adb-1.2.azuredatabrick.net", "azuredatabricks.net"},
		{"https://dbc-a.cloud.databrikcs.com", "cloud.databricks.com"},
		{"https://www.databricks.com", "not a workspace"},
		{"workspace", "not a full host name"},
		{"workspace:443", "not a full host name"},
		{"https://dbc-a.cloud.databricks.com:0", "port"},
		{"https://dbc-a.cloud.databricks.com:99999", "port"},
		{"https://dbc-a.cloud.databricks.com:", "port"},
		{"https://-a.example.com", "not a valid host name"},
		{"https://a..example.com", "not a valid host name"},
		{"https://[fe80::1%25eth0]", "zone"},
		{"https://[::1", "cannot be read"},
	} {
		got, err := ParseHost(tt.in)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("ParseHost(%q) = %+v, %v; want an *Error", tt.in, got, err)
			continue
		}
		if !strings.Contains(e.Message, tt.says) || !strings.Contains(e.Advice, "looks like") {
			t.Errorf("ParseHost(%q): %v; want %q in it and an example", tt.in, e, tt.says)
		}
		if strings.Contains(e.Error(), "dapi0123") {
			t.Errorf("ParseHost(%q) quotes a secret: %v", tt.in, e)
		}
	}
}

func FuzzParseHost(f *testing.F) {
	for _, s := range []string{"https://a.b/?o=1", "localhost:1", "http://[::1]:9", "https//x.y", "a.b:443/x#y?w=1", "https://u:p@h.i", "%zz", "http://127.0.0.1:08"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		h, err := ParseHost(in)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || e.Advice == "" {
				t.Fatalf("ParseHost(%q): error without advice: %#v", in, err)
			}
			return
		}
		u, err := url.Parse(h.URL)
		if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
			t.Fatalf("ParseHost(%q) = %q: not a bare host (%v)", in, h.URL, err)
		}
		if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
			t.Fatalf("ParseHost(%q) = %q: would send a token in the clear", in, h.URL)
		}
		if again, err := ParseHost(h.URL); err != nil || again.URL != h.URL {
			t.Fatalf("ParseHost(%q) = %q, but parsed again: %q, %v", in, h.URL, again.URL, err)
		}
		for _, id := range []string{h.WorkspaceID, h.AccountID} {
			if id != "" && !idPattern().MatchString(id) {
				t.Fatalf("ParseHost(%q): id %q cannot be a header", in, id)
			}
		}
	})
}
