package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"brickmcp/catalog"
)

// TestErrorShapes: every documented shape and text, from the answer to the error.
func TestErrorShapes(t *testing.T) {
	html := "text/html; charset=utf-8"
	info := func(reason string) string {
		return `{"error_code":"INVALID_PARAMETER_VALUE","message":"m","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"` + reason + `","domain":"d"}]}`
	}
	for _, c := range []struct {
		name   string
		row    *catalog.Row
		reply  reply
		kind   catalog.Kind
		says   []string // in message and advice
		silent []string // nowhere
		status int      // 0: that of the reply is not checked
		id     string   // "": req-1
	}{
		{name: "normal", row: getJob, reply: coded(400, "INVALID_PARAMETER_VALUE", "limit must be positive"), kind: catalog.Invalid, says: []string{"jobs_get on job 42: limit must be positive (INVALID_PARAMETER_VALUE)", "Correct the arguments"}, status: 400},
		{name: "numeric code", row: getJob, reply: answer(400, `{"error_code":1001,"message":"bad"}`), kind: catalog.Invalid, says: []string{"bad (1001)"}},
		{name: "code without message", row: getJob, reply: answer(400, `{"error_code":"MALFORMED_REQUEST"}`), kind: catalog.Invalid, says: []string{"HTTP 400 Bad Request (MALFORMED_REQUEST)"}},
		{name: "missing object", row: getJob, reply: coded(404, "RESOURCE_DOES_NOT_EXIST", "Job 42 does not exist."), kind: catalog.Missing, says: []string{"job 42", "Check the id"}, status: 404},
		{name: "missing object as 400", row: execute, reply: coded(400, "RESOURCE_DOES_NOT_EXIST", "Warehouse x does not exist"), kind: catalog.Missing, says: []string{"Warehouse x"}},
		{name: "missing table", row: getJob, reply: coded(404, "TABLE_DOES_NOT_EXIST", "Table 'a.b.c' does not exist."), kind: catalog.Missing, says: []string{"a.b.c"}},
		{name: "job as invalid parameter", row: getJob, reply: coded(400, "INVALID_PARAMETER_VALUE", "Job 42 does not exist."), kind: catalog.Missing},
		{name: "run as invalid parameter", row: getRun, reply: coded(400, "INVALID_PARAMETER_VALUE", "Run: 5 in job: 42 doesn't exist"), kind: catalog.Missing},
		{name: "cluster as invalid parameter", row: getCluster, reply: coded(400, "INVALID_PARAMETER_VALUE", "Cluster 0101-abc does not exist"), kind: catalog.Missing},
		{name: "a create names a missing cluster", row: createJob, reply: coded(400, "INVALID_PARAMETER_VALUE", "Cluster 0101-abc does not exist"), kind: catalog.Invalid},
		{name: "another object on the endpoint", row: getJob, reply: coded(400, "INVALID_PARAMETER_VALUE", "Cluster 0101-abc does not exist"), kind: catalog.Invalid},
		{name: "cluster gone for good", row: getCluster, reply: coded(400, "INVALID_STATE", "Cannot access cluster 0101 that was terminated or unpinned more than 30 days ago."), kind: catalog.Missing, says: []string{"gone for good"}},
		{name: "route by code", row: getJob, reply: coded(404, "ENDPOINT_NOT_FOUND", "No API found for 'GET /jobs/get'"), kind: catalog.Missing, says: []string{"no missing object", "GET /api/2.2/jobs/get", "not enabled"}, silent: []string{"Check the id"}},
		{name: "route by text", row: getJob, reply: coded(400, "BAD_REQUEST", "No API found for 'POST /jobs/get'"), kind: catalog.Missing, says: []string{"no missing object"}},
		{name: "route, legacy body", row: getJob, reply: answer(404, `{"error":"Bad Target: /api/2.2/jobs/run-now"}`), kind: catalog.Missing, says: []string{"Bad Target", "no missing object"}},
		{name: "route, web page", row: getJob, reply: answer(404, "<html><body><h1>Not Found</h1></body></html>", "Content-Type: "+html), kind: catalog.Missing, says: []string{"no missing object", "Not Found"}, silent: []string{"<h1>"}},
		{name: "feature disabled", row: getJob, reply: coded(404, "FEATURE_DISABLED", "off"), kind: catalog.Missing, says: []string{"no missing object"}},
		{name: "no permission on a job", row: getJob, reply: coded(403, "PERMISSION_DENIED", "User x does not have View permissions on job 42"), kind: catalog.Forbidden, says: []string{"You need CAN_VIEW", "owner or a workspace admin", "does not exist gets the same answer"}},
		{name: "no permission on a secret", row: putSecret, reply: coded(403, "PERMISSION_DENIED", "User does not have permission on scope etl"), kind: catalog.Forbidden, says: []string{"You need WRITE", "MANAGE on the secret scope"}, silent: []string{"OAuth"}},
		{name: "no privilege", row: upload, reply: coded(403, "PERMISSION_DENIED", "User does not have WRITE VOLUME"), kind: catalog.Forbidden, says: []string{"USE CATALOG"}},
		{name: "missing scope", row: getJob, reply: coded(403, "PERMISSION_DENIED", "Provided OAuth token does not have required scopes: jobs"), kind: catalog.Forbidden, says: []string{"OAuth scope jobs:", "sign in again"}},
		{name: "unnamed scope", row: getJob, reply: coded(403, "PERMISSION_DENIED", "insufficient scope"), kind: catalog.Forbidden, says: []string{"lacks an OAuth scope"}},
		{name: "IP access list", row: getJob, reply: answer(403, `{"error_code":"403","message":"Unauthorized access to Org: 1. Source IP address: 1.2.3.4 is blocked by Databricks IP ACL for workspace: 1"}`), kind: catalog.Forbidden, says: []string{"IP access list"}, silent: []string{"needs CAN_VIEW"}},
		{name: "bad token as 403", row: getJob, reply: answer(403, `{"error_code":"403","message":"Invalid access token."}`), kind: catalog.SignIn},
		{name: "private link", row: getJob, reply: answer(302, "", "Location: https://dbc-1.cloud.databricks.com/login.html?error=private-link-validation-error"), kind: catalog.Forbidden, says: []string{"PRIVATE_LINK_VALIDATION_ERROR", "Private Link"}, status: 403},
		{name: "redirect to a login page", row: getJob, reply: answer(302, "", "Location: https://login.example.com/oidc/authorize?state=s3cret"), kind: catalog.SignIn, says: []string{"login page", "workspace id"}, silent: []string{"s3cret"}},
		{name: "any redirect", row: getJob, reply: answer(301, "", "Location: http://other.example.com/x"), kind: catalog.Down, says: []string{"redirects elsewhere"}},
		{name: "200 with a web page", row: getJob, reply: answer(200, "\n <!DOCTYPE html><html><title>Login</title></html>"), kind: catalog.SignIn, says: []string{"web page", "workspace id"}},
		{name: "exists", row: createJob, reply: coded(400, "RESOURCE_ALREADY_EXISTS", "x"), kind: catalog.Conflict, says: []string{"choose another name"}},
		{name: "exists as invalid parameter", row: createJob, reply: coded(400, "INVALID_PARAMETER_VALUE", "SQL warehouse with name `x` already exists"), kind: catalog.Conflict},
		{name: "aborted", row: resetJob, reply: coded(409, "ABORTED", "concurrent change"), kind: catalog.Conflict},
		{name: "state", row: startWh, reply: coded(400, "INVALID_STATE", "Cluster x is in unexpected state Running."), kind: catalog.Conflict, says: []string{"state"}},
		{name: "directory not empty", row: upload, reply: answer(400, info("FILES_API_DIRECTORY_IS_NOT_EMPTY")), kind: catalog.Conflict, says: []string{"Remove what is in the directory"}},
		{name: "precondition", row: download, reply: answer(412, ""), kind: catalog.Conflict},
		{name: "range", row: download, reply: answer(416, ""), kind: catalog.Invalid, says: []string{"beyond the end"}},
		{name: "too large", row: getJob, reply: coded(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "x"), kind: catalog.Invalid, says: []string{"larger than the API allows"}},
		{name: "hourly quota", row: createJob, reply: coded(400, "INVALID_STATE", "There were already 10000 jobs created in past 3600 seconds"), kind: catalog.Limited, says: []string{"quota"}},
		{name: "quota", row: createJob, reply: answer(429, `{"error_code":"QUOTA_EXCEEDED","message":"m","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"subject":"jobs","description":"10000 saved jobs"}]}]}`), kind: catalog.Limited, says: []string{"jobs: 10000 saved jobs", "quota"}},
		{name: "fields", row: createJob, reply: answer(400, `{"error_code":"INVALID_ARGUMENT","message":"bad","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{"field":"tasks[0].task_key","description":"is empty"},{"field":"name","description":"is long"}]}]}`), kind: catalog.Invalid, says: []string{"tasks[0].task_key: is empty; name: is long", "Correct tasks[0].task_key, name"}},
		{name: "request id and help", row: getJob, reply: answer(400, `{"error_code":"BAD_REQUEST","message":"m","details":[{"@type":"type.googleapis.com/google.rpc.RequestInfo","request_id":"from-details"},{"@type":"type.googleapis.com/google.rpc.Help","links":[{"url":"https://docs.databricks.com/x"}]},{"@type":"x.Unknown","a":1}]}`), kind: catalog.Invalid, says: []string{"https://docs.databricks.com/x"}, id: "from-details"},
		{name: "debug info", row: getJob, reply: answer(400, `{"error_code":"BAD_REQUEST","message":"m","details":[{"@type":"type.googleapis.com/google.rpc.DebugInfo","stack_entries":["at com.databricks.Secret(X.java:1)"],"detail":"inner"}]}`), kind: catalog.Invalid, silent: []string{"com.databricks", "inner"}},
		{name: "stack trace", row: getJob, reply: answer(400, `{"error_code":"BAD_REQUEST","message":"java.lang.Oops: no\n\tat com.databricks.X.y(X.java:1)\n\tat z"}`), kind: catalog.Invalid, says: []string{"java.lang.Oops: no"}, silent: []string{"com.databricks"}},
		{name: "SCIM", row: getJob, reply: answer(400, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"detail":"bad filter","status":"400","scimType":"invalidFilter"}`), kind: catalog.Invalid, says: []string{"invalidFilter bad filter"}},
		{name: "SCIM missing", row: getJob, reply: answer(404, `{"schemas":["x"],"detail":"User 5 not found","status":"404"}`), kind: catalog.Missing, says: []string{"User 5 not found"}},
		{name: "SCIM exists", row: createJob, reply: answer(400, `{"detail":"Service principal with application ID x already exists.","status":"400"}`), kind: catalog.Conflict},
		{name: "SCIM null", row: getJob, reply: answer(404, `{"detail":"null","status":"404"}`), kind: catalog.Missing, says: []string{"HTTP 404 Not Found"}, silent: []string{"null"}},
		{name: "legacy error", row: getJob, reply: answer(400, `{"error":"no such thing"}`), kind: catalog.Invalid, says: []string{"no such thing"}},
		{name: "OAuth error", row: getJob, reply: answer(401, `{"error":"invalid_token","error_description":"expired"}`), kind: catalog.SignIn, says: []string{"invalid_token: expired", "sign in"}},
		{name: "OpenAI's error", row: getJob, reply: answer(403, `{"error":{"code":"MCP_PERMISSION_DENIED","message":"no"}}`), kind: catalog.Forbidden, says: []string{"no (MCP_PERMISSION_DENIED)"}},
		{name: "wrapped error", row: getJob, reply: answer(404, `{"error":{"code":404,"message":"gone","status":"NOT_FOUND"}}`), kind: catalog.Missing, says: []string{"gone (NOT_FOUND)"}},
		{name: "plain text", row: getJob, reply: answer(400, "MALFORMED_REQUEST: cannot read it: really"), kind: catalog.Invalid, says: []string{"cannot read it: really (MALFORMED_REQUEST)"}},
		{name: "plain text without a code", row: getJob, reply: answer(400, "Note: nothing"), kind: catalog.Invalid, says: []string{"Note: nothing"}},
		{name: "page with pre", row: getJob, reply: answer(403, "<html><h2>HTTP ERROR 403</h2><PRE class=x>PERMISSION_DENIED: not &quot;you&quot;</PRE></html>"), kind: catalog.Forbidden, says: []string{`not "you" (PERMISSION_DENIED)`}, silent: []string{"HTTP ERROR"}},
		{name: "page without pre", row: getJob, reply: answer(400, "<html><style>p{color:red}</style><body>Bad <b>thing</b></body></html>"), kind: catalog.Invalid, says: []string{"a web page: Bad thing"}, silent: []string{"color"}},
		{name: "empty", row: getJob, reply: answer(409, ""), kind: catalog.Conflict, says: []string{"HTTP 409 Conflict"}},
		{name: "empty object", row: getJob, reply: answer(404, "{}"), kind: catalog.Missing, says: []string{"HTTP 404 Not Found"}},
		{name: "half of an error", row: getJob, reply: answer(400, `{"error_code":"INVALID_PARA`), kind: catalog.Invalid},
		{name: "not implemented", row: createJob, reply: answer(501, ""), kind: catalog.Missing, says: []string{"no missing object"}},
		{name: "proxy", row: getJob, reply: answer(407, ""), kind: catalog.Down, says: []string{"HTTPS_PROXY"}},
		{name: "token in the text", row: getJob, reply: coded(400, "BAD_REQUEST", "token "+goodToken+" and Bearer abcdefghijkl and eyJhbGciOiJIUzI1NiJ9.x.y"), kind: catalog.Invalid, says: []string{"[hidden]"}, silent: []string{"abcdefghijkl", "eyJ"}},
		{name: "presigned link in the text", row: getJob, reply: coded(400, "BAD_REQUEST", "cannot read https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&y=1 now"), kind: catalog.Invalid, says: []string{"https://b.s3.amazonaws.com/k?[hidden] now"}, silent: []string{"X-Amz-Signature"}},
		{name: "control characters", row: getJob, reply: answer(400, `{"message":"a\u0000b\u001b[31mc\r\nd\u202eevil"}`), kind: catalog.Invalid, says: []string{"abc devil"}, silent: []string{"\x1b", "\u202e", "\n"}},
		{name: "long", row: getJob, reply: answer(400, `{"message":"`+strings.Repeat("ä", 5000)+`"}`), kind: catalog.Invalid, says: []string{"…"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := failureOf(t, newClient(t, &wire{script: []reply{c.reply}}), callOf(c.row))
				if e.Kind != c.kind {
					t.Errorf("kind %q, want %q", e.Kind, c.kind)
				}
				contains(t, "error", e.Error(), c.says...)
				for _, s := range c.silent {
					if strings.Contains(e.Error(), s) {
						t.Errorf("error %q shows %q", e.Error(), s)
					}
				}
				if c.status != 0 && e.Status != c.status {
					t.Errorf("status %d, want %d", e.Status, c.status)
				}
				want := c.id
				if want == "" {
					want = "req-1"
				}
				if e.RequestID != want {
					t.Errorf("request id %q, want %q", e.RequestID, want)
				}
			})
		})
	}
}

func TestSecretValuesAreNotEchoed(t *testing.T) {
	value := `p4ss"word\x`
	quoted, _ := json.Marshal(value)
	said, _ := json.Marshal("cannot parse {\"string_value\":" + string(quoted) + "}, that is " + value)
	w := &wire{script: []reply{answer(400, `{"message":`+string(said)+`}`)}}
	call, err := putSecret.Bind([]byte(`{"name":"k","string_value":` + string(quoted) + `}`))
	if err != nil {
		t.Fatal(err)
	}
	e := failureOf(t, newClient(t, w), call)
	if strings.Contains(e.Error(), "p4ss") {
		t.Errorf("the error shows the value: %v", e)
	}
	contains(t, "message", e.Message, "cannot parse", "[hidden]")
}

func TestHeadHasNoBody(t *testing.T) {
	head := row("files_stat", "HEAD", "/api/2.0/fs/files", catalog.Read)
	e := failureOf(t, newClient(t, &wire{script: []reply{answer(404, "")}}), callOf(head))
	if e.Kind != catalog.Missing || !strings.Contains(e.Advice, "Check the id") {
		t.Errorf("%+v", e)
	}
}

func TestTokens(t *testing.T) {
	denied := coded(401, "UNAUTHENTICATED", "token expired")
	for _, c := range []struct {
		name    string
		script  []reply
		fresh   string
		sent    int
		success bool
	}{
		{"a fresh one helps", []reply{denied, ok}, "dapi-fresh", 2, true},
		{"a fresh one is refused too", []reply{denied}, "dapi-fresh", 2, false},
		{"there is no other one", []reply{denied}, goodToken, 1, false},
	} {
		for _, r := range []*catalog.Row{getJob, createJob} {
			t.Run(c.name+"/"+r.Name, func(t *testing.T) {
				token, invalidated := goodToken, ""
				w := &wire{script: c.script}
				client := newClient(t, w, func(config *Config) {
					config.Token = func(context.Context) (string, error) { return token, nil }
					config.Invalidate = func(old string) { invalidated, token = old, c.fresh }
				})
				if c.success {
					success(t, client, callOf(r))
				} else if e := failureOf(t, client, callOf(r)); e.Kind != catalog.SignIn || e.Status != 401 || e.RequestID != "req-1" {
					t.Errorf("%+v", e)
				}
				if w.count() != c.sent || invalidated == "" {
					t.Errorf("%d sent, invalidated %q", w.count(), invalidated)
				}
				if c.sent == 2 && w.header[1].Get("Authorization") != "Bearer dapi-fresh" {
					t.Errorf("the second attempt has %q", w.header[1].Get("Authorization"))
				}
			})
		}
	}
}

func TestNoToken(t *testing.T) {
	problem := errors.New("no credentials; set DATABRICKS_TOKEN")
	for _, c := range []struct {
		name    string
		token   string
		err     error
		explain func(error) *catalog.Error
		kind    catalog.Kind
		says    string
	}{
		{"plain", "", problem, nil, catalog.SignIn, "set DATABRICKS_TOKEN"},
		{"explained", "", problem, func(err error) *catalog.Error {
			return &catalog.Error{Kind: catalog.Down, Message: "token endpoint", Advice: "Wait.", Err: err}
		}, catalog.Down, "jobs_create on job 42: token endpoint"},
		{"not explained", "", problem, func(error) *catalog.Error { return nil }, catalog.SignIn, "sign in"},
		{"a catalog error", "", &catalog.Error{Kind: catalog.SignIn, Message: "own", Advice: "words"}, nil, catalog.SignIn, "own; words"},
		{"empty", "", nil, nil, catalog.SignIn, "token is empty"},
		{"with a line break", "dapi-secret\nX: y", nil, nil, catalog.SignIn, "characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{script: []reply{ok}}
			client := newClient(t, w, func(config *Config) {
				config.Token = func(context.Context) (string, error) { return c.token, c.err }
				config.SignInError = c.explain
			})
			for range 2 { // the error may be shared: it must not grow
				e := failureOf(t, client, callOf(createJob))
				if e.Kind != c.kind || strings.Count(e.Message, "jobs_create") != 1 || strings.Contains(e.Error(), "dapi-secret") {
					t.Errorf("%+v", e)
				}
				contains(t, "error", e.Error(), c.says)
			}
			if w.count() != 0 {
				t.Errorf("%d sent without a token", w.count())
			}
		})
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"  a\t\tb \n c ":                         "a b c",
		"expected <string>, got <b>x</b>":        "expected <string>, got x",
		"Traceback (most recent call last)":      "Traceback (most recent call last)",
		"boom Traceback (most recent call last)": "boom",
		"caf\xe9":                                "caf",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzComplaint(f *testing.F) {
	for _, body := range []string{"", "{}", `{"error_code":1,"message":"x","details":[{"@type":"a.ErrorInfo"}]}`, `{"error":{"message":"x"}}`, "<html><pre>A_B: c</pre>", "A_B: c", `{"detail":"d","scimType":"t"}`, "<pre>", "<PRE><pre>x</PRE>", `{"details":[{"@type":"x.BadRequest","field_violations":[{"field":"f"}]}]}`} {
		f.Add(400, body, "3")
	}
	const secret = "s3cr3t-value"
	f.Fuzz(func(t *testing.T, status int, body, after string) {
		h := http.Header{"Retry-After": {after}, "X-Request-Id": {after}}
		c := complaintOf(status, h, []byte(body+secret), secret)
		got := classify(callOf(createJob), c)
		text := got.Message + got.Advice + got.Code + got.RequestID
		switch {
		case got.Kind == "" || got.Message == "" || got.Advice == "":
			t.Errorf("incomplete: %+v", got.Error)
		case len(got.Message) > 1100 || len(got.Advice) > 1500 || len(got.RequestID) > maxRequestID:
			t.Errorf("unbounded: %d, %d", len(got.Message), len(got.Advice))
		case strings.Contains(text, secret):
			t.Errorf("shows the secret: %q", text)
		case strings.ContainsAny(text, "\r\n\x00\x1b"):
			t.Errorf("control characters: %q", text)
		case got.after < 0:
			t.Errorf("waits %s", got.after)
		}
	})
}
