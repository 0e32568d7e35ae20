package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// stream starts a run in the foreground. The stream is read beyond the call: when
// that ends, the run is looked at like any other, as long as this process lives.
func (s *Supervisor) stream(ctx context.Context, run *Run) error {
	call, err := s.call(ctx, run, true)
	if err != nil {
		return err
	}
	run.Status, run.Conversation = InProgress, run.ID
	run.Responses = append(run.Responses, Response{CreatedAt: time.Now().UTC(), Status: "in_progress", From: len(run.Items), Stream: true})
	opened := make(chan error, 1)
	err = run.Hold(supervisorLimit+supervisorSlack, func(holding context.Context, held *Held) {
		answer, err := s.API.Do(holding, call)
		opened <- err
		if err != nil {
			held.Update(func(r *Run) {
				if r.Status.Polls() { // Start told it, unless its caller was gone
					status := Failed
					if catalog.AsError(err).Kind == catalog.UnknownFate {
						status = Unknown
					}
					r.End(status, &Failure{Code: string(catalog.AsError(err).Kind), Message: catalog.AsError(err).Message})
				}
			})
			return
		}
		defer context.AfterFunc(holding, func() { answer.Stream.Close() })()
		defer answer.Stream.Close()
		stream := watch(answer.Stream)
		defer stream.silence.Stop()
		s.follow(stream, held)
	})
	if err != nil {
		return err
	}
	select {
	case err := <-opened:
		if err != nil {
			return s.explain(ctx, run, err)
		}
	case <-ctx.Done(): // it goes on without the caller
	}
	return nil
}

// silenceTime is how long a stream may be silent before it is taken for broken.
const silenceTime = 10 * time.Minute

// watched is a stream that is closed when nothing comes.
type watched struct {
	io.ReadCloser
	silence *time.Timer
}

func watch(stream io.ReadCloser) *watched {
	return &watched{stream, time.AfterFunc(silenceTime, func() { stream.Close() })}
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	switch {
	case err == nil:
		w.silence.Reset(silenceTime)
	case !w.silence.Stop():
		return n, errSilent
	}
	return n, err
}

var errSilent = errors.New("nothing came for 10 minutes")

// follow reads a stream to its end: section 8.
func (s *Supervisor) follow(stream io.Reader, held *Held) {
	events := NewEvents(stream)
	f := follower{supervisor: s, held: held}
	for {
		event, err := events.Next()
		if err != nil {
			f.end(err)
			return
		}
		if f.event(event) {
			return
		}
	}
}

// follower is what was seen of a stream so far.
type follower struct {
	supervisor *Supervisor
	held       *Held
	failure    *Failure // an error event wins over everything behind it
	written    int      // bytes of text of the message under way
}

// event takes one event over; true ends the stream.
func (f *follower) event(event Event) (ended bool) {
	if string(event.Data) == "[DONE]" {
		f.end(io.EOF)
		return true
	}
	if !gjson.ValidBytes(event.Data) {
		return false
	}
	data := gjson.ParseBytes(event.Data)
	kind := data.Get("type").Str
	if kind == "" || event.Type == "error" { // whose data may have no type, or that of the error
		kind = event.Type
	}
	switch kind {
	case "error":
		f.fail(errorOf(data))
	case "response.output_item.done":
		f.item(data.Get("item"))
	case "response.output_item.added":
		f.doing(data.Get("item"))
	case "response.output_text.delta":
		f.written += len(data.Get("delta").Str)
		f.update(func(r *Run) { r.Doing = fmt.Sprintf("writing, %d characters", f.written) })
	case "response.created", "response.queued", "response.in_progress":
		id := data.Get("response.id").Str
		f.update(func(r *Run) {
			if validResponseID(id) {
				r.LastResponse().ID = id
			}
			f.trace(r, data)
		})
	case "response.completed", "responses.completed", "response.failed", "response.incomplete", "response.cancelled":
		f.last(kind, data)
		return true
	default:
		if f.update(func(r *Run) { f.trace(r, data) }); kind == "" && data.Get("error").Exists() {
			f.fail(errorOf(data.Get("error"))) // of agent servers: no type
		}
	}
	return false
}

func (f *follower) update(change func(*Run)) { f.held.Update(change) }

// trace looks for a trace beside the response and in it.
func (f *follower) trace(r *Run, data gjson.Result) {
	for _, at := range []gjson.Result{data, data.Get("response")} {
		if trace := traceOf(at); trace != nil {
			r.Trace = trace
		}
	}
}

func (f *follower) fail(failure *Failure) {
	if failure == nil {
		failure = &Failure{Message: "the service reports an error without a reason"}
	}
	f.supervisor.offerSignIn(failure)
	f.failure = failure
}

func (f *follower) item(item gjson.Result) {
	if !item.IsObject() {
		return
	}
	raw := json.RawMessage([]byte(item.Raw))
	f.written = 0
	f.update(func(r *Run) {
		r.Items = keep(r.Items, raw) // a stream has no end of its own
		r.Doing = ""
	})
}

func (f *follower) doing(item gjson.Result) {
	what := item.Get("type").Str
	if name := item.Get("name").Str; name != "" {
		what = "calling " + name
	}
	f.update(func(r *Run) { r.Doing = what })
}

// last takes the response of a terminal event over. Its output may be empty, and
// after an error its status lies.
func (f *follower) last(kind string, data gjson.Result) {
	response := data.Get("response")
	if _, word, _ := strings.Cut(kind, "."); statusOf(response.Get("status").Str).Polls() {
		// A terminal event ends it, whatever its response says.
		raw := response.Raw
		if !response.IsObject() {
			raw = "{}"
		}
		if ended, err := sjson.Set(raw, "status", word); err == nil {
			response = gjson.Parse(ended)
		}
	}
	f.update(func(r *Run) {
		if id := response.Get("id").Str; validResponseID(id) {
			r.LastResponse().ID = id
		}
		f.trace(r, data)
		r.Doing = ""
		if f.failure != nil {
			r.readOutput(response.Get("output"), Failed)
			r.End(Failed, f.failure)
			return
		}
		f.supervisor.read(r, response)
	})
}

// end is the end of a stream without a terminal event.
func (f *follower) end(err error) {
	f.update(func(r *Run) {
		switch {
		case !r.Status.Polls():
		case f.failure != nil:
			r.End(Failed, f.failure)
		case err == io.EOF && len(r.Pending()) > 0:
			r.Status = ApprovalRequired
		default:
			why := "the stream ended early"
			if errors.Is(err, errSilent) {
				why += " (" + errSilent.Error() + ")"
			}
			r.End(Failed, &Failure{Code: "stream_ended", Message: why + ": what the agent had begun may have taken effect"})
		}
	})
}
