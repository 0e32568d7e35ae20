package sandbox

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseFault(t *testing.T) {
	for rule, want := range map[string]Fault{
		"429": {Kind: FaultStatus, Status: 429},
		"429:path=/api/2.2/jobs/*,method=GET,count=3,retry-after=2": {Kind: FaultStatus, Status: 429, Path: "/api/2.2/jobs/*", Method: "GET", Count: 3, RetryAfter: 2 * time.Second},
		"503:probability=0.5,seed=7,skip=2,every=3":                 {Kind: FaultStatus, Status: 503, Probability: 0.5, Seed: 7, Skip: 2, Every: 3},
		"503:retry-after=1.5s,code=X,message=slow down":             {Kind: FaultStatus, Status: 503, RetryAfter: 1500 * time.Millisecond, Code: "X", Message: "slow down"},
		"latency=200ms":            {Kind: FaultLatency, Delay: 200 * time.Millisecond},
		"reset:when=after":         {Kind: FaultReset, After: true},
		"reset:when=before":        {Kind: FaultReset},
		"truncate:path=*/list":     {Kind: FaultTruncate, Path: "*/list"},
		"html":                     {Kind: FaultHTML},
		"html:status=503":          {Kind: FaultHTML, Status: 503},
		"empty:status=502,count=1": {Kind: FaultEmpty, Status: 502, Count: 1},
	} {
		got, err := ParseFault(rule)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", rule, got, err, want)
		}
		if again, err := ParseFault(got.String()); err != nil || again != got {
			t.Errorf("%s: written as %s, reads back as %+v, %v", rule, got, again, err)
		}
	}
	for rule, why := range map[string]string{
		"":                               `unknown kind ""`,
		"nonsense":                       `unknown kind "nonsense"`,
		"200":                            `unknown kind "200"`,
		"600":                            `unknown kind "600"`,
		"+429":                           `unknown kind "+429"`,
		"429:":                           `"" is not key=value`,
		"429:count":                      `"count" is not key=value`,
		"429:count=0":                    "count needs a whole number from 1",
		"429:count=1,count=2":            "count is given twice",
		"429:colour=red":                 `unknown key "colour"`,
		"429:path=jobs":                  "path must begin with / or *",
		"429:method=get":                 "method must be GET",
		"429:probability=NaN":            "probability must be above 0",
		"429:probability=1.1":            "probability must be above 0",
		"429:retry-after=soon":           "retry-after needs seconds",
		"429:retry-after=0":              "retry-after needs seconds",
		"429:when=during":                "when must be before or after",
		"429:status=500":                 "status does not go with status",
		"latency":                        "latency needs a duration",
		"latency=-1s":                    "latency needs a duration",
		"latency=1s:when=after":          "when does not go with latency",
		"reset=1":                        "reset takes no value",
		"reset:retry-after=1":            "retry-after does not go with reset",
		"html:status=99":                 "status must be 200 to 599",
		"empty:message=x":                "message does not go with empty",
		"503:seed=-1":                    "seed needs a whole number",
		"503:every=99999999999999999999": "every needs a whole number",
	} {
		_, err := ParseFault(rule)
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "retry-after, status, code, message") {
			t.Errorf("%q: got %v, want %q and the syntax", rule, err, why)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	for _, rule := range []string{"429:path=/a*,method=GET,count=3,retry-after=2", "latency=1ms:every=2", "reset:when=after", "html:status=200", "503:probability=0.1,seed=3"} {
		f.Add(rule)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		fault, err := ParseFault(rule)
		if err != nil {
			return
		}
		again, err := ParseFault(fault.String())
		if err != nil || again != fault {
			t.Fatalf("%q became %q, which reads as %+v, %v; want %+v", rule, fault, again, err, fault)
		}
	})
}

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/a/b", "/a/b", true}, {"/a/b", "/a/bc", false}, {"/a/*", "/a/b/c", true}, {"*/list", "/api/jobs/list", true},
		{"*/list", "/api/jobs/lists", false}, {"/a/*/c", "/a/c", false}, {"/a/*/c", "/a/b/b/c", true}, {"*", "", true}, {"a*a", "a", false},
	} {
		if got := glob(c.pattern, c.path); got != c.want {
			t.Errorf("glob(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

// faulty is a workspace with rules, called in process and over a socket: both
// must look the same to a client.
func faulty(t *testing.T, rules ...string) map[string]func(method, path, body string) (*http.Response, string, error) {
	t.Helper()
	out := map[string]func(method, path, body string) (*http.Response, string, error){}
	for _, way := range []string{"in process", "socket"} {
		var faults []Fault
		for _, r := range rules {
			f, err := ParseFault(r)
			if err != nil {
				t.Fatal(err)
			}
			faults = append(faults, f)
		}
		w, err := New(Options{Clock: newTurnClock(), Faults: faults})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.Close() })
		client, base := &http.Client{Transport: w.RoundTripper()}, "http://sandbox.invalid"
		if way == "socket" {
			server := httptest.NewServer(w)
			t.Cleanup(server.Close)
			client, base = server.Client(), server.URL
			client.Transport.(*http.Transport).DisableKeepAlives = true // a retry by net/http would hide a reset
		}
		out[way] = func(method, path, body string) (*http.Response, string, error) {
			req, err := http.NewRequest(method, base+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+Token)
			resp, err := client.Do(req)
			if err != nil {
				return nil, "", err
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			return resp, string(text), err
		}
	}
	return out
}

const (
	scopesList   = "/api/2.0/secrets/scopes/list"
	scopesCreate = "/api/2.0/secrets/scopes/create"
)

func TestFaultStatus(t *testing.T) {
	for way, call := range faulty(t, "429:path="+scopesList+",method=GET,count=2,retry-after=1500ms") {
		for n := range 3 {
			resp, body, err := call("GET", scopesList, "")
			if err != nil {
				t.Fatal(way, err)
			}
			if n == 2 {
				if resp.StatusCode != 200 || !strings.Contains(body, `"scopes"`) {
					t.Errorf("%s: after count the workspace answers %d %s", way, resp.StatusCode, body)
				}
				continue
			}
			if resp.StatusCode != 429 || resp.Header.Get("Retry-After") != "2" ||
				!strings.Contains(body, "REQUEST_LIMIT_EXCEEDED") || !strings.Contains(body, `"retry_delay":"1.5s"`) {
				t.Errorf("%s: %d %v %s", way, resp.StatusCode, resp.Header, body)
			}
		}
		if resp, _, err := call("POST", scopesCreate, `{"scope":"x"}`); err != nil || resp.StatusCode != 200 {
			t.Errorf("%s: a rule for GET struck a POST: %v %v", way, resp, err)
		}
	}
}

// A lost answer: the caller cannot tell whether the scope was made.
func TestFaultReset(t *testing.T) {
	for when, made := range map[string]bool{"before": false, "after": true} {
		for way, call := range faulty(t, "reset:method=POST,when="+when) {
			_, _, err := call("POST", scopesCreate, `{"scope":"doubtful"}`)
			if err == nil || !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: got %v, want a broken connection", when, way, err)
			}
			_, body, err := call("GET", scopesList, "")
			if err != nil || strings.Contains(body, "doubtful") != made {
				t.Errorf("%s, %s: %v %s", when, way, err, body)
			}
		}
	}
}

func TestFaultBodies(t *testing.T) {
	for way, call := range faulty(t, "truncate:count=1", "html:skip=1,count=1", "html:status=503,skip=2,count=1", "empty:status=502,skip=3,count=1", "empty") {
		resp, body, err := call("GET", scopesList, "")
		if resp == nil || resp.StatusCode != 200 || !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 || !strings.HasPrefix(body, `{"scopes"`) {
			t.Errorf("%s, truncate: %v %q %v", way, resp, body, err)
		}
	}
	for rule, want := range map[string]struct {
		status int
		prefix string
	}{
		"html": {200, "<!doctype html>"}, "html:status=503": {503, "<!doctype html>"}, "empty": {200, ""}, "empty:status=502": {502, ""},
	} {
		for way, call := range faulty(t, rule) {
			resp, body, err := call("GET", scopesList, "")
			if err != nil || resp.StatusCode != want.status || !strings.HasPrefix(body, want.prefix) || want.prefix == "" && body != "" {
				t.Errorf("%s, %s: %v %q %v", rule, way, resp, body, err)
			}
		}
	}
}

func TestFaultSelection(t *testing.T) {
	count := func(rule string) (struck []int) {
		call := faulty(t, rule)["in process"]
		for n := range 12 {
			resp, _, err := call("GET", scopesList, "")
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode == 503 {
				struck = append(struck, n)
			}
		}
		return struck
	}
	if got := count("503:every=4"); !reflect.DeepEqual(got, []int{3, 7, 11}) {
		t.Error("every:", got)
	}
	if got := count("503:skip=2,count=3"); !reflect.DeepEqual(got, []int{2, 3, 4}) {
		t.Error("skip and count:", got)
	}
	once, again, other := count("503:probability=0.5,seed=1"), count("503:probability=0.5,seed=1"), count("503:probability=0.5,seed=2")
	if !reflect.DeepEqual(once, again) || reflect.DeepEqual(once, other) || len(once) == 0 || len(once) == 12 {
		t.Error("probability:", once, again, other)
	}
}

// Delays add to what else applies and end with the request.
func TestFaultLatency(t *testing.T) {
	for way, call := range faulty(t, "latency=1ms", "503:count=1") {
		if resp, _, err := call("GET", scopesList, ""); err != nil || resp.StatusCode != 503 {
			t.Errorf("%s: a delay must not hide the next rule: %v %v", way, resp, err)
		}
	}
	w, err := New(Options{Faults: []Fault{{Kind: FaultLatency, Delay: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	client := &http.Client{Transport: w.RoundTripper(), Timeout: time.Millisecond}
	if _, err := client.Get("http://sandbox.invalid" + scopesList); err == nil {
		t.Error("an hour's delay answered within a millisecond")
	}
}
