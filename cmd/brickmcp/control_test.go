package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/audit"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/tidwall/gjson"
)

// governed is a session under a policy, with its audit file.
type governed struct {
	*agent
	policy, audit string
}

func underPolicy(t *testing.T, policy string, options *mcp.ClientOptions, arguments ...string) *governed {
	t.Helper()
	dir := t.TempDir()
	g := &governed{policy: filepath.Join(dir, "team.yaml"), audit: filepath.Join(dir, "audit.jsonl")}
	g.write(t, policy)
	all := append([]string{"--sandbox", "--sandbox-speed", "100", "--log-level", "error", "--policy", g.policy, "--audit-file", g.audit}, arguments...)
	g.agent = newAgent(t, command(t, all...), options)
	return g
}

func (g *governed) write(t *testing.T, policy string) {
	t.Helper()
	if err := os.WriteFile(g.policy, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lines are the audit lines of an event, oldest first.
func lines(t *testing.T, path, event string) []gjson.Result {
	t.Helper()
	if report, err := audit.Verify(path); err != nil {
		t.Fatalf("the audit file does not verify: %v (%+v)", err, report)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []gjson.Result
	for line := range strings.Lines(string(text)) {
		if l := gjson.Parse(line); l.Get("event").Str == event {
			found = append(found, l)
		}
	}
	return found
}

func last(t *testing.T, path, event string) gjson.Result {
	t.Helper()
	found := lines(t, path, event)
	if len(found) == 0 {
		t.Fatalf("no %s line in the audit file", event)
	}
	return found[len(found)-1]
}

func (g *governed) listed() map[string]bool {
	g.t.Helper()
	result, err := g.session.ListTools(g.t.Context(), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	names := map[string]bool{}
	for _, tool := range result.Tools {
		names[tool.Name] = true
	}
	return names
}

func TestRefusedByPolicy(t *testing.T) {
	g := underPolicy(t, "default: read\ngroups:\n  jobs: full\ntools:\n  jobs_delete: deny\nscopes:\n  jobs: [\"customer_*\"]\n", nil)
	names := g.listed()
	if names["jobs_delete"] || names["clusters_create"] || !names["jobs_run_now"] || !names["clusters_list"] {
		t.Errorf("tools/list shows %v", names)
	}
	refusal := g.refused("denied", "jobs_delete", args{"job_id": "1"})
	g.must(refusal.Get("message").Str, "team.yaml, line 5")
	line := last(t, g.audit, "denied")
	if line.Get("rule").Str != "tools.jobs_delete: deny (team.yaml:5)" || line.Get("user").Str == "" || line.Get("decision").Str != "deny" {
		t.Errorf("the refusal is written down as %s", line.Raw)
	}
	g.must(line.Get("say").Str, "was not allowed jobs_delete")

	// Objects: jobs are narrowed by name, in lists too.
	list := g.call("jobs_list", args{"limit": 100})
	for _, job := range list.Get("jobs").Array() {
		if !strings.HasPrefix(job.Get("settings.name").Str, "customer_") {
			t.Errorf("the list shows %s", job.Raw)
		}
	}
	if list.Get("withheld").Int() == 0 || list.Get("returned").Int() == 0 {
		t.Errorf("nothing is withheld, or everything: %s", list.Raw)
	}
	inside := list.Get("jobs.0.job_id").Str
	g.call("jobs_get", args{"job_id": inside})
	free := inSandbox(t)
	outside := free.call("jobs_list", args{"name": "store_replication_full"}).Get("jobs.0.job_id").Str
	refusal = g.refused("denied", "jobs_run_now", args{"job_id": outside})
	g.must(refusal.Get("message").Str, "jobs")
	g.refused("denied", "jobs_get", args{"job_id": outside})

	why := g.call("whoami", args{"tool": "jobs_delete", "arguments": args{"job_id": "1"}}).Get("call")
	if why.Get("decision").Str != "deny" || why.Get("rule").Str != "tools.jobs_delete: deny (team.yaml:5)" || why.Get("needs").Str != "jobs=full" {
		t.Errorf("whoami says %s", why.Raw)
	}
	if level := g.call("whoami", nil).Get("access.clusters"); level.Get("level").Str != "read" || !strings.Contains(level.Get("why").Str, "team.yaml:1") {
		t.Errorf("the access to clusters is %s", level.Raw)
	}
}

func TestConfirmed(t *testing.T) {
	g := underPolicy(t, "default: full\nconfirm: destructive\n", nil)
	job := args{"job_id": g.call("jobs_create", args{"name": "to go"}).Get("job_id").Str}
	asked := g.call("jobs_delete", job).Get("confirm")
	token := asked.Get("confirm_token").Str
	if token == "" || !strings.Contains(asked.Get("what").Str, "to go") || !asked.Get("preview").Exists() || !asked.Get("expires_at").Exists() {
		t.Fatalf("the first call is answered %s", asked.Raw)
	}
	g.call("jobs_get", job) // nothing was done
	with := func(token string, job any) args { return args{"job_id": job, "confirm_token": token} }
	g.must(g.refused("denied", "jobs_delete", with(token, "1")).Get("message").Str, "job_id")
	g.refused("denied", "jobs_delete", with("forged", job["job_id"]))
	g.call("jobs_delete", with(token, job["job_id"]))
	g.refused("missing", "jobs_get", job)
	g.must(g.refused("denied", "jobs_delete", with(token, job["job_id"])).Get("message").Str, "used")
	line := last(t, g.audit, "confirm")
	g.must(line.Get("say").Str, "waits for confirmation")
	deleted := lines(t, g.audit, "call")
	for _, l := range deleted {
		if l.Get("tool").Str == "jobs_delete" && l.Get("outcome").Str == "ok" && l.Get("decision").Str != "confirmed" {
			t.Errorf("the deletion is written down as %s", l.Raw)
		}
	}
	if strings.Contains(fmt.Sprint(deleted), token) {
		t.Error("the token is in the audit file")
	}
}

// A client that can ask its person does so, and the answer decides.
func TestConfirmedByPerson(t *testing.T) {
	for name, c := range map[string]struct {
		action string
		kind   string
	}{"accepted": {"accept", ""}, "declined": {"decline", "denied"}, "closed": {"cancel", "confirm"}} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var messages []string
			g := underPolicy(t, "default: full\nconfirm: destructive\n", &mcp.ClientOptions{
				ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
					mu.Lock()
					defer mu.Unlock()
					messages = append(messages, req.Params.Message)
					return &mcp.ElicitResult{Action: c.action}, nil
				},
			})
			job := args{"job_id": g.call("jobs_create", args{"name": "asked about"}).Get("job_id").Str}
			answer, failed := g.ask(t.Context(), "jobs_delete", job)
			switch c.kind {
			case "":
				if failed {
					t.Fatalf("it was answered %s", answer.Raw)
				}
				g.refused("missing", "jobs_get", job)
			case "confirm":
				if !answer.Get("confirm.confirm_token").Exists() {
					t.Fatalf("it was answered %s", answer.Raw)
				}
				g.call("jobs_get", job)
			default:
				if answer.Get("error.kind").Str != c.kind {
					t.Fatalf("it was answered %s", answer.Raw)
				}
				g.call("jobs_get", job)
				g.must(last(t, g.audit, "denied").Get("say").Str, "declined")
			}
			mu.Lock()
			defer mu.Unlock()
			if len(messages) != 1 || !strings.Contains(messages[0], "asked about") {
				t.Errorf("the person was asked %q", messages)
			}
		})
	}
}

func TestDeduplicated(t *testing.T) {
	g := underPolicy(t, "default: full\n", nil)
	first := g.call("jobs_create", args{"name": "twin", "max_concurrent_runs": 2})
	again := g.call("jobs_create", args{"max_concurrent_runs": 2, "name": "twin"})
	if again.Get("job_id").Str != first.Get("job_id").Str || !again.Get("deduplicated").Bool() || first.Get("deduplicated").Exists() {
		t.Errorf("first %s, then %s", first.Raw, again.Raw)
	}
	forced := g.call("jobs_create", args{"name": "twin", "max_concurrent_runs": 2, "force": true})
	if forced.Get("job_id").Str == first.Get("job_id").Str || forced.Get("deduplicated").Exists() {
		t.Errorf("forced: %s", forced.Raw)
	}
	if other := g.call("jobs_create", args{"name": "twin"}); other.Get("deduplicated").Exists() {
		t.Errorf("another job is a duplicate: %s", other.Raw)
	}
	outcomes := ""
	for _, l := range lines(t, g.audit, "call") {
		outcomes += l.Get("outcome").Str + " "
	}
	if outcomes != "ok deduplicated ok ok " {
		t.Errorf("the outcomes are %q", outcomes)
	}
	// What was deleted is no answer any more.
	g.call("jobs_delete", args{"job_id": forced.Get("job_id").Str})
	anew := g.call("jobs_create", args{"name": "twin", "max_concurrent_runs": 2})
	if anew.Get("deduplicated").Exists() || anew.Get("job_id").Str == forced.Get("job_id").Str {
		t.Errorf("after the deletion: %s", anew.Raw)
	}
}

func TestWritesSayHowToUndo(t *testing.T) {
	g := underPolicy(t, "default: full\n", nil)
	id := g.call("jobs_create", args{"name": "before", "timeout_seconds": 3600}).Get("job_id").Str
	answer := g.call("jobs_update", args{"job_id": id, "new_settings": args{"name": "after"}})
	tool, arguments, ok := strings.Cut(answer.Get("undo").Str, " ")
	if !ok || tool != "jobs_update" {
		t.Fatalf("the update says %s", answer.Raw)
	}
	var back args
	if err := json.Unmarshal([]byte(arguments), &back); err != nil {
		t.Fatalf("%v in %s", err, arguments)
	}
	defer func() { // as it says, and it is as it was
		g.call(tool, back)
		if name := g.call("jobs_get", args{"job_id": id}).Get("settings.name").Str; name != "before" {
			t.Errorf("after the undo the job is called %s", name)
		}
	}()
	line := last(t, g.audit, "call")
	if line.Get("before.new_settings.name").Str != "before" { // as jobs_reset takes them
		t.Errorf("the earlier settings are not kept: %s", line.Raw)
	}
	if run := g.call("jobs_run_now", args{"job_id": id}); !strings.Contains(run.Get("undo").Str, run.Get("run_id").Str) {
		t.Errorf("the run does not say how to cancel it: %s", run.Raw)
	}
	line = last(t, g.audit, "call")
	g.must(line.Get("say").Str, "started job "+id+" 'after'")
	g.must(line.Get("say").Str, "began")
	g.must(line.Get("say").Str, "story 1.0.0, for ana@")
}

// Rules that change while the server runs count from the next call on, and a file
// that cannot be read allows nothing.
func TestPolicyReload(t *testing.T) {
	changed := make(chan struct{}, 10)
	g := underPolicy(t, "default: read\n", &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
	})
	g.refused("denied", "jobs_create", args{"name": "x"})
	g.write(t, "default: read\ngroups: {jobs: full}\n")
	g.call("jobs_create", args{"name": "x"})
	select {
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("the client was not told that the tools have changed")
	}
	g.write(t, "default: red\n")
	g.must(g.refused("denied", "jobs_list", nil).Get("message").Str, "team.yaml:1")
	if names := g.listed(); len(names) != 1 || !names["whoami"] {
		t.Errorf("without rules the tools are %v", names)
	}
	if policy := g.call("whoami", nil).Get("policy"); !strings.Contains(policy.Get("error").Str, "red") {
		t.Errorf("whoami says %s of the policy", policy.Raw)
	}
	g.write(t, "default: full\n")
	g.call("clusters_list", nil)
	if n := len(lines(t, g.audit, "reload")); n < 3 {
		t.Errorf("%d reloads are written down", n)
	}
}

func TestShadowMode(t *testing.T) {
	g := underPolicy(t, "mode: shadow\ndefault: off\n", nil)
	g.call("jobs_list", args{"limit": 1})
	line := last(t, g.audit, "call")
	if line.Get("decision").Str != "would deny" || line.Get("outcome").Str != "ok" {
		t.Errorf("it is written down as %s", line.Raw)
	}
}

// --access is a source of its own: a policy never widens it.
func TestPolicyNeverWidensAccess(t *testing.T) {
	g := underPolicy(t, "default: full\ntools: {jobs_delete: allow}\n", nil, "--access", "read")
	g.refused("denied", "jobs_delete", args{"job_id": "1"})
	if g.listed()["jobs_delete"] {
		t.Error("the tool is listed")
	}
}

func TestSectionsByUserAndGroup(t *testing.T) {
	changed := make(chan struct{}, 10)
	g := underPolicy(t, "default: off\nsections:\n  - {user: ana@example.com, default: read}\n  - {client: \"story*\", groups: {jobs: full}}\n", &mcp.ClientOptions{
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { changed <- struct{}{} },
	})
	g.call("jobs_list", args{"limit": 1})
	select { // as soon as it is known who asks
	case <-changed:
	case <-time.After(time.Minute):
		t.Error("the client was not told that the tools have changed")
	}
	if names := g.listed(); names["clusters_start"] || !names["clusters_list"] {
		t.Errorf("the tools are %v", names)
	}
	g.call("clusters_list", nil)
	g.refused("denied", "clusters_start", args{"cluster_id": "x"})
}

// Every call that reached the workspace has a line, also when the process was
// killed in the middle.
func TestKilledServerLeavesItsLines(t *testing.T) {
	var mu sync.Mutex
	reached := map[string]bool{}
	enough := make(chan struct{})
	workspace := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/Me") {
			fmt.Fprint(w, `{"userName":"ana@example.com"}`)
			return
		}
		if r.Method == http.MethodGet { // a name for the line
			fmt.Fprint(w, `{}`)
			return
		}
		var body struct {
			JobID json.Number `json:"job_id"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		mu.Lock()
		reached[body.JobID.String()] = true
		if len(reached) == 400 {
			close(enough)
		}
		slow := len(reached)%2 == 0
		mu.Unlock()
		if slow {
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, `{"run_id":1}`)
	}))
	defer workspace.Close()
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	cmd := command(t, "--access", "full", "--log-level", "error", "--audit-file", file, "--rate-limit", "off")
	cmd.Env = append(cmd.Env, "DATABRICKS_HOST="+workspace.URL, "DATABRICKS_TOKEN=dapi-x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for id := 1; id <= 1000; id++ {
		if _, err := fmt.Fprintln(in, toolCall(id, "jobs_run_now", fmt.Sprintf(`{"job_id":%d}`, 1000+id))); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-enough:
	case <-time.After(2 * time.Minute):
		t.Error("the calls do not reach the workspace")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	written := map[string]bool{}
	for _, l := range append(lines(t, file, "begin"), lines(t, file, "call")...) {
		written[l.Get("arguments.job_id").Raw] = true
	}
	mu.Lock()
	defer mu.Unlock()
	for id := range reached {
		if !written[id] {
			t.Errorf("job %s was started and is not in the audit file", id)
		}
	}
	if len(reached) < 400 {
		t.Errorf("only %d calls reached the workspace", len(reached))
	}
}

// What cannot be written down is not done, but may be read.
func TestUnwritableAudit(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.jsonl")
	if err := os.Mkdir(file, 0o700); err != nil { // a directory in its place
		t.Fatal(err)
	}
	start := func(arguments ...string) *agent {
		return inSandbox(t, append([]string{"--audit-file", file}, arguments...)...)
	}
	a := start()
	a.call("jobs_list", args{"limit": 1})
	a.must(a.refused("internal", "jobs_create", args{"name": "unwritten"}).Get("message").Str, "audit.jsonl")
	if n := a.call("jobs_list", args{"name": "unwritten"}).Get("returned").Int(); n != 0 {
		t.Error("it was done all the same")
	}
	start("--audit-required", "none").call("jobs_create", args{"name": "unwritten"})
	start("--audit-required", "all").refused("internal", "jobs_list", nil)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	a.call("jobs_create", args{"name": "written"}) // as soon as it can be written
	if l := last(t, file, "call"); l.Get("tool").Str != "jobs_create" {
		t.Errorf("the last line is %s", l.Raw)
	}
}

// No secret of a call or an answer is in the audit file.
func TestAuditKeepsNoSecrets(t *testing.T) {
	g := underPolicy(t, "default: full\n", nil)
	g.call("secrets_put", args{"scope": g.call("secrets_list_scopes", nil).Get("scopes.0.name").Str, "key": "k", "string_value": "hunter2"})
	g.call("files_upload", args{"path": "/Volumes/main/retail/landing/.env", "contents": "hunter2", "overwrite": true})
	text, err := os.ReadFile(g.audit)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Error("a secret is in the audit file")
	}
	if !strings.Contains(string(text), `"tool":"secrets_put"`) {
		t.Error("the calls are not in the audit file")
	}
}

// Every tool has a sentence of its own.
func TestEveryToolSaysWhatItDid(t *testing.T) {
	for _, row := range catalog.All() {
		if strings.Contains(row.Did, "{}") != (row.Object != "") {
			t.Errorf("%s: %q does not go with the object %q", row.Name, row.Did, row.Object)
		}
	}
}

// No line is lost among many.
func TestThousandCallsLeaveTheirLines(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	var requests []string
	for id := range 1000 {
		requests = append(requests, toolCall(id, "jobs_list", fmt.Sprintf(`{"limit":1,"name":"n%d"}`, id)))
	}
	if answers := piped(t, command(t, "--sandbox", "--log-level", "error", "--audit-file", file, "--rate-limit", "off"), requests...); len(answers) != 1000 {
		t.Errorf("%d answers", len(answers))
	}
	for _, event := range []string{"begin", "call"} {
		seen := map[string]bool{}
		for _, l := range lines(t, file, event) {
			seen[l.Get("arguments.name").Str] = true
		}
		if len(seen) != 1000 {
			t.Errorf("%d calls have a %s line", len(seen), event)
		}
	}
}
