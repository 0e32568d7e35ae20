package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"go.yaml.in/yaml/v4"
)

// deployed is a server on HTTP that was started as a deployment says.
type deployed struct {
	cmd  *exec.Cmd
	url  string
	logs chan string // all of stderr, when it has ended
}

var listening = regexp.MustCompile(`http://(\S+:\d+)/mcp`)

func deploy(t *testing.T, cmd *exec.Cmd) *deployed {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("neither systemd nor Databricks Apps run Windows")
	}
	d := &deployed{cmd: cmd, logs: make(chan string, 1)}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	address := make(chan string, 1)
	go func() {
		var all strings.Builder
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			all.WriteString(lines.Text() + "\n")
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				address <- found[1]
			}
		}
		d.logs <- all.String()
	}()
	select {
	case a := <-address:
		_, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		d.url = "http://127.0.0.1:" + port
	case logs := <-d.logs:
		t.Fatalf("%v ended: %v\n%s", cmd, cmd.Wait(), logs)
	case <-time.After(time.Minute):
		t.Fatalf("%v does not listen", cmd)
	}
	return d
}

// status is that of a GET, or of a POST with a body.
func (d *deployed) status(t *testing.T, path, body string) int {
	t.Helper()
	method, content := http.MethodGet, io.Reader(http.NoBody)
	if body != "" {
		method, content = http.MethodPost, strings.NewReader(body)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, d.url+path, content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json, text/event-stream")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// withHeader adds a header to every request.
type withHeader struct{ name, value string }

func (h withHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(h.name, h.value)
	return http.DefaultTransport.RoundTrip(r)
}

// serves lets a client that sends the header call a tool, and nobody without it.
func (d *deployed) serves(t *testing.T, header withHeader) {
	t.Helper()
	for path, want := range map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusOK} {
		if got := d.status(t, path, ""); got != want {
			t.Errorf("%s answers %d, want %d", path, got, want)
		}
	}
	if got := d.status(t, "/mcp", `{"jsonrpc":"2.0","id":1,"method":"ping"}`); got != http.StatusUnauthorized {
		t.Errorf("without %s the answer is %d", header.name, got)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "deploy-test", Version: "1"}, nil).
		Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: d.url + "/mcp", HTTPClient: &http.Client{Transport: header}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: "uc_list_catalogs"})
	if err != nil || result.IsError {
		t.Errorf("uc_list_catalogs: %+v, %v", result, err)
	}
	if err := session.Close(); err != nil {
		t.Error(err)
	}
}

// stops ends it as systemd and Databricks Apps do, and returns its logs.
func (d *deployed) stops(t *testing.T) string {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	logs := <-d.logs
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, logs)
	}
	return logs
}

// The folder of the Databricks App: npm installs what its package.json names, and
// its app.yaml starts a server that serves users by the token of their request.
func TestDatabricksApp(t *testing.T) {
	r := newRegistry(t, buildPackages(t))
	source, folder := filepath.Join(root, "docs", "deploy", "databricks-app"), t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(source)); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "install", "--loglevel", "error")
	install.Dir, install.Env = folder, r.environment(t)
	if said, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, said)
	}
	var app struct {
		Command []string
		Env     []struct {
			Name, Value string
			ValueFrom   string `yaml:"valueFrom"`
		}
	}
	var bundle struct {
		Resources struct {
			Apps map[string]struct {
				Name      string
				Scopes    []string `yaml:"user_api_scopes"`
				Resources []struct{ Name string }
			}
		}
	}
	for file, into := range map[string]any{"app.yaml": &app, "databricks.yml": &bundle} {
		text, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	declared := bundle.Resources.Apps[name]
	if !strings.HasPrefix(declared.Name, "mcp-") || len(declared.Scopes) == 0 {
		t.Errorf("databricks.yml declares %+v", declared)
	}
	port := freePort(t)
	cmd := exec.Command(app.Command[0], app.Command[1:]...)
	cmd.Dir = folder
	cmd.Env = append(cleanEnvironment(t.TempDir()),
		// What the platform sets, and the embedded workspace in place of the real one.
		"DATABRICKS_APP_NAME="+declared.Name, "DATABRICKS_APP_PORT="+port, "DATABRICKS_HOST=https://workspace.example.com",
		"DATABRICKS_CLIENT_ID=app", "DATABRICKS_CLIENT_SECRET=app-secret", "BRICKMCP_SANDBOX=true")
	for _, variable := range app.Env {
		if variable.ValueFrom != "" {
			if len(declared.Resources) != 1 || declared.Resources[0].Name != variable.ValueFrom {
				t.Errorf("%s is from %s, which databricks.yml does not declare", variable.Name, variable.ValueFrom)
			}
			variable.Value = "0123456789abcdef"
		}
		cmd.Env = append(cmd.Env, variable.Name+"="+variable.Value)
	}
	d := deploy(t, cmd)
	if !strings.HasSuffix(d.url, ":"+port) {
		t.Errorf("it listens on %s, not on port %s", d.url, port)
	}
	d.serves(t, withHeader{"X-Forwarded-Access-Token", "sandbox-user-7"})
	if logs := d.stops(t); strings.Contains(logs, "sandbox-user-7") || strings.Contains(logs, "app-secret") {
		t.Errorf("a secret is in the logs:\n%s", logs)
	}
}

// Where no registry is reached, the tarballs in the folder must do, with the settings
// that the documents name.
func TestDatabricksAppWithoutRegistry(t *testing.T) {
	packages, folder := buildPackages(t), t.TempDir()
	documented, err := os.ReadFile(filepath.Join(root, "docs", "deploy.md"))
	if err != nil {
		t.Fatal(err)
	}
	const setting = "offline=true"
	if !strings.Contains(string(documented), "`.npmrc` with the line `"+setting+"`") {
		t.Errorf("docs/deploy.md does not name %s", setting)
	}
	version := packages[name].Version
	var dependencies []string
	for _, wanted := range []string{name, platformPackageName(built.host)} {
		file := wanted + "-" + version + ".tgz"
		if err := os.WriteFile(filepath.Join(folder, file), packages[wanted].bytes, 0o644); err != nil {
			t.Fatal(err)
		}
		dependencies = append(dependencies, fmt.Sprintf("%q: %q", wanted, "file:"+file))
	}
	for file, text := range map[string]string{".npmrc": setting + "\n", "package.json": `{"dependencies": {` + strings.Join(dependencies, ", ") + `}}`} {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		t.Errorf("npm asks the registry for %s", request.URL.Path)
		w.WriteHeader(http.StatusNotFound)
	}))
	defer away.Close()
	install := exec.CommandContext(t.Context(), "npm", "install", "--loglevel", "error")
	install.Dir, install.Env = folder, (&registry{Server: away}).environment(t)
	if said, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, said)
	}
	said, err := exec.CommandContext(t.Context(), "node", filepath.Join(folder, "node_modules", name, "bin", "brickmcp.js"), "version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(said), name+" "+version) {
		t.Errorf("it says %q, %v", said, err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// unit is the systemd service, by the settings of its [Service] section.
func unit(t *testing.T) (text string, settings map[string][]string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "docs", "deploy", "brickmcp.service"))
	if err != nil {
		t.Fatal(err)
	}
	settings = map[string][]string{}
	for line := range strings.Lines(string(content)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(key, "#") {
			settings[key] = append(settings[key], value)
		}
	}
	return string(content), settings
}

// The service must serve who has the secret, keep its state where the unit lets it
// write, and end in the time that the unit gives.
func TestServiceRuns(t *testing.T) {
	buildPackages(t)
	_, settings := unit(t)
	words := strings.Fields(settings["ExecStart"][0])
	binary := filepath.Join(built.dir, "bin", built.host.String(), built.host.binary())
	state := t.TempDir() // for /var/lib
	env := append(cleanEnvironment(t.TempDir()), strings.Fields(settings["Environment"][0])...)
	for i, variable := range env {
		env[i] = strings.Replace(variable, "=/var/lib", "="+state, 1)
	}
	env = append(env, "BRICKMCP_SANDBOX=true", "BRICKMCP_LISTEN=127.0.0.1:0")
	cmd := exec.Command(binary, words[1:]...)
	cmd.Env = env
	d := deploy(t, cmd)
	ask := exec.Command(binary, "secret")
	ask.Env = env
	secret, err := ask.Output()
	if err != nil {
		t.Fatal(err)
	}
	d.serves(t, withHeader{"Authorization", "Bearer " + strings.TrimSpace(string(secret))})
	d.stops(t)
	if _, err := os.Stat(filepath.Join(state, settings["StateDirectory"][0], "audit.jsonl")); err != nil {
		t.Errorf("StateDirectory is not where the state is: %v", err)
	}
	entries, err := os.ReadDir(state)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside StateDirectory it writes %v, %v", entries, err)
	}
}

// systemd itself must understand the unit, and find little that it is exposed to.
func TestServiceUnit(t *testing.T) {
	needs(t, "systemd-analyze")
	text, settings := unit(t)
	self, err := os.Executable() // systemd wants a program that is there
	if err != nil {
		t.Fatal(err)
	}
	program := strings.Fields(settings["ExecStart"][0])[0]
	file := filepath.Join(t.TempDir(), "brickmcp.service")
	if err := os.WriteFile(file, []byte(strings.Replace(text, program, self, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var version int
	if said, err := exec.CommandContext(ctx, "systemd-analyze", "--version").Output(); err != nil {
		t.Fatal(err)
	} else if _, err := fmt.Sscanf(string(said), "systemd %d", &version); err != nil || version < 250 {
		t.Skipf("systemd is too old to look at a file by itself: %.40s", said)
	}
	said, err := exec.CommandContext(ctx, "systemd-analyze", "verify", "--man=no", file).CombinedOutput()
	if err != nil || strings.Contains(string(said), filepath.Base(file)) { // unknown settings are warnings
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
	// The threshold is exposure times ten: 2.0 of 10, "OK".
	if said, err = exec.CommandContext(ctx, "systemd-analyze", "security", "--offline=true", "--threshold=20", file).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, said)
	}
}
