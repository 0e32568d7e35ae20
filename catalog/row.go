// Package catalog says what exists: one row per endpoint, from which the tool,
// its documentation, access, limits, retry and tests all follow. It describes,
// translates and checks; it opens no socket, reads no clock and logs nothing.
package catalog

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
)

// Paging is how an endpoint hands out a long list. Every list tool shows the same
// page_token, whatever stands behind it.
type Paging uint8

// The ways of paging.
const (
	NotPaged   Paging = iota
	TokenPages        // page_token in the query, next_page_token in the answer
	IndexPages        // SCIM: startIndex and count in, totalResults out
	WholeList         // the API gives everything at once; only the result budget cuts
)

// Row is everything that is known about one endpoint. It is a value: rows are
// declared with Define, listed in All, and read by every other part.
type Row struct {
	Name   string // of the tool: group prefix, verb, noun
	Title  string // for people, two to four words
	Doc    string // for the agent: what it does and when to use it, one to three short sentences
	Group  *Group
	Effect Effect
	Method string
	Path   string // with {holes}, each a field of the request; {hole...} spans segments
	Needs  string // the permission that a 403 is about
	Object string // what the call is about, with {holes}: "job {job_id}"
	Limit  Limit

	// Items names the array of a list answer; Paging says how more of it is had.
	Items  string
	Paging Paging

	// Gather names arrays inside a single object that the API hands out in pages
	// of 100; they are read to the end and joined. The first one is cut, and
	// continued by page_token, when the result budget ends.
	Gather []string

	// OneOf lists arguments of which exactly one must be given.
	OneOf []string

	// Token names the body field that carries an idempotency token: with it a
	// Create or Run may be repeated.
	Token string

	// Verify says how to find out whether a call of unknown fate took effect.
	// Rows that may not be repeated must have it.
	Verify string

	// Touches are the objects that a call is about, as policies narrow them; Shows
	// is what the items of a list are.
	Touches []Touch
	Shows   Shown

	// Did is what audit says of a success, in the past tense; {} stands for the
	// object: "started {}". Then adds what came of it, from the answer: "run
	// {run_id} began". Undo says how to take it back, from answer and arguments.
	Did, Then, Undo string

	// Proven rows read with a method that could also write: the tool proves of each
	// call that it only reads, before it is sent. Such a row never goes out as bound.
	Proven bool

	// Inner rows are called by tools of other rows and are no tools themselves.
	Inner bool

	req, resp reflect.Type
	shape     *shape
}

// shape is what reflection finds out about a row, once and only when needed:
// nothing of it is paid for at start.
type shape struct {
	paramsOnce sync.Once
	params     []param
	byName     map[string]*param
	nodeOnce   sync.Once
	node       *node
	foreign    *foreign // nil: the row is the catalog's own
}

// Endpoint is a row with its request and response types, for tools that join
// calls in Go.
type Endpoint[Req, Resp any] struct{ Row }

// Define declares an endpoint. Field tags of Req describe the arguments (see
// param), the fields of Resp are what is kept of the answer.
func Define[Req, Resp any](row Row) *Endpoint[Req, Resp] {
	row.req, row.resp, row.shape = reflect.TypeFor[Req](), reflect.TypeFor[Resp](), &shape{}
	return &Endpoint[Req, Resp]{row}
}

// None is the response of an endpoint that answers nothing.
type None struct{}

// Caller carries calls to a workspace; transport/rest is one.
type Caller interface {
	// Do sends call and returns the answer of a success; anything else is an
	// *Error. It retries as far as the row's Effect allows, within ctx.
	Do(ctx context.Context, call *Call) (*Answer, error)
}

// Call is one bound call: arguments turned into a request.
type Call struct {
	Row    *Row
	Path   string // escaped, begins with a slash
	Query  string // encoded, without the question mark
	Body   []byte // JSON; nil when the request has none
	Header http.Header

	// Upload, when set, opens the raw body anew for each attempt.
	Upload func() (io.ReadCloser, error)
	Size   int64 // of Upload, in bytes; -1 unknown

	// Stream leaves the answer's body open in Answer.Stream.
	Stream bool

	// Keyed says that the body carries an idempotency token.
	Keyed bool

	Object  string                     // what the call is about, for messages: "job 42"
	Touches []Touch                    // what policies narrow
	Args    map[string]json.RawMessage // as given, for tools that think
	Fields  []string                   // more response fields the caller asked for
	Page    Page                       // where in a list to go on
}

// Answer is the success of a call.
type Answer struct {
	Body      []byte        // complete, unless Stream is set
	Stream    io.ReadCloser // to be closed by the caller; nil unless Call.Stream
	Header    http.Header
	Status    int
	RequestID string
}

// Call sends a typed request and decodes the typed answer. The answer holds
// what Resp declares; ids in it are exact.
func (e *Endpoint[Req, Resp]) Call(ctx context.Context, api Caller, req Req) (*Resp, error) {
	raw, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	call, err := e.Bind(raw)
	if err != nil {
		return nil, err
	}
	answer, err := api.Do(ctx, call)
	if err != nil {
		return nil, err
	}
	resp := new(Resp)
	if len(answer.Body) == 0 {
		return resp, nil
	}
	if err := json.Unmarshal(answer.Body, resp); err != nil {
		return nil, &Error{Kind: Down, Message: call.About() + ": the workspace's answer is not the documented JSON", Advice: "Try again; if it stays, report the request id.", RequestID: answer.RequestID, Err: err}
	}
	return resp, nil
}

// About names tool and object, the beginning of every message about the call:
// `jobs_get on job 42`.
func (c *Call) About() string {
	if c.Object == "" {
		return c.Row.Name
	}
	return c.Row.Name + " on " + c.Object
}

// Endpoint is method and path as the documentation writes them.
func (r *Row) Endpoint() string { return r.Method + " " + r.Path }

// Bucket is the key of the row's rate limit.
func (r *Row) Bucket() string {
	if r.Limit.Bucket != "" {
		return r.Limit.Bucket
	}
	return r.Name
}

// list reports whether the answer is an envelope around one array.
func (r *Row) list() bool { return r.Items != "" }

// holes lists the path holes in order, without a trailing "...".
func (r *Row) holes() []string {
	var names []string
	rest := r.Path
	for {
		_, after, ok := strings.Cut(rest, "{")
		if !ok {
			return names
		}
		name, after, _ := strings.Cut(after, "}")
		names = append(names, strings.TrimSuffix(name, "..."))
		rest = after
	}
}
