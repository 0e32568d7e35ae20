package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"brickmcp/catalog"
	"brickmcp/transport/rest"
)

// overTLS is a client of a server of handler, with everything that real calls pass.
func overTLS(t *testing.T, handler http.Handler) (catalog.Caller, string) {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	client, err := rest.New(rest.Config{
		Host: server.URL, RoundTripper: server.Client().Transport,
		Token: func(context.Context) (string, error) { return "token", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return client, server.URL
}

// untilEnded polls over a real network, whose time is real.
func untilEnded(t *testing.T, r *Runner, run *Run) *Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended, _, err := r.Wait(ctx, ana, run.ID, func(*Run) {})
	if err != nil || !ended.Status.Ended() {
		t.Fatalf("%v: %+v", err, ended)
	}
	return ended
}

func wants(t *testing.T, r *http.Request, header, value string) {
	t.Helper()
	if got := r.Header.Get(header); got != value {
		t.Errorf("%s %s: %s is %q, want %q", r.Method, r.URL.Path, header, got, value)
	}
}

func TestDurableAppOverHTTP(t *testing.T) {
	t.Parallel()
	var posts, polls atomic.Int32
	var first atomic.Value
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/invocations", func(w http.ResponseWriter, r *http.Request) {
		wants(t, r, "Authorization", "Bearer token")
		if r.Header.Get(sessionHeader) == "" {
			t.Error("no session")
		}
		var in struct{ ID string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		if posts.Add(1) == 1 { // accepted, and its answer lost
			first.Store(in.ID)
			panic(http.ErrAbortHandler)
		}
		if in.ID != first.Load() {
			t.Errorf("sent again as %s, first as %v", in.ID, first.Load())
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, `{"id":%q,"status":"queued"}`, in.ID)
	})
	mux.HandleFunc("GET /api/invocations/{id}", func(w http.ResponseWriter, r *http.Request) {
		if polls.Add(1) == 1 {
			fmt.Fprint(w, `{"status":"active"}`)
			return
		}
		fmt.Fprint(w, `{"status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"done"}]}]}`)
	})
	mux.HandleFunc("GET /api/invocations/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		wants(t, r, "Accept", "text/event-stream")
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "id: 1\r\nevent: run.started\r\ndata: {}\r\n\r\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done() // it stays open: the look leaves
	})
	app, url := overTLS(t, mux)
	workspace := newScript(t, map[string][]scripted{getTheApp: {says(strings.Replace(appUp, "https://orders-1.example", url, 1))}})
	runner := runnerOf(&Apps{API: workspace, Open: func(_ context.Context, address string) (catalog.Caller, error) {
		if address != url {
			t.Errorf("opened %s", address)
		}
		return app, nil
	}})
	run := untilEnded(t, runner, start(t, runner, "apps/orders", asking("x")))
	wantRun(t, run, Completed, "done", "message")
	if posts.Load() != 2 {
		t.Errorf("%d requests", posts.Load())
	}
}

func TestLongRunningAppOverHTTP(t *testing.T) {
	t.Parallel()
	var posts, polls atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/invocations", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"detail":"Not Found"}`)
	})
	mux.HandleFunc("POST /responses", func(w http.ResponseWriter, _ *http.Request) {
		posts.Add(1)
		fmt.Fprint(w, `{"id":"resp_0123456789abcdef01234567","object":"response","created_at":1767225600,"status":"in_progress","error":null,"incomplete_details":null,"output":[],"metadata":{}}`)
	})
	mux.HandleFunc("GET /responses/{id}", func(w http.ResponseWriter, r *http.Request) {
		if polls.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable) // rest asks again
			return
		}
		fmt.Fprintf(w, `{"id":%q,"status":"completed","attempt_number":1,"output":[{"type":"message","id":"m","role":"assistant","content":"done"}]}`, r.PathValue("id"))
	})
	app, _ := overTLS(t, mux)
	workspace := newScript(t, map[string][]scripted{getTheApp: {says(appUp)}})
	runner := runnerOf(&Apps{API: workspace, Open: func(context.Context, string) (catalog.Caller, error) { return app, nil }})
	wantRun(t, untilEnded(t, runner, start(t, runner, "apps/orders", asking("x"))), Completed, "done", "message")

	// One whose answer is lost is not asked twice.
	posts.Store(0)
	lost, _ := overTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/responses" {
			posts.Add(1)
			panic(http.ErrAbortHandler)
		}
		http.NotFound(w, r)
	}))
	runner = runnerOf(&Apps{API: workspace, Open: func(context.Context, string) (catalog.Caller, error) { return lost, nil }})
	_, err := runner.Start(t.Context(), ana, "apps/orders", asking("x"))
	wantError(t, err, catalog.UnknownFate)
	if posts.Load() != 1 {
		t.Errorf("asked %d times", posts.Load())
	}
}

func TestEndpointOverHTTP(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/2.0/serving-endpoints/bot", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"name":"bot","task":"agent/v1/responses","state":{"ready":"READY"}}`)
	})
	mux.HandleFunc("POST /serving-endpoints/bot/invocations", func(w http.ResponseWriter, r *http.Request) {
		posts.Add(1)
		wants(t, r, "Accept", "text/event-stream")
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		if strings.Contains(string(body), "break off") {
			fmt.Fprint(w, frames(messageFrame))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		long := strings.Repeat("x", 200<<10) // longer than any scanner's line
		fmt.Fprint(w, ": hello\n\n"+frames(`{"type":"response.output_item.done","item":{"type":"function_call_output","call_id":"c","output":"`+long+`"}}`))
		w.(http.Flusher).Flush()
		fmt.Fprint(w, frames(messageFrame, "[DONE]"))
	})
	api, _ := overTLS(t, mux)
	runner := runnerOf(&Endpoints{API: api})
	wantRun(t, untilEnded(t, runner, start(t, runner, "endpoints/bot", asking("x"))), Completed, "Hello.", "function_call_output", "message")

	run := untilEnded(t, runner, start(t, runner, "endpoints/bot", asking("break off")))
	if run.Status != Failed || run.Error.Code != "stream_ended" || posts.Load() != 2 {
		t.Errorf("%s %+v after %d requests", run.Status, run.Error, posts.Load())
	}
}

func TestGenieOverHTTP(t *testing.T) {
	t.Parallel()
	var posts, polls atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+genieSpace+"/start-conversation", func(w http.ResponseWriter, _ *http.Request) {
		if posts.Add(1) == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests) // before anything was asked
			return
		}
		fmt.Fprint(w, askedGenie)
	})
	mux.HandleFunc(getMessage, func(w http.ResponseWriter, _ *http.Request) {
		if polls.Add(1) == 1 {
			fmt.Fprint(w, `{"status":"EXECUTING_QUERY"}`)
			return
		}
		fmt.Fprint(w, `{"status":"COMPLETED",`+withQuery+`]}`)
	})
	mux.HandleFunc(getRows, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, twoRows) })
	api, _ := overTLS(t, mux)
	runner := runnerOf(&Genie{API: api})
	run := untilEnded(t, runner, start(t, runner, "genie/s1", asking("x")))
	if run.Status != Completed || !strings.Contains(run.OutputText(), "AT | 3") || posts.Load() != 2 {
		t.Errorf("%s %q after %d questions", run.Status, run.OutputText(), posts.Load())
	}
}
