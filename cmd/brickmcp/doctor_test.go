package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"brickmcp/auth"
	"brickmcp/tools/audit"
	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// patient is a doctor on a workspace of the test's own, with a clock, a
// resolver and an environment of its own.
type patient struct {
	*doctor
	environment map[string]string
}

func newPatient(t *testing.T, host string) *patient {
	t.Helper()
	dir := t.TempDir()
	p := &patient{environment: map[string]string{
		"HOME": dir, "USERPROFILE": dir, "DATABRICKS_TOKEN": sandbox.Token, "DATABRICKS_AUTH_STORAGE": "plaintext",
	}}
	getenv := func(name string) string { return p.environment[name] }
	p.doctor = newDoctor(auth.Options{Host: host, Getenv: getenv, StateDir: filepath.Join(dir, "state")}, getenv)
	p.system = "linux"
	p.auditPath = filepath.Join(dir, "audit.jsonl")
	p.secret = secretFile{path: filepath.Join(dir, "state", "http", "secret"), command: "brickmcp secret --new"}
	p.proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	return p
}

func (p *patient) examined(t *testing.T) map[string]finding {
	t.Helper()
	found := map[string]finding{}
	for _, f := range p.examine(t.Context()) {
		found[f.Check] = f
		if f.Message == "" || (f.Status == statusOK) != (f.Fix == "") {
			t.Errorf("%+v: want a message, and a way to mend what is not ok", f)
		}
		if token := p.environment["DATABRICKS_TOKEN"]; token != "" && strings.Contains(f.Message+f.Fix, token) {
			t.Errorf("%s holds the token", f.Check)
		}
	}
	return found
}

// sick are answers of a workspace that something is wrong with.
func sick(t *testing.T, answers map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	box, err := sandbox.New(sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w, r)
			return
		}
		box.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

const (
	mePath         = "/api/2.0/preview/scim/v2/Me"
	warehousesPath = "/api/2.0/sql/warehouses"
	configPath     = "/.well-known/databricks-config"
	metadataPath   = "/oidc/.well-known/oauth-authorization-server"
)

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Each disease, where it is found, and what is said about it.
func TestDoctorFindings(t *testing.T) {
	healthy := sick(t, nil)
	const far = "https://dbc-1.cloud.databricks.com"
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	_, busyPort, _ := net.SplitHostPort(busy.Addr().String())

	strange := httptest.NewUnstartedServer(http.NotFoundHandler())
	strange.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes that fail are meant to
	strange.StartTLS()
	t.Cleanup(strange.Close)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	for _, tt := range []struct {
		name    string
		host    string                      // healthy if neither this nor answers
		answers map[string]http.HandlerFunc // of a sick workspace
		ail     func(*patient)
		check   string
		status  string
		says    []string // in message or fix
		skips   []string // checks that are not made because of it
	}{
		{name: "no credentials", ail: func(p *patient) { delete(p.environment, "DATABRICKS_TOKEN"); p.options.Host = "" }, host: "none",
			check: "configuration", status: statusFailure, says: []string{"no Databricks credentials", "brickmcp login"}, skips: []string{"host", "dns", "tls", "clock", "discovery", "token", "user", "workspace", "warehouse"}},
		{name: "two methods", ail: func(p *patient) {
			p.environment["DATABRICKS_CLIENT_ID"], p.environment["DATABRICKS_CLIENT_SECRET"] = sandbox.ClientID, sandbox.ClientSecret
		}, check: "configuration", status: statusFailure, says: []string{"pat", "oauth-m2m", "auth_type"}, skips: []string{"token", "user"}},
		{name: "half a method besides", ail: func(p *patient) { p.environment["DATABRICKS_CLIENT_ID"] = sandbox.ClientID },
			check: "configuration", status: statusWarning, says: []string{"half configured", "DATABRICKS_TOKEN in the environment"}},
		{name: "plain http", host: "http://dbc-1.cloud.databricks.com", check: "host", status: statusFailure, says: []string{"plain http", "https://"}, skips: []string{"dns", "tls", "token"}},
		{name: "a page as host", ail: func(p *patient) { p.options.Host += "/jobs/1?o=" + sandbox.ID + "#x" }, check: "workspace", status: statusOK, says: []string{sandbox.ID}},

		{name: "proxy that is none", host: far, ail: func(p *patient) {
			p.proxy = func(*http.Request) (*url.URL, error) {
				return nil, errors.New(`invalid proxy address "http://me:hunter2@"`)
			}
		}, check: "proxy", status: statusFailure, says: []string{"HTTPS_PROXY", "http://proxy.example.com:3128"}, skips: []string{"dns", "tls"}},
		{name: "proxy of the wrong kind", host: far, ail: func(p *patient) { p.environment["HTTP_PROXY"] = "http://proxy:1" },
			check: "proxy", status: statusWarning, says: []string{"Only HTTP_PROXY", "set HTTPS_PROXY"}},
		{name: "proxy of another program", host: far, ail: func(p *patient) { p.environment["all_proxy"] = "socks5://proxy:1" },
			check: "proxy", status: statusWarning, says: []string{"ALL_PROXY", "HTTPS_PROXY"}},
		{name: "proxy not for this host", ail: func(p *patient) { p.environment["https_proxy"] = "http://proxy:1" },
			check: "proxy", status: statusOK, says: []string{"NO_PROXY"}},
		{name: "proxy that is not there", host: far, ail: func(p *patient) {
			p.proxy = func(*http.Request) (*url.URL, error) { return url.Parse("http://me:hunter2@127.0.0.1:1") }
		}, check: "tls", status: statusFailure, says: []string{"through the proxy http://127.0.0.1:1", "HTTPS_PROXY"}, skips: []string{"clock", "token"}},
		{name: "proxy with a door", host: far, ail: func(p *patient) {
			gate := httptest.NewServer(answer(http.StatusProxyAuthRequired, ""))
			t.Cleanup(gate.Close)
			p.proxy = func(*http.Request) (*url.URL, error) { return url.Parse(gate.URL) }
		}, check: "tls", status: statusFailure, says: []string{"wants a sign-in of its own", "HTTPS_PROXY"}},

		{name: "no such name", host: far, ail: func(p *patient) { p.resolve = noSuchName }, check: "dns", status: statusFailure, says: []string{"does not exist (DNS)", "spelling"}, skips: []string{"tls", "clock", "discovery", "token", "user"}},
		{name: "no resolver", host: far, ail: func(p *patient) {
			p.resolve = func(context.Context, string) ([]string, error) { return nil, errors.New("no route") }
		}, check: "dns", status: statusFailure, says: []string{"could not be looked up", "network"}, skips: []string{"tls"}},

		{name: "unknown authority", host: strange.URL, check: "tls", status: statusFailure, says: []string{"authority", "SSL_CERT_FILE"}, skips: []string{"clock", "discovery", "token"}},
		{name: "unknown authority elsewhere", host: strange.URL, ail: func(p *patient) { p.system = "darwin" }, check: "tls", status: statusFailure, says: []string{"authority", "certificate store of the system"}},
		{name: "no certificate file", host: strange.URL, ail: func(p *patient) { p.environment["SSL_CERT_FILE"] = filepath.Join(dir, "none") }, check: "tls", status: statusFailure, says: []string{"cannot be read", "SSL_CERT_FILE"}},
		{name: "empty certificate file", host: strange.URL, ail: func(p *patient) { p.environment["SSL_CERT_FILE"] = file("empty.pem", "nothing") }, check: "tls", status: statusFailure, says: []string{"holds no certificate", "PEM"}},
		{name: "no TLS", host: strings.Replace(healthy.URL, "http:", "https:", 1), check: "tls", status: statusFailure, says: []string{"TLS"}},
		{name: "nobody answers", host: "http://127.0.0.1:1", check: "tls", status: statusFailure, says: []string{"refuses connections"}, skips: []string{"clock", "user"}},

		{name: "clock a little off", ail: func(p *patient) { p.now = shifted(2 * time.Minute) }, check: "clock", status: statusWarning, says: []string{"ahead of", "NTP"}},
		{name: "clock two hours off", ail: func(p *patient) { p.now = shifted(-2 * time.Hour) }, check: "clock", status: statusFailure, says: []string{"behind", "NTP", "not yet valid"}},
		{name: "no time told", answers: map[string]http.HandlerFunc{configPath: func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil }},
			check: "clock", status: statusWarning, says: []string{"does not tell the time"}},

		{name: "no OAuth", answers: map[string]http.HandlerFunc{configPath: answer(404, ""), metadataPath: answer(404, "")},
			check: "discovery", status: statusWarning, says: []string{"does not offer OAuth", "does not need it"}},
		{name: "no OAuth for people", answers: map[string]http.HandlerFunc{configPath: answer(404, ""), metadataPath: answer(404, "")}, ail: func(p *patient) { delete(p.environment, "DATABRICKS_TOKEN") },
			check: "discovery", status: statusFailure, says: []string{"does not offer OAuth"}},

		{name: "nobody signed in", ail: func(p *patient) { delete(p.environment, "DATABRICKS_TOKEN") }, check: "token", status: statusFailure, says: []string{"Nobody is signed in", "brickmcp login --host"}, skips: []string{"user", "workspace", "warehouse"}},
		{name: "wrong client secret", ail: func(p *patient) {
			delete(p.environment, "DATABRICKS_TOKEN")
			p.environment["DATABRICKS_CLIENT_ID"], p.environment["DATABRICKS_CLIENT_SECRET"] = sandbox.ClientID, "dose-wrong"
		}, check: "token", status: statusFailure, says: []string{"did not accept client id and secret"}, skips: []string{"user"}},
		{name: "narrow scopes", ail: narrow(dir), check: "token", status: statusWarning, says: []string{"sql", "--oauth-scopes"}},

		{name: "dead token", ail: func(p *patient) { p.environment["DATABRICKS_TOKEN"] = "dapi0000dead" }, check: "user", status: statusFailure, says: []string{"token"}, skips: []string{"workspace", "warehouse"}},
		{name: "blocked address", answers: map[string]http.HandlerFunc{mePath: answer(403, `{"error_code":"PERMISSION_DENIED","message":"Source IP address: 1.2.3.4 is blocked by Databricks IP ACL for workspace: 1"}`)},
			check: "user", status: statusFailure, says: []string{"IP access list"}},
		{name: "a web site", answers: map[string]http.HandlerFunc{mePath: answer(200, `{}`)}, check: "user", status: statusFailure, says: []string{"does not say who", "proxy"}},

		{name: "two workspaces", ail: func(p *patient) { p.environment["DATABRICKS_WORKSPACE_ID"] = "12" }, check: "workspace", status: statusFailure, says: []string{sandbox.ID, "12", "DATABRICKS_WORKSPACE_ID"}},
		{name: "an account", answers: map[string]http.HandlerFunc{mePath: answer(200, `{"userName":"ana@example.com"}`)}, check: "workspace", status: statusWarning, says: []string{"account"}},

		{name: "no scope for SQL", answers: map[string]http.HandlerFunc{warehousesPath: answer(403, `{"error_code":"PERMISSION_DENIED","message":"Provided OAuth token does not have required scopes: sql"}`)},
			check: "warehouse", status: statusFailure, says: []string{"scope sql", "sign in again"}},
		{name: "no warehouse", answers: map[string]http.HandlerFunc{warehousesPath: answer(200, `{"warehouses":[]}`)}, check: "warehouse", status: statusWarning, says: []string{"no SQL warehouse", "CAN_USE"}},

		{name: "busy port", ail: func(p *patient) {
			delete(p.environment, "DATABRICKS_TOKEN")
			p.environment["DATABRICKS_OAUTH_CALLBACK_PORT"] = busyPort
		}, check: "login_ports", status: statusFailure, says: []string{busyPort, "oauth_callback_port"}},
		{name: "busy port that does not matter", ail: func(p *patient) { p.environment["DATABRICKS_OAUTH_CALLBACK_PORT"] = busyPort }, check: "login_ports", status: statusWarning, says: []string{busyPort, "does not need it"}},

		{name: "state that cannot be kept", ail: func(p *patient) { p.options.StateDir = filepath.Join(file("occupied", ""), "brickmcp") }, check: "state_directory", status: statusFailure, says: []string{"cannot be stored", "XDG_STATE_HOME"}, skips: []string{"token_store"}},
		{name: "no home", ail: func(p *patient) { p.options.StateDir = "" }, check: "state_directory", status: statusFailure, says: []string{"XDG_STATE_HOME"}},
		{name: "a wrong policy", ail: func(p *patient) { p.policyFile = file("team.yaml", "defualt: read\ntools: {jobs_delet: deny}\n") },
			check: "policy", status: statusFailure, says: []string{"Nothing is allowed", "team.yaml:1: defualt is unknown (did you mean default?)", "team.yaml:2", "read again"}},
		{name: "no policy where one was named", ail: func(p *patient) { p.policyFile = filepath.Join(dir, "gone.yaml") },
			check: "policy", status: statusFailure, says: []string{filepath.Join(dir, "gone.yaml"), "cannot be read"}},
		{name: "a policy that only looks on", ail: func(p *patient) { p.policyFile = file("shadow.yaml", "mode: shadow\ndefault: off\n") },
			check: "policy", status: statusWarning, says: []string{"shadow.yaml is in shadow mode", "mode: enforce"}},
		{name: "a policy", ail: func(p *patient) { p.policyFile = file("users.yaml", "sections: [{user: a, default: off}]\n") },
			check: "policy", status: statusOK, says: []string{"users.yaml is in force", "goes by the user"}},

		{name: "no audit", ail: func(p *patient) { p.auditPath = "" }, check: "audit", status: statusWarning, says: []string{"Nothing that agents do is written down", "--audit-file"}},
		{name: "a directory for the audit file", ail: func(p *patient) { p.auditPath = dir }, check: "audit", status: statusFailure, says: []string{"Writes are refused", "it is a directory", "--audit-file"}},
		{name: "an audit log that was cut", ail: func(p *patient) {
			l := audit.New(audit.Config{Path: p.auditPath})
			err := errors.Join(l.Write(&audit.Line{Event: "call"}), l.Close(), os.Truncate(p.auditPath, 0))
			if err != nil {
				t.Fatal(err)
			}
		}, check: "audit", status: statusFailure, says: []string{"emptied or removed", "brickmcp audit verify"}},

		{name: "no keyring", ail: func(p *patient) { delete(p.environment, "DATABRICKS_AUTH_STORAGE"); p.options.Keyring = auth.NoKeyring }, check: "token_store", status: statusWarning, says: []string{"No keyring", "DATABRICKS_AUTH_STORAGE=plaintext"}},
		{name: "damaged sign-in", ail: func(p *patient) {
			signins := filepath.Join(p.options.StateDir, "signin")
			if err := errors.Join(os.MkdirAll(signins, 0o700), os.WriteFile(filepath.Join(signins, "host-0.json"), []byte("{"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}, check: "token_store", status: statusWarning, says: []string{"Damaged", "host-0.json"}},
		{name: "secret out of shape", ail: func(p *patient) {
			if err := errors.Join(os.MkdirAll(filepath.Dir(p.secret.path), 0o700), os.WriteFile(p.secret.path, []byte("no secret"), 0o600)); err != nil {
				t.Fatal(err)
			}
		}, check: "http_secret", status: statusWarning, says: []string{"does not hold a secret", "brickmcp secret --new"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := tt.host
			switch {
			case tt.answers != nil:
				host = sick(t, tt.answers).URL
			case host == "":
				host = healthy.URL
			}
			p := newPatient(t, host)
			if tt.ail != nil {
				tt.ail(p)
			}
			p.credential = auth.NewCredential(p.options) // as ailing as the rest
			if p.hostIsFar() && tt.check != "dns" {
				p.resolve = func(context.Context, string) ([]string, error) {
					return nil, &net.DNSError{Err: "not in tests", IsTimeout: true}
				}
			}
			found := p.examined(t)
			f := found[tt.check]
			if f.Status != tt.status {
				t.Errorf("%s is %s, want %s: %s", tt.check, f.Status, tt.status, f.Message)
			}
			mustContain(t, tt.check, f.Message+"\n"+f.Fix, tt.says...)
			for _, name := range tt.skips {
				if found[name].because == "" {
					t.Errorf("%s was made: %+v", name, found[name])
				}
			}
			if text := fmt.Sprint(found); strings.Contains(text, "hunter2") || strings.Contains(text, "dose-") {
				t.Errorf("a password is in %s", text)
			}
		})
	}
}

// hostIsFar: a test must not go there.
func (p *patient) hostIsFar() bool { return strings.Contains(p.options.Host, "databricks.com") }

func shifted(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

func noSuchName(_ context.Context, name string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// narrow gives a profile that asks for less than everything.
func narrow(dir string) func(*patient) {
	return func(p *patient) {
		path := filepath.Join(dir, "narrow")
		text := "[DEFAULT]\nhost = " + p.options.Host + "\nclient_id = " + sandbox.ClientID + "\nclient_secret = " + sandbox.ClientSecret + "\nscopes = sql\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			panic(err)
		}
		delete(p.environment, "DATABRICKS_TOKEN")
		p.environment["DATABRICKS_CONFIG_FILE"] = path
		p.options.Host, p.options.Profile = "", "DEFAULT"
	}
}

// A company's own authority works once it is named.
func TestDoctorTrustsACertificateFile(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPatient(t, server.URL)
	p.environment["SSL_CERT_FILE"] = ca
	p.host = server.URL
	if f := p.certificateFile(); f.Status != "" {
		t.Errorf("a good file is found to be %+v", f)
	}
	if goos == "darwin" || goos == "windows" {
		return // the rest is about a variable that counts elsewhere
	}
	cmd := command(t, "doctor", "--json", "--host", server.URL)
	cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+ca, "DATABRICKS_TOKEN=dapi0")
	out, _ := begin(t, cmd).ended(1) // for there is nothing but the certificate
	got := gjson.Get(out, `#(check=="tls")`)
	if got.Get("status").Str != statusOK || !strings.Contains(got.Get("message").Str, "TLS 1.3") {
		t.Errorf("tls: %s", got.Raw)
	}
}

const healthyText = `ok  configuration    pat on {HOST}, because it is the only one that is complete (host from the option --host, oauth_callback_port from DATABRICKS_OAUTH_CALLBACK_PORT in the environment, token from DATABRICKS_TOKEN in the environment).
ok  host             {HOST}, from the option --host.
ok  proxy            No proxy is set.
ok  dns              127.0.0.1 is an address.
ok  tls              {HOST} answers. It is plain http, which is for this machine only.
ok  clock            The clock of this machine agrees with that of the host within a minute.
ok  discovery        Users sign in at {HOST}/oidc/v1/authorize.
ok  token            There is a token; how long it lives is not known.
ok  user             Calls act for ana@example.com (Ana Alvarez).
ok  workspace        Workspace 7405612938471650 answers.
ok  warehouse        3 can be used, such as Shared Serverless (076e432e8d575c53, running).
ok  login_ports      Port {PORT} is free for the end of a sign-in.
ok  state_directory  {STATE} can be written to.
ok  token_store      Sign-ins are kept in files that you alone can read, as DATABRICKS_AUTH_STORAGE says. No sign-in is stored.
ok  http_secret      There is none yet; --identity local makes it.
ok  policy           No policy file: --access alone says what agents may do.
ok  audit            {AUDIT} can be written, and its end is whole.

17 checks: 0 failed, 0 with a warning, 0 skipped.
`

func TestDoctorOfAHealthyWorkspace(t *testing.T) {
	server := sick(t, nil)
	p := newPatient(t, server.URL)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	_ = free.Close()
	p.environment["DATABRICKS_OAUTH_CALLBACK_PORT"] = port
	var out bytes.Buffer
	if err := printFindings(&out, p.examine(t.Context()), false); err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("{HOST}", server.URL, "{STATE}", p.options.StateDir, "{AUDIT}", p.auditPath, "{PORT}", port).Replace(healthyText)
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

const brokenText = `failure  tls    http://127.0.0.1:1 refuses connections.
                → Check host and port.
skipped  clock  Not checked, because tls failed.
warning  token  Soon over.
                → Sign in.

3 checks: 1 failed, 1 with a warning, 1 skipped.
`

func TestDoctorPrints(t *testing.T) {
	findings := []finding{broken("Check host and port.", "http://127.0.0.1:1 refuses connections."), unchecked("tls"), doubtful("Sign in.", "Soon over.")}
	for i, name := range []string{"tls", "clock", "token"} {
		findings[i].Check = name
	}
	var out bytes.Buffer
	if err := printFindings(&out, findings, false); err != errSilent {
		t.Errorf("the exit status of a failure comes from %v", err)
	}
	if out.String() != brokenText {
		t.Errorf("got\n%s\nwant\n%s", out.String(), brokenText)
	}
	out.Reset()
	if err := printFindings(&out, findings, true); err != errSilent {
		t.Errorf("with --json: %v", err)
	}
	var entries []map[string]string
	if err := json.Unmarshal(out.Bytes(), &entries); err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if len(entry) != 4 || entry["check"] == "" || entry["status"] == "" || entry["message"] == "" || entry["fix"] == "" {
			t.Errorf("an entry is %v", entry)
		}
	}
}

func TestDoctorOfTheSandbox(t *testing.T) {
	state := t.TempDir()
	out, _, err := within(t, map[string]string{"XDG_STATE_HOME": state, "DATABRICKS_AUTH_STORAGE": "plaintext"}, "doctor", "--sandbox", "--json")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := gjson.Get(out, "#").Int(); n != int64(len(checks)) {
		t.Errorf("%d entries of %d checks", n, len(checks))
	}
	mustContain(t, "doctor", out, "ana@example.com", sandbox.ID, "embedded workspace")
}

// Whatever hangs, a diagnosis ends.
func TestDoctorEnds(t *testing.T) {
	p := newPatient(t, "https://dbc-1.cloud.databricks.com")
	p.resolve = func(ctx context.Context, _ string) ([]string, error) { <-ctx.Done(); return nil, ctx.Err() }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, f := range p.examine(ctx) {
		if f.Check == "dns" && f.Status != statusFailure {
			t.Errorf("dns: %+v", f)
		}
	}
}
