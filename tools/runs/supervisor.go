package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	// DefaultModel is used where a request names none. Which models there are only the
	// workspace knows: nothing is checked against a list.
	DefaultModel = "databricks-claude-sonnet-4-5"

	// supervisorLimit is how long the service lets a response run
	// (contract/supervisor.md, section 5), and supervisorSlack what is given on top
	// before it is taken for lost.
	supervisorLimit = 30 * time.Minute
	supervisorSlack = 2 * time.Minute
	// settleTime is how long after its start a response may not be found yet.
	settleTime = 30 * time.Second
)

// Supervisor is the Backend of the Supervisor API. Its documented end of life is
// 30 September 2026: a workspace that has it no more is asked at most every ten
// minutes.
type Supervisor struct {
	API  catalog.Caller
	Path string        // of responses; "": catalog.SupervisorPath
	Host func() string // of the workspace: where people may be sent to sign in; nil: nowhere
	// Permits reports whether whoever is behind ctx may ask an agent, which is named
	// only then; nil: any.
	Permits func(ctx context.Context, agent string) bool

	mu   sync.Mutex
	gone gone
}

var _ Backend = (*Supervisor)(nil)

// body is a request as the API takes it: section 2.
type body struct {
	Model            string            `json:"model"`
	Input            []json.RawMessage `json:"input"`
	Instructions     string            `json:"instructions,omitempty"`
	Tools            []json.RawMessage `json:"tools,omitempty"`
	Background       bool              `json:"background,omitempty"`
	Stream           bool              `json:"stream,omitempty"`
	TraceDestination json.RawMessage   `json:"trace_destination,omitempty"`
	Options          *options          `json:"databricks_options,omitempty"`
	Reasoning        json.RawMessage   `json:"reasoning,omitempty"`
}

type options struct {
	ReturnTrace bool `json:"return_trace"`
}

// call is the POST of the run as it stands, with its whole history.
func (s *Supervisor) call(ctx context.Context, run *Run, stream bool) (*catalog.Call, error) {
	b := body{
		Model: run.Request.Model, Instructions: run.Request.Instructions, Tools: run.Request.Tools,
		TraceDestination: run.Request.TraceDestination, Reasoning: run.Request.Reasoning,
		Background: !stream, Stream: stream,
	}
	if run.Request.ReturnTrace {
		b.Options = &options{ReturnTrace: true}
	}
	for _, item := range slices.Concat(run.Request.Input, run.Items) {
		b.Input = append(b.Input, outgoing(item))
	}
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, &catalog.Error{Kind: catalog.Internal, Err: err, Message: "the history of run " + run.ID + " cannot be sent: it is no valid JSON", Advice: "Start a new run."}
	}
	header := http.Header{}
	TraceContext(ctx).set(header)
	if stream {
		header.Set("Accept", "text/event-stream")
	}
	return &catalog.Call{Row: &catalog.CreateResponse.Row, Path: s.path(""), Body: raw, Header: header, Stream: stream, Object: run.ID}, nil
}

func (s *Supervisor) path(id string) string {
	path := s.Path
	if path == "" {
		path = catalog.SupervisorPath
	}
	if id == "" {
		return path
	}
	return path + "/" + url.PathEscape(id)
}

// Start implements Backend.
func (s *Supervisor) Start(ctx context.Context, run *Run) error {
	if err := s.remembered(ctx); err != nil {
		return err
	}
	if run.Request.Model == "" {
		run.Request.Model = DefaultModel // from now on: a continuation must name the same
	}
	if run.Request.Stream {
		return s.stream(ctx, run)
	}
	return s.post(ctx, run)
}

// Continue implements Backend. A run that began as a stream goes on in the
// background: turns of both kinds may be mixed.
func (s *Supervisor) Continue(ctx context.Context, run *Run, _ []Decision) error {
	return s.post(ctx, run)
}

func (s *Supervisor) post(ctx context.Context, run *Run) error {
	call, err := s.call(ctx, run, false)
	if err != nil {
		return err
	}
	answer, err := s.API.Do(ctx, call)
	if err != nil {
		return s.explain(ctx, run, err)
	}
	response := gjson.ParseBytes(answer.Body)
	id := response.Get("id").Str
	if !gjson.ValidBytes(answer.Body) || !validResponseID(id) {
		return &catalog.Error{Kind: catalog.UnknownFate, Status: answer.Status, RequestID: answer.RequestID,
			Message: "the Supervisor answered without a response id, so whether the run began is not known", Advice: catalog.CreateResponse.Verify}
	}
	run.Conversation = run.ID
	run.Responses = append(run.Responses, Response{ID: id, CreatedAt: time.Now().UTC(), From: len(run.Items)})
	s.read(run, response)
	return nil
}

// validResponseID: it becomes part of a path.
func validResponseID(id string) bool {
	return id != "" && id != "." && id != ".." && len(id) <= 512
}

// Poll implements Backend.
func (s *Supervisor) Poll(ctx context.Context, run *Run) error {
	last := run.LastResponse()
	switch {
	case last == nil || last.Stream:
		if !run.Live() {
			run.End(Abandoned, heldNoMore())
		}
		return nil
	}
	age := time.Since(last.CreatedAt)
	answer, err := s.API.Do(ctx, &catalog.Call{Row: &catalog.GetResponse.Row, Path: s.path(last.ID), Object: "response " + last.ID})
	var e *catalog.Error
	switch {
	case errors.As(err, &e) && (e.Kind == catalog.Missing || e.Status == http.StatusGone) && (age > settleTime || e.MissingRoute):
		why := "the service does not know it any more: results are kept for at most 30 days, and not forever where the Supervisor API was switched off"
		run.End(Expired, &Failure{Code: "not_found", Message: why})
		return nil
	case e != nil && age > supervisorLimit+supervisorSlack && noSupervisor(e, run):
		run.End(Expired, &Failure{Code: "not_found", Message: "the Supervisor API was switched off in this workspace, and what came of the run went with it: " + e.Message})
		return nil
	case err != nil:
		return err
	case !gjson.ValidBytes(answer.Body) || !gjson.GetBytes(answer.Body, "status").Exists():
		return &catalog.Error{Kind: catalog.Down, Status: answer.Status, RequestID: answer.RequestID, Message: "response " + last.ID + ": the answer is no response", Advice: "Look again."}
	}
	s.read(run, gjson.ParseBytes(answer.Body))
	if run.Status.Polls() && age > supervisorLimit+supervisorSlack {
		run.End(Failed, &Failure{Code: "timed_out", Message: "timed out (service limit): the service ends a run after 30 minutes, and this one has not reported its end"})
	}
	return nil
}

// Cancel implements Backend. The API documents no cancel; it is tried.
func (s *Supervisor) Cancel(ctx context.Context, run *Run) (bool, error) {
	last := run.LastResponse()
	if last == nil || last.Stream {
		if !run.Release() && !run.Live() {
			run.End(Abandoned, heldNoMore())
		}
		return false, nil
	}
	answer, err := s.API.Do(ctx, &catalog.Call{Row: &catalog.CancelResponse.Row, Path: s.path(last.ID) + "/cancel", Body: []byte("{}"), Object: "response " + last.ID})
	var e *catalog.Error
	switch {
	case errors.As(err, &e) && (e.Kind == catalog.Missing || e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotImplemented || e.Status == http.StatusConflict || e.Kind == catalog.Invalid):
		// It cannot, or there is nothing to stop: a look tells the two apart.
		look := run.clone()
		if s.Poll(ctx, look) == nil && !look.Status.Polls() && look.Status != Expired {
			run.bring(look)
		} else {
			run.End(Abandoned, &Failure{Code: "not_supported", Message: "not supported by the service: the run ends by itself within 30 minutes of its start, and may still have effects; here nobody looks at it any more"})
		}
		return false, nil
	case err != nil:
		return false, err
	}
	if response := gjson.ParseBytes(answer.Body); response.Get("status").Exists() {
		s.read(run, response)
		if run.Status.Polls() {
			run.End(Abandoned, &Failure{Code: "not_stopped", Message: "the service took the request to stop it, but had not stopped it yet: it may still have effects; here nobody looks at it any more"})
		}
		return run.Status == Cancelled, nil
	}
	return true, nil
}

// read takes a response over, and makes a sign-in that it asks for safe to show.
func (s *Supervisor) read(run *Run, response gjson.Result) {
	run.read(response)
	s.offerSignIn(run.Error)
}

var webAddress = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`https?://[^\s"'<>]+`) })

// offerSignIn finds where the user has to sign in to a connection: an error of code
// oauth names it in its text (section 10). Nobody is sent anywhere but to the
// workspace.
func (s *Supervisor) offerSignIn(f *Failure) {
	if f == nil || !strings.EqualFold(f.Code, "oauth") && !strings.Contains(f.Message, "Please login first to the connection") {
		return
	}
	own := ""
	if s.Host != nil {
		own = s.Host()
	}
	f.Message = webAddress().ReplaceAllStringFunc(f.Message, func(address string) string {
		address = strings.TrimRight(address, ".,;)")
		if at, err := url.Parse(address); err == nil && at.User == nil && own != "" && strings.EqualFold(at.Host, hostOf(own)) &&
			(at.Scheme == "https" || at.Scheme == "http" && strings.HasPrefix(own, "http://") && loopback(at.Hostname())) {
			f.SignInURL = address
			return address
		}
		return "(an address elsewhere, which is not shown)"
	})
}

// loopback reports a host of this machine, where a sandbox may be.
func loopback(name string) bool {
	ip := net.ParseIP(name)
	return strings.EqualFold(name, "localhost") || ip != nil && ip.IsLoopback()
}

// hostOf is the host of a URL, or of a bare host name.
func hostOf(host string) string {
	if u, err := url.Parse(host); err == nil && u.Host != "" {
		return u.Host
	}
	return strings.TrimSuffix(host, "/")
}

// toolNeeds is section 3: what each type of tool asks of the caller.
var toolNeeds = [][3]string{
	{"genie_space", "genie", "CAN_RUN on the space, CAN_USE on its warehouse and SELECT on its data"},
	{"uc_function", "unity-catalog", "EXECUTE on the function, USE SCHEMA, USE CATALOG"},
	{"uc_connection", "unity-catalog", "USE CONNECTION"},
	{"app", "apps", "CAN_USE on the app"},
	{"knowledge_assistant", "model-serving", "CAN_QUERY on its endpoint"},
}

// needs says what the tools of a request ask for.
func needs(request Request) string {
	said := []string{"CAN_QUERY on the model (scope ai-gateway)"}
	for _, need := range toolNeeds {
		if slices.ContainsFunc(request.Tools, func(tool json.RawMessage) bool { return gjson.GetBytes(tool, "type").Str == need[0] }) {
			said = append(said, fmt.Sprintf("%s: %s (scope %s)", need[0], need[2], need[1]))
		}
	}
	return strings.Join(said, "; ")
}

// explain adds to an error of the POST what only this API knows.
func (s *Supervisor) explain(ctx context.Context, run *Run, err error) error {
	e := *catalog.AsError(err)
	nothing := " Nothing was started."
	if run.Sending != nil && run.Sending.What == "continue" {
		nothing = " The run waits as before: its approvals can be answered again."
	}
	switch {
	case noSupervisor(&e, run):
		return s.leave(ctx, &e)
	case e.Kind == catalog.Forbidden:
		e.Advice = "The user needs " + needs(run.Request) + "." + nothing
	case e.Kind == catalog.Missing:
		e.Advice = "Check the model (" + run.Request.Model + ") and the names of the tools." + nothing
	case e.Kind == catalog.Invalid:
		e.Advice = "Correct the request; the message says what." + nothing
	case e.Kind == catalog.UnknownFate:
		e.Advice = catalog.StartSupervisorRun.Verify
	}
	return &e
}
