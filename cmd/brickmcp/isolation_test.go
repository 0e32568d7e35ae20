package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"brickmcp/transport/sandbox"

	"github.com/tidwall/gjson"
)

// isolatedUsers are served at once.
const isolatedUsers = 200

// userMark is what a user's requests carry of them: in names, texts, and in the name
// of their client, which is in the User-Agent of all that a call sends.
var userMark = regexp.MustCompile(`\buser-(\d+)\b`)

// recorder is in front of the workspace: no request may carry the token of another
// user than the one whose marks are in it.
type recorder struct {
	mu     sync.Mutex
	wrong  []string
	tokens map[string]int // requests by token
}

func (r *recorder) see(req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		body = []byte(err.Error())
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	token := strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
	who := strings.TrimPrefix(token, "sandbox-user-")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tokens[token]++
	if who == token {
		r.wrong = append(r.wrong, fmt.Sprintf("%s %s carries the token %q", req.Method, req.URL, token))
	}
	for _, mark := range userMark.FindAllStringSubmatch(req.URL.String()+" "+req.UserAgent()+" "+string(body), -1) {
		if mark[1] != who {
			r.wrong = append(r.wrong, fmt.Sprintf("%s %s of user %s carries the token of user %s", req.Method, req.URL, mark[1], who))
			return
		}
	}
}

// isolatedUser is what one user does, and what of it another one tries to get at.
type isolatedUser struct {
	*httpClient
	n                          int
	job, run, token, statement string
}

func (u *isolatedUser) name() string { return fmt.Sprintf("user-%d", u.n) }

// mine reports what is about anybody else.
func (u *isolatedUser) mine(what string, answer gjson.Result) gjson.Result {
	for _, mark := range userMark.FindAllStringSubmatch(answer.Raw, -1) {
		if mark[0] != u.name() {
			u.t.Errorf("%s of %s is about %s: %s", what, u.name(), mark[0], answer.Raw)
			break
		}
	}
	return answer
}

// work does a little of everything.
func (u *isolatedUser) work() {
	u.initialize("client-of-" + u.name())
	if who := u.mine("whoami", u.ok("whoami", args{})); who.Get("user").Str != u.name()+"@example.com" {
		u.t.Errorf("%s is %s", u.name(), who.Raw)
	}
	job := args{"name": "job of " + u.name(), "tasks": []any{args{"task_key": "only", "notebook_task": args{"notebook_path": "/Workspace/Shared/etl/x"}}}}
	u.job = u.mine("jobs_create", u.ok("jobs_create", job)).Get("job_id").Str
	jobs := u.mine("jobs_list", u.ok("jobs_list", args{"name": "job of " + u.name()}))
	if jobs.Get("jobs.0.job_id").Str != u.job || jobs.Get("returned").Int() != 1 {
		u.t.Errorf("the jobs of %s, who made %s: %s", u.name(), u.job, jobs.Raw)
	}
	// The same create of everybody: what one made is no duplicate of another's.
	if same := u.ok("jobs_create", args{"name": "the same", "tasks": job["tasks"]}); same.Get("deduplicated").Exists() || same.Get("job_id").Str == "" {
		u.t.Errorf("%s was given another's job: %s", u.name(), same.Raw)
	}
	u.run = u.mine("supervisor_start_run", u.ok("supervisor_start_run", args{"input": "I am " + u.name(), "instructions": "sandbox-instant"})).Get("run_id").Str
	run := u.mine("supervisor_wait_run", u.ok("supervisor_wait_run", args{"run_id": u.run}))
	if run.Get("run_id").Str != u.run || run.Get("status").Str != "completed" {
		u.t.Errorf("the run of %s: %s", u.name(), run.Raw)
	}
	rows := u.mine("sql_query", u.ok("sql_query", args{"statement": "SELECT current_user() AS me, '" + u.name() + "' AS mark"}))
	if rows.Get("rows").Raw != `[["`+u.name()+`@example.com","`+u.name()+`"]]` {
		u.t.Errorf("the rows of %s: %s", u.name(), rows.Raw)
	}
	u.statement = rows.Get("statement_id").Str
	u.token = u.mine("jobs_delete", u.ok("jobs_delete", args{"job_id": u.job})).Get("confirm.confirm_token").Str
	if u.job == "" || u.run == "" || u.token == "" || u.session == "" {
		u.t.Errorf("%s has job %q, run %q, token %q, session %q", u.name(), u.job, u.run, u.token, u.session)
	}
	// A section of the policy is for user-7 alone.
	if u.n == 7 {
		u.refused("denied", "secrets_list_scopes", args{})
	} else {
		u.ok("secrets_list_scopes", args{})
	}
}

// pry tries what another user left.
func (u *isolatedUser) pry(other *isolatedUser) {
	for _, tool := range []string{"supervisor_get_run", "supervisor_wait_run", "supervisor_cancel_run"} {
		u.mine(tool, u.refused("missing", tool, args{"run_id": other.run}))
	}
	if runs := u.mine("supervisor_list_runs", u.ok("supervisor_list_runs", args{})); runs.Get("returned").Int() != 1 || runs.Get("runs.0.run_id").Str != u.run {
		u.t.Errorf("the runs of %s: %s", u.name(), runs.Raw)
	}
	u.mine("jobs_delete", u.refused("denied", "jobs_delete", args{"job_id": other.job, "confirm_token": other.token}))
	u.mine("jobs_delete", u.refused("denied", "jobs_delete", args{"job_id": u.job, "confirm_token": other.token}))
	u.mine("sql_get_statement", u.refused("missing", "sql_get_statement", args{"statement_id": other.statement}))
	own := u.session
	u.session = other.session
	if resp, answer := u.post(request(1, "ping", `{}`)); resp.StatusCode != http.StatusNotFound {
		u.t.Errorf("%s uses the session of %s: %d %s", u.name(), other.name(), resp.StatusCode, answer.Raw)
	}
	u.session = own
}

// finish shows that what others tried has changed nothing.
func (u *isolatedUser) finish() {
	if resp, answer := u.post(request(1, "ping", `{}`)); resp.StatusCode != http.StatusOK {
		u.t.Errorf("the session of %s is over: %d %s", u.name(), resp.StatusCode, answer.Raw)
	}
	u.ok("supervisor_get_run", args{"run_id": u.run})
	u.ok("jobs_delete", args{"job_id": u.job, "confirm_token": u.token})
}

// TestIsolation serves many users at once, and holds that nothing of one ever gets to
// another: no token, no result, and nothing that is kept between calls.
func TestIsolation(t *testing.T) {
	seen := &recorder{tokens: map[string]int{}}
	host, workspace := numberedWorkspace(t, seen.see)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte("default: full\ntools: {jobs_delete: confirm}\nsections:\n  - {user: user-7@example.com, groups: {secrets: off}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := appEnv(t, host)
	server := overHTTP(t, env, "--identity", "apps", "--policy", policy)
	all := make([]*isolatedUser, isolatedUsers)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: isolatedUsers}}
	defer client.CloseIdleConnections()
	for i := range all {
		u := &isolatedUser{httpClient: asUser(t, server.url, sandbox.NumberedToken(i+1)), n: i + 1}
		u.http = client
		u.header.Set("X-Real-Ip", fmt.Sprintf("10.0.%d.%d", i/200, i%200+1))
		u.header.Set("Authorization", "Bearer of-the-client-"+u.name()) // is never passed on
		all[i] = u
	}
	together := func(do func(i int, u *isolatedUser)) {
		var group sync.WaitGroup
		for i, u := range all {
			group.Go(func() { do(i, u) })
		}
		group.Wait()
		if t.Failed() {
			t.FailNow() // two hundred times the same is enough
		}
	}
	together(func(_ int, u *isolatedUser) { u.work() })
	left := make([]isolatedUser, len(all)) // u.pry changes u
	for i, u := range all {
		left[i] = *u
		left[i].httpClient = &httpClient{session: u.session}
	}
	together(func(i int, u *isolatedUser) { u.pry(&left[(i+1)%len(left)]) })
	together(func(_ int, u *isolatedUser) { u.finish() })
	if err := server.stop(); err != nil {
		t.Error(err)
	}

	seen.mu.Lock()
	defer seen.mu.Unlock()
	for i, wrong := range seen.wrong {
		if t.Error(wrong); i == 10 {
			break
		}
	}
	if len(seen.tokens) != isolatedUsers {
		t.Errorf("%d tokens were sent", len(seen.tokens))
	}
	if asked := workspace.TokenRequests(); asked != (sandbox.TokenRequests{}) {
		t.Errorf("the app signed in as itself: %+v", asked)
	}
	if log := server.log.String(); strings.Contains(log, "sandbox-user-") || strings.Contains(log, sandbox.ClientSecret) {
		t.Error("the log has a token")
	}
	// On disk everything is apart, and for the server alone.
	dirs, err := os.ReadDir(filepath.Join(env["XDG_STATE_HOME"], "brickmcp", "users"))
	if err != nil || len(dirs) != isolatedUsers {
		t.Errorf("%d directories of users, %v", len(dirs), err)
	}
	for _, dir := range dirs {
		if info, err := dir.Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v, %v", dir.Name(), info.Mode(), err)
		}
	}
}
