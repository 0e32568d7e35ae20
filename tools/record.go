package tools

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools/audit"
	"brickmcp/tools/policy"
	"brickmcp/tools/sqlguard"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
	"go.uber.org/zap"
)

// AuditNeed says what an audit log that cannot be written stops.
type AuditNeed string

// The needs, strictest first.
const (
	AuditAll    AuditNeed = "all"    // every call
	AuditWrites AuditNeed = "writes" // whatever is no read; the default
	AuditNone   AuditNeed = "none"   // nothing: what is lost is said in the server's log
)

// record is what one call leaves in the audit log: a line before anything is sent,
// so that also a killed process leaves a trace of what it did, and a line before
// the answer is given.
type record struct {
	s       *Server // of the workspace
	row     *catalog.Row
	began   time.Time
	line    audit.Line
	call    *catalog.Call // once it is bound
	told    bool          // the line before was written
	touches []catalog.Touch
	named   string // the object's name, if it is known
	reads   string // the tables and files of a query
	waits   string // until when a confirmation is waited for
	naming  chan struct{}

	mu       sync.Mutex
	requests []string
}

const (
	nameTime     = 5 * time.Second        // for looking up a name
	namePatience = 200 * time.Millisecond // of a line that is ready but for the name
)

// maxRequestIDs bounds the request ids of one line: a list or a poll has many.
const maxRequestIDs = 20

type recordKey struct{}

// newRecord begins the record of a call; nil when nothing is written down or counted.
func (s *Server) newRecord(ctx context.Context, row *catalog.Row) *record {
	if s.audit == nil && s.observe == nil {
		return nil
	}
	r := &record{s: s, row: row, began: time.Now()}
	r.line = audit.Line{
		Call: callID(), Client: clientOf(ctx), Tool: row.Name, Effect: row.Effect.String(), Workspace: s.place(),
	}
	if row.Group != nil {
		r.line.Group, r.line.Endpoint = row.Group.ID, row.Endpoint()
	}
	who, _ := s.identities.last()
	r.line.User, r.line.AuthType = who.User, who.AuthType
	return r
}

// callID joins the lines of a call. It only has to be rare.
func callID() string {
	var b [6]byte
	binary.BigEndian.PutUint16(b[:], uint16(rand.Uint32()))
	binary.BigEndian.PutUint32(b[2:], rand.Uint32())
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// commandLine is the client of calls that no MCP client makes.
const commandLine = "brickmcp call"

func clientOf(ctx context.Context) string {
	name, version := Client(ctx)
	switch {
	case name == "":
		return commandLine
	case version == "":
		return clipped(name)
	}
	return clipped(name) + " " + clipped(version)
}

// clipped bounds what a client says of itself.
func clipped(text string) string { return cutText(text, 100) }

// bound tells the record what the call is about, once that is known.
func (r *record) bound(call *catalog.Call, args json.RawMessage, objects []policy.Object) {
	if r == nil {
		return
	}
	if r.line.Arguments == nil { // the same before and behind Bind
		r.line.Arguments = r.row.Recorded(args)
	}
	if call == nil {
		return
	}
	r.call, r.line.Object, r.touches = call, call.Object, call.Touches
	r.named = ""
	for _, o := range objects {
		if o.Name != "" && o.ID != "" && strings.HasSuffix(call.Object, " "+o.ID) {
			r.named = o.Name
		}
	}
}

// findName looks the object's name up while a write is under way: people read names.
// Nothing waits for it but the last line, and that only a moment.
func (r *record) findName(ctx context.Context, earlier json.RawMessage) {
	if r == nil || r.s.audit == nil {
		return
	}
	path := "new_settings.name"
	if r.row == &catalog.DeleteJob.Row { // afterwards nobody knows it
		path = "name"
	}
	if name := gjson.GetBytes(earlier, path).String(); name != "" {
		r.named = name
	}
	if r.named != "" || r.row.Effect.ReadOnly() {
		return
	}
	for _, t := range r.touches {
		if _, ok := nameable[t.Scope]; !ok || t.ID == "" || r.s.lookups.name(t.Scope, t.ID) != "" {
			continue
		}
		naming := make(chan struct{})
		r.naming = naming
		detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), nameTime)
		r.s.background.Go(func() {
			defer cancel()
			defer close(naming)
			_, _ = r.s.lookups.Object(detached, t.Scope, t.ID) // a name is all that is lost
		})
		return
	}
}

// queriedNames is how many tables and files of a query a sentence names.
const queriedNames = 4

// queried tells the record what a query reads and where, once that is known.
func (r *record) queried(call *catalog.Call, q *sqlguard.Query, warehouse string) {
	if r == nil {
		return
	}
	r.line.Object = call.Object
	r.named = cmp.Or(r.named, warehouse)
	var names []string
	for _, table := range q.Tables {
		names = append(names, setOff(clipped(table.String())))
	}
	for _, path := range q.Paths {
		names = append(names, setOff(clipped(path)))
	}
	if more := len(names) - queriedNames; more > 0 {
		names = append(names[:queriedNames], strconv.Itoa(more)+" more")
	}
	r.reads = strings.Join(names, ", ")
}

// object is what the call is about, with the name if it is known by now.
func (r *record) object() string {
	name := r.named
	for _, t := range r.touches {
		if name == "" && t.ID != "" && strings.HasSuffix(r.line.Object, " "+t.ID) {
			name = r.s.lookups.name(t.Scope, t.ID)
		}
	}
	object := setOff(r.line.Object)
	if name == "" || object == "" {
		return object
	}
	return object + " '" + strings.ReplaceAll(clipped(name), "'", "’") + "'"
}

// setOff is a name that others chose, for a sentence. One with the marks that part
// the sentence stands in quotes, or it could go on in the sentence's own words.
func setOff(name string) string {
	if strings.ContainsAny(name, `,;'"`) {
		return strconv.Quote(name)
	}
	return name
}

func (r *record) decided(d policy.Decision) {
	if r == nil {
		return
	}
	r.line.Decision, r.line.Rule = string(d.Action), d.Place()
	if d.Shadow {
		r.line.Decision = "would " + string(d.Action)
	}
}

func (r *record) confirmed() {
	if r != nil {
		r.line.Decision = "confirmed"
	}
}

// begin writes the line before anything is sent. Its error stops the call, as far
// as the server is told to keep what it cannot write down from happening.
func (r *record) begin(before json.RawMessage) error {
	if r == nil || r.s.audit == nil {
		return nil
	}
	line := r.line
	line.Event, line.Before = "begin", before
	line.Say = r.sentence("calls " + r.about() + "; " + r.allowedBy())
	r.line.Before = before
	err := r.s.audit.Write(&line)
	r.told = err == nil
	need := r.s.auditNeed
	if err == nil || need == AuditNone || need != AuditAll && r.row.Effect.ReadOnly() {
		return nil
	}
	return &catalog.Error{
		Kind: catalog.Internal, Err: err,
		Message: r.row.Name + ": it cannot be written down, so it was not done: " + err.Error(),
		Advice:  "Tell the person who runs this server; brickmcp doctor checks the audit file. Nothing was sent.",
	}
}

// end counts a call that is over, and writes its line.
func (r *record) end(ctx context.Context, answer []byte, err error, duplicate bool) {
	if r == nil {
		return
	}
	if observe := r.s.observe; observe != nil {
		observe(r.row.Name, r.outcome(err, duplicate), time.Since(r.began))
	}
	if r.s.audit == nil {
		return
	}
	line := &r.line
	line.DurationMS = float64(time.Since(r.began).Microseconds()) / 1000
	line.Bytes = int64(len(answer))
	if who, known := r.s.identities.settle(context.WithoutCancel(ctx)); known {
		line.User, line.AuthType = who.User, who.AuthType
	}
	if line.Object == "" && r.call != nil {
		line.Object = r.call.Object // a query knows its warehouse only now
	}
	r.mu.Lock()
	line.RequestIDs = slices.Clone(r.requests)
	r.mu.Unlock()
	line.Event, line.Outcome = "call", "ok"
	switch e := (*catalog.Error)(nil); {
	case r.waits != "":
		line.Event, line.Outcome = "confirm", ""
		line.Say = r.sentence("asked for " + r.about() + " and was told what it would do; it waits for confirmation until " + r.waits + " (" + line.Rule + ")")
	case err != nil:
		e = catalog.AsError(err)
		line.Outcome, line.ErrorKind = "error", string(e.Kind)
		if e.RequestID != "" && !slices.Contains(line.RequestIDs, e.RequestID) {
			line.RequestIDs = append(line.RequestIDs, e.RequestID)
		}
		if e.Kind == catalog.Denied {
			line.Event, line.Decision = "denied", "deny"
			line.Say = r.sentence("was not allowed " + r.about() + ": " + r.why(e))
			break
		}
		line.Say = r.sentence("called " + r.about() + ", which failed (" + string(e.Kind) + "): " + r.why(e) + "; " + r.allowedBy())
	default:
		if n := gjson.GetBytes(answer, "returned"); n.Exists() {
			line.Rows = n.Int()
		}
		if r.naming != nil {
			timer := time.NewTimer(namePatience)
			select {
			case <-r.naming:
			case <-timer.C:
			}
			timer.Stop()
		}
		object := r.object()
		did := strings.Replace(r.row.Did, "{}", object, 1)
		if object == "" && strings.Contains(r.row.Did, "{}") {
			did = "used " + r.row.Name
		}
		if r.reads != "" {
			did = "queried " + r.reads + " on " + object
		}
		say := did + r.in() + "; " + r.allowedBy()
		if duplicate {
			line.Outcome = "deduplicated"
			say += "; it repeats a call that was just made, so nothing was sent"
		} else if came := r.row.Outcome(answer); came != "" {
			say += "; " + came
		}
		line.Say = r.sentence(say)
	}
	if werr := r.s.audit.Write(line); werr != nil {
		r.s.log.Error("a call is not in the audit log", zap.String("tool", line.Tool), zap.Error(werr))
	}
}

// unplaced writes a call down that no workspace answers: its arguments name none, or
// cannot be taken apart.
func (s *Server) unplaced(ctx context.Context, row *catalog.Row, args json.RawMessage, err error) {
	r := s.newRecord(ctx, row)
	if r == nil {
		return
	}
	r.line.Workspace = ""
	r.bound(nil, args, nil)
	r.end(ctx, nil, err, false)
}

// unserved writes a call down that never came to a tool: there is none of that name,
// or the request is out of shape.
func (s *Server) unserved(ctx context.Context, _ any, method mcp.MCPMethod, message any, err error) {
	var signIn mcp.URLElicitationRequiredError // of a call that is written down
	req, ok := message.(*mcp.CallToolRequest)
	if !ok || method != mcp.MethodToolsCall || errors.As(err, &signIn) {
		return
	}
	name := cmp.Or(clipped(req.Params.Name), "a tool without a name")
	s.unplaced(ctx, &catalog.Row{Name: name}, nil, &catalog.Error{Kind: catalog.Invalid, Message: err.Error()})
}

// why is as much of an error as a sentence bears, without what it says already.
func (r *record) why(e *catalog.Error) string {
	message := e.Message
	if e.Quoted || r.row.Group == catalog.SQL { // they repeat statements
		message = catalog.WithoutSecrets(message)
	}
	message = strings.TrimPrefix(message, r.row.Name)
	message = strings.TrimPrefix(strings.TrimPrefix(message, " on "+r.line.Object), ": ")
	if strings.HasPrefix(message, " ") { // "jobs_delete on job 5 is denied by …"
		message = "it" + message
	}
	if cut := cutText(message, 300); cut != message {
		return cut + "…"
	}
	return message
}

func (r *record) about() string {
	if object := r.object(); object != "" {
		return r.row.Name + " on " + object
	}
	return r.row.Name
}

func (r *record) in() string {
	if r.line.Workspace == "" {
		return ""
	}
	return " in " + r.line.Workspace
}

func (r *record) who() string {
	user := r.line.User
	if user == "" {
		user = "the signed-in user"
	}
	return setOff(r.line.Client) + ", for " + setOff(user) + ","
}

func (r *record) sentence(what string) string {
	clean, _ := catalog.Clean(r.who() + " " + what)
	return strings.Join(strings.Fields(clean), " ")
}

func (r *record) allowedBy() string {
	switch d := r.line.Decision; {
	case d == "":
		return "not judged"
	case d == "confirmed":
		return "confirmed, as " + r.line.Rule + " asks"
	case strings.HasPrefix(d, "would "):
		return "shadow mode: the policy " + d + " it by " + r.line.Rule
	}
	return "allowed by " + r.line.Rule
}

// recorded puts the record where the calls to the workspace find it.
func (r *record) recorded(ctx context.Context) context.Context {
	if r == nil {
		return ctx
	}
	return context.WithValue(ctx, recordKey{}, r)
}

// recordOf is the record of the call behind ctx; nil when nothing is written down.
func recordOf(ctx context.Context) *record {
	r, _ := ctx.Value(recordKey{}).(*record)
	return r
}

// tracing keeps the request ids of a call for its record.
type tracing struct{ catalog.Caller }

func (t tracing) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	answer, err := t.Caller.Do(ctx, call)
	if r := recordOf(ctx); r != nil && err == nil && answer.RequestID != "" {
		r.mu.Lock()
		if len(r.requests) < maxRequestIDs {
			r.requests = append(r.requests, answer.RequestID)
		}
		r.mu.Unlock()
	}
	return answer, err
}

// place is the workspace as audit names it.
func (s *Server) place() string {
	if s.host != nil {
		return s.host()
	}
	return s.name
}

// origin is where the workspace is.
func (s *Server) origin() string {
	if s.address != nil {
		return s.address()
	}
	return s.place()
}
