package runs

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"
)

func event(kind, data string) string { return fmt.Sprintf("event: %s\ndata: %s\n\n", kind, data) }

func done(item string) string {
	return event("response.output_item.done", `{"type":"response.output_item.done","output_index":0,"item":`+item+`}`)
}

func completed(output string) string {
	return event("response.completed", `{"type":"response.completed","response":{"id":"resp_1","status":"completed","error":null,"output":`+output+`,"usage":{"input_tokens":3}}}`)
}

const created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"status\":\"in_progress\",\"output\":[]}}\n\n"

// What streams say, and what is true of it: contract/supervisor.md, section 8.
func TestStreams(t *testing.T) {
	long := strings.Repeat("x", 300_000)
	for name, c := range map[string]struct {
		stream string
		status Status
		items  int
		says   string
	}{
		"whole":             {created + done(callItem) + done(outputItem) + event("response.output_text.delta", `{"type":"response.output_text.delta","delta":"It"}`) + done(textItem1) + completed("["+callItem+","+outputItem+","+textItem1+"]"), Completed, 3, ""},
		"empty output":      {created + done(callItem) + done(outputItem) + done(textItem1) + completed("[]"), Completed, 3, ""},
		"error, lying end":  {created + event("error", `{"type":"error","code":"X","message":"it broke"}`) + completed("["+textItem1+"]"), Failed, 1, "it broke"},
		"error by line":     {created + event("error", `{"error_code":"X","message":"it broke"}`) + completed("[]"), Failed, 0, "it broke"},
		"error, EOF":        {created + event("error", `{"type":"error","message":"it broke"}`), Failed, 0, "it broke"},
		"error of a class":  {created + event("error", `{"type":"server_error","message":"it broke"}`) + completed("[]"), Failed, 0, "it broke"},
		"error, other line": {created + event("message", `{"type":"error","message":"it broke"}`) + completed("[]"), Failed, 0, "it broke"},
		"error of servers":  {created + "data: {\"error\":\"it broke\"}\n\n", Failed, 0, "it broke"},
		"EOF":               {created + done(callItem), Failed, 1, "ended early"},
		"DONE":              {created + done(textItem1) + "data: [DONE]\n\n", Failed, 1, "ended early"},
		"responses":         {created + done(textItem1) + event("responses.completed", `{"type":"responses.completed"}`), Completed, 1, ""},
		"no status":         {created + event("response.failed", `{"type":"response.failed","response":{"error":{"message":"it broke"}}}`), Failed, 0, "it broke"},
		"status lags":       {created + event("response.incomplete", `{"type":"response.incomplete","response":{"status":"in_progress","incomplete_details":{"reason":"content_filter"}}}`), Incomplete, 0, "content_filter"},
		"asks":              {created + done(request1) + completed("[]"), ApprovalRequired, 1, ""},
		"asks, EOF":         {created + done(request1), ApprovalRequired, 1, ""},
		"long line":         {created + done(strings.Replace(outputItem, "42", long, 1)) + completed("[]"), Completed, 1, ""},
		"noise":             {": ping\n\ndata: not json\n\ndata: {\"type\":\"response.new_thing\"}\n\n" + created + completed("["+textItem1+"]"), Completed, 1, ""},
		"sign-in":           {created + event("error", `{"type":"error","code":"oauth","message":"Please login first to the connection by visiting https://dbc-1.example/x"}`), Failed, 0, "https://dbc-1.example/x"},
		"trace on the last": {created + event("response.completed", `{"type":"response.completed","databricks_output":{"trace":{"id":"tr-1"}},"response":{"status":"completed","output":[`+textItem1+`]}}`), Completed, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &gateway{answers: map[string][]answer{posts: {{stream: io.NopCloser(strings.NewReader(c.stream))}}}}
				r := supervised(t.TempDir(), g)
				request := task()
				request.Stream = true
				run := mustStart(t, r, request)
				run, looked, err := r.Wait(t.Context(), gatewayUser, run.ID, func(*Run) {})
				if err != nil || looked != nil {
					t.Fatal(looked, err)
				}
				if run.Status != c.status || len(run.Items) != c.items || (run.Error == nil) != (c.says == "") || run.Error != nil && !strings.Contains(run.Error.Message, c.says) {
					t.Errorf("status %s with %d items, says %+v; want %s with %d, %q", run.Status, len(run.Items), run.Error, c.status, c.items, c.says)
				}
				if name == "trace on the last" && string(run.Trace) != `{"id":"tr-1"}` {
					t.Errorf("trace %s", run.Trace)
				}
				r.Registry.Close(t.Context())
				if kept, err := r.Registry.get(gatewayUser, run.ID); err != nil || kept.Status != run.Status || len(kept.Items) != len(run.Items) {
					t.Errorf("kept as %+v, %v", kept, err)
				}
				call := g.calls[0]
				if !call.Stream || call.Header.Get("Accept") != "text/event-stream" || strings.Contains(string(call.Body), "background") || len(g.calls) != 1 {
					t.Errorf("%d calls, body %s", len(g.calls), call.Body)
				}
			})
		})
	}
}

// A stream that is silent for good is no run that goes on for ever.
func TestSilentStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		r := supervised(t.TempDir(), &gateway{answers: map[string][]answer{posts: {{stream: read}}}})
		request := task()
		request.Stream = true
		run := mustStart(t, r, request)
		for range 2 { // pings are a sign of life
			time.Sleep(silenceTime - time.Second)
			fmt.Fprint(write, ": ping\n")
		}
		time.Sleep(silenceTime - time.Second)
		if run = mustLook(t, r, run.ID); run.Status != InProgress {
			t.Fatalf("ended early: %s, %+v", run.Status, run.Error)
		}
		time.Sleep(2 * time.Second)
		if run = mustLook(t, r, run.ID); run.Status != Failed || !strings.Contains(run.Error.Message, "nothing came for 10 minutes") {
			t.Errorf("status %s, %+v", run.Status, run.Error)
		}
		r.Registry.Close(t.Context())
	})
}

// A stream outlives the call that began it, and is looked at here and from another
// process; when this one ends, so does the run, truthfully.
func TestStreamIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		g := &gateway{answers: map[string][]answer{posts: {{stream: read}}}}
		dir := t.TempDir()
		r, other := supervised(dir, g), supervised(dir, g)
		request := task()
		request.Stream = true
		calling, cancel := context.WithCancel(t.Context())
		run, err := r.Start(calling, gatewayUser, "", request)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		fmt.Fprint(write, created)
		time.Sleep(persistTime)
		fmt.Fprint(write, done(callItem)+event("response.output_text.delta", `{"type":"response.output_text.delta","delta":"It is"}`))
		synctest.Wait()
		run = mustLook(t, r, run.ID)
		checkRun(t, run, InProgress, 1, "")
		if run.Doing != "writing, 5 characters" {
			t.Errorf("doing %q", run.Doing)
		}
		if seen := mustLook(t, other, run.ID); seen.Status != InProgress {
			t.Errorf("from elsewhere: %s", seen.Status)
		}
		waiting, cancel := context.WithTimeout(t.Context(), 45*time.Second)
		defer cancel()
		if run, _, err = r.Wait(waiting, gatewayUser, run.ID, func(*Run) {}); err != nil || run.Status != InProgress {
			t.Fatal(run.Status, err)
		}
		if !r.Registry.Holding() || other.Registry.Holding() {
			t.Error("who holds the stream is not told")
		}
		r.Registry.Close(t.Context())
		if r.Registry.Holding() {
			t.Error("the stream is held after the end")
		}
		write.Close()
		if seen := mustLook(t, other, run.ID); seen.Status != Abandoned || len(seen.Items) != 1 || seen.Error.Code != "not_held" {
			t.Errorf("after the end: %s, %+v", seen.Status, seen.Error)
		}
	})
}

// The record of a stream that nobody holds any more: its process was killed.
func TestStreamOfAKilledProcess(t *testing.T) {
	r := supervised(t.TempDir(), &gateway{})
	run := &Run{Owner: gatewayUser, Request: task(), Status: InProgress, Responses: []Response{{Stream: true, CreatedAt: time.Now()}}}
	unlock, err := r.Registry.add(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
	if seen := mustLook(t, r, run.ID); seen.Status != Abandoned || !strings.Contains(seen.Error.Message, "may have taken effect") {
		t.Errorf("%s, %+v", seen.Status, seen.Error)
	}
}

// A stream that is refused before it begins leaves no run; cancelling one closes it.
func TestStreamRefusedAndCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		defer write.Close()
		g := &gateway{answers: map[string][]answer{posts: {failing(catalog.Forbidden, 403, "", "no"), {stream: read}}}}
		r := supervised(t.TempDir(), g)
		request := task()
		request.Stream = true
		_, err := r.Start(t.Context(), gatewayUser, "", request)
		checkError(t, err, catalog.Forbidden, "CAN_RUN")
		synctest.Wait()
		if listed, _ := r.Registry.List(gatewayUser, "", func(*Run) (bool, bool) { return true, false }); len(listed.Runs) != 0 {
			t.Errorf("kept %+v", listed.Runs)
		}
		run := mustStart(t, r, request)
		got, err := r.Cancel(t.Context(), gatewayUser, run.ID)
		if err != nil || got.Status != Abandoned {
			t.Fatalf("%s, %v", got.Status, err)
		}
		write.Close() // what closing the connection does
		r.Registry.Close(t.Context())
		if kept := mustLook(t, r, run.ID); kept.Status != Abandoned {
			t.Errorf("kept as %s", kept.Status)
		}
	})
}

// A stream without an end fills no memory: what is beyond the bound is not kept.
func TestStreamWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stream strings.Builder
		stream.WriteString(created)
		for range 12 {
			stream.WriteString(done(strings.Replace(outputItem, "42", strings.Repeat("x", 1<<20), 1)))
		}
		r := supervised(t.TempDir(), &gateway{answers: map[string][]answer{posts: {{stream: io.NopCloser(strings.NewReader(stream.String()))}}}})
		request := task()
		request.Stream = true
		run := mustStart(t, r, request)
		run, _, err := r.Wait(t.Context(), gatewayUser, run.ID, func(*Run) {})
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, item := range run.Items {
			size += len(item)
		}
		if len(run.Items) != 12 || size > maxItemsBytes+4096 {
			t.Errorf("%d items of %d bytes", len(run.Items), size)
		}
		r.Registry.Close(t.Context())
	})
}

// A look whose outcome cannot be written down says so, without a path.
func TestLookThatCannotBeKept(t *testing.T) {
	run := &Run{ID: "run_1"}
	err := notKept(run, &os.PathError{Op: "open", Path: "/home/ana/state", Err: os.ErrPermission})
	checkError(t, err, catalog.Internal, "run_1", "permission denied", "writable")
	if strings.Contains(err.Error(), "/home") {
		t.Error(err)
	}
}
