package rest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"time"

	"brickmcp/catalog"

	"go.uber.org/zap"
)

var (
	errCallLimit  = errors.New("the call's time is up")
	errInactivity = errors.New("no data moved for too long")
	errNoReader   = errors.New("the file to send cannot be opened")
)

// transfer reports that a call moves a body of any size, which takes its time.
func transfer(call *catalog.Call) bool { return call.Stream || call.Upload != nil }

// patience is how long a transfer may stand still.
func patience(call *catalog.Call) time.Duration {
	if call.Header.Get("Accept") == "text/event-stream" {
		return silence
	}
	return inactivity
}

// attempt sends the call once: waits its turn, gets a token, sends, reads.
func (c *Client) attempt(ctx context.Context, call *catalog.Call, end time.Time) (*catalog.Answer, *failure) {
	if ctx.Err() != nil {
		return nil, gaveUp(ctx, call, unsent, nil)
	}
	token, f := c.token(ctx, call)
	if f != nil {
		return nil, f
	}
	headers, f := c.headers(ctx, call)
	if f != nil {
		return nil, f
	}
	// The turn comes last: a fresh token may take a second, and the workspace
	// counts from when it sees the request.
	turn, f := c.limiter.turn(ctx, c, call, end)
	if f != nil {
		return nil, f
	}
	defer turn.end()
	x := &exchange{client: c, call: call, turn: turn, token: token, headers: headers, began: time.Now()}
	answer, f := x.run(ctx)
	c.limiter.learn(call, x.began, f)
	if entry := c.log.Check(zap.DebugLevel, "call"); entry != nil {
		status, id, kind := 0, "", ""
		if f != nil {
			status, id, kind = f.Status, f.RequestID, string(f.Kind)
		} else {
			status, id = answer.Status, answer.RequestID
		}
		entry.Write(zap.String("tool", call.Row.Name), zap.String("endpoint", call.Row.Endpoint()), zap.Int("status", status), zap.String("kind", kind), zap.String("request_id", id), zap.Duration("took", time.Since(x.began)))
	}
	return answer, f
}

// token asks for one. Its errors are final: whoever hands out tokens has tried.
func (c *Client) token(ctx context.Context, call *catalog.Call) (string, *failure) {
	token, err := c.config.Token(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return "", gaveUp(ctx, call, unsent, nil)
	case err != nil:
		return "", c.notSignedIn(call, err)
	case !sendable(token):
		return "", &failure{Error: &catalog.Error{Kind: catalog.SignIn, Message: call.About() + ": the token is empty or holds characters that no token has", Advice: "A person must set the token again, without spaces or line breaks."}, fate: unsent, final: true}
	}
	return token, nil
}

// headers asks for those that the credentials need besides the token.
func (c *Client) headers(ctx context.Context, call *catalog.Call) (http.Header, *failure) {
	if c.config.Headers == nil {
		return nil, nil
	}
	headers, err := c.config.Headers(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, gaveUp(ctx, call, unsent, nil)
	case err != nil:
		return nil, c.notSignedIn(call, err)
	}
	return headers, nil
}

func (c *Client) notSignedIn(call *catalog.Call, err error) *failure {
	var e *catalog.Error
	if c.config.SignInError != nil {
		e = c.config.SignInError(err)
	}
	if e == nil && !errors.As(err, &e) {
		e = &catalog.Error{Kind: catalog.SignIn, Message: clean(err.Error()), Advice: "A person must sign in to the workspace; then call again.", Err: err}
	}
	explained := *e // it may be shared by callers
	explained.Message = call.About() + ": " + explained.Message
	return &failure{Error: &explained, fate: unsent, final: true}
}

// sendable: what an HTTP header can carry as a bearer token.
func sendable(token string) bool {
	for i := range len(token) {
		if token[i] <= ' ' || token[i] >= 0x7f {
			return false
		}
	}
	return token != ""
}

// exchange is one request and its answer.
type exchange struct {
	client  *Client
	call    *catalog.Call
	turn    *turn
	token   string
	headers http.Header // of the credentials, besides the token
	began   time.Time

	watch     *watch // of a transfer
	source    *source
	connected bool // a connection was there to write to
}

func (x *exchange) run(ctx context.Context) (*catalog.Answer, *failure) {
	if transfer(x.call) {
		x.watch = newWatch(ctx, patience(x.call))
		ctx = x.watch.ctx
	}
	answer, f := x.send(ctx)
	if x.watch != nil && (f != nil || answer.Stream == nil) {
		x.watch.stop()
	}
	return answer, f
}

func (x *exchange) send(ctx context.Context) (*catalog.Answer, *failure) {
	req, err := x.request(ctx)
	if err != nil {
		if errors.Is(err, errNoReader) {
			return nil, &failure{Error: &catalog.Error{Kind: catalog.Invalid, Message: x.call.About() + ": " + clean(err.Error()), Advice: "Check the path. Nothing was sent.", Err: err}, fate: unsent, final: true}
		}
		return nil, &failure{Error: &catalog.Error{Kind: catalog.Internal, Message: x.call.About() + ": the request cannot be built", Advice: "This is a fault of the server, not of the call; report it."}, fate: unsent, final: true}
	}
	if !x.client.traced {
		x.turn.depart()
	}
	resp, err := x.client.http.Do(req)
	if err != nil {
		x.client.config.Observe(0)
		return nil, x.broken(ctx, err)
	}
	x.client.config.Observe(resp.StatusCode)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, x.explain(ctx, resp)
	}
	answer := &catalog.Answer{Header: resp.Header, Status: resp.StatusCode, RequestID: requestID(resp.Header)}
	if x.call.Stream {
		if isPage(resp.Header, x.call.Path) {
			resp.Body.Close()
			return nil, &failure{Error: webPage(x.call, answer.RequestID, resp.StatusCode), fate: refused}
		}
		answer.Stream = &stream{body: resp.Body, watch: x.watch}
		return answer, nil
	}
	body, err := readBody(resp)
	if err != nil {
		return nil, x.halfRead(ctx, answer, err)
	}
	if f := x.check(answer, body); f != nil {
		return nil, f
	}
	answer.Body = body
	return answer, nil
}

func (x *exchange) request(ctx context.Context) (*http.Request, error) {
	call := x.call
	target := x.client.config.Host + call.Path
	if call.Query != "" {
		target += "?" + call.Query
	}
	if x.client.traced {
		// Called in this goroutine, before the first byte is written.
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
			x.connected = true
			x.turn.depart()
		}})
	}
	var body io.Reader
	if call.Upload == nil && call.Body != nil {
		// NewRequest also sets GetBody, with which net/http replays a POST that
		// met a closed connection, but only if nothing of it was written.
		body = bytes.NewReader(call.Body)
	}
	req, err := http.NewRequestWithContext(ctx, call.Row.Method, target, body)
	if err != nil {
		return nil, err
	}
	for name, values := range call.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if call.Upload != nil {
		if err := x.attach(req); err != nil {
			return nil, err
		}
	}
	set := func(name, value string) {
		if _, given := req.Header[name]; !given {
			req.Header[name] = []string{value}
		}
	}
	switch {
	case call.Upload != nil:
		set("Content-Type", "application/octet-stream")
	case call.Body != nil:
		set("Content-Type", "application/json")
	}
	if call.Stream {
		// Undone compression would hide length and ranges.
		set("Accept-Encoding", "identity")
		set("Accept", "application/octet-stream")
	}
	set("Accept", "application/json")
	for name, values := range x.headers {
		req.Header[name] = values
	}
	req.Header["Authorization"] = []string{"Bearer " + x.token}
	req.Header["User-Agent"] = []string{x.client.config.UserAgent(ctx)}
	if id := x.client.config.WorkspaceID; id != "" {
		req.Header["X-Databricks-Workspace-Id"] = []string{id}
	}
	return req, nil
}

// attach opens the body of an upload, anew for each attempt.
func (x *exchange) attach(req *http.Request) error {
	file, err := x.call.Upload()
	if err != nil {
		return fmt.Errorf("%w: %w", errNoReader, err)
	}
	x.source = &source{file: file, watch: x.watch}
	req.Body, req.ContentLength = x.source, x.call.Size
	if x.call.Size == 0 { // net/http takes 0 with a body for "unknown"
		file.Close()
		req.Body = http.NoBody
	}
	return nil
}

// bare takes the URL, which holds the query, out of an error of http.Client.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
