package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"go.uber.org/zap"
)

// Endpoint serves MCP over HTTP, to many users at once. Set its fields before the
// first request.
//
// It stands on mcp-go's message handler as Stdio does: mcp-go's own HTTP servers let
// one client cancel the calls of another, lose progress, and keep every session.
type Endpoint struct {
	Auth Authenticator
	// Key signs session ids, so that they hold over a restart: 32 bytes or more,
	// the same in every process that serves these users. nil: one for this process.
	Key       []byte
	Log       *zap.Logger   // nil: silent
	Heartbeat time.Duration // of streams; 0: DefaultHeartbeat

	prepared  sync.Once
	now       func() time.Time
	readTime  time.Duration
	ending    context.Context // done when streams are to end
	end       context.CancelFunc
	questions *questions
	calls     calls // of sessions, by key and id
	ended     endedSessions

	mu      sync.Mutex
	streams map[string]*stream    // of sessions that listen, by key
	pairs   map[string]*sseClient // by session id
}

// DefaultHeartbeat is how often a quiet stream carries a comment: more often than
// proxies close what seems dead.
const DefaultHeartbeat = 25 * time.Second

// prepare sets what the first request needs.
func (e *Endpoint) prepare() {
	e.prepared.Do(func() {
		if len(e.Key) == 0 {
			e.Key = make([]byte, 32)
			_, _ = rand.Read(e.Key) // never fails
		}
		if e.Log == nil {
			e.Log = zap.NewNop()
		}
		if e.Heartbeat <= 0 {
			e.Heartbeat = DefaultHeartbeat
		}
		if e.now == nil {
			e.now = time.Now
		}
		if e.readTime == 0 {
			e.readTime = readTime
		}
		e.ending, e.end = context.WithCancel(context.Background())
		e.questions = newQuestions()
		e.streams, e.pairs = make(map[string]*stream), make(map[string]*sseClient)
	})
}

// StreamableHTTP serves POST, GET and DELETE of one path, such as /mcp.
func (e *Endpoint) StreamableHTTP() http.Handler {
	e.prepare()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			e.authenticated(w, r, e.post)
		case http.MethodGet:
			e.authenticated(w, r, e.listen)
		case http.MethodDelete:
			e.authenticated(w, r, e.delete)
		default:
			notAllowed(w, "GET, POST, DELETE")
		}
	})
}

// SSE serves the older pair of GET /sse and POST /message. It routes by the last
// element of the path.
func (e *Endpoint) SSE() http.Handler {
	e.prepare()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path.Base(r.URL.Path) {
		case "sse":
			if r.Method != http.MethodGet {
				notAllowed(w, "GET")
				return
			}
			e.authenticated(w, r, e.connect)
		case "message":
			if r.Method != http.MethodPost {
				notAllowed(w, "POST")
				return
			}
			e.authenticated(w, r, e.message)
		default:
			refuse(w, http.StatusNotFound, nil, mcp.INVALID_REQUEST, "there is nothing here but /sse and /message")
		}
	})
}

// End tells streams that the server ends: they are closed in order, and no new
// one is opened. Running calls go on, but questions to people end.
func (e *Endpoint) End() {
	e.prepare()
	e.questions.end()
	e.end()
}

// authenticated serves a request of whoever it is from. The principal is let go
// when serve returns, unless serve keeps it for longer.
func (e *Endpoint) authenticated(w http.ResponseWriter, r *http.Request, serve func(http.ResponseWriter, *http.Request, Principal)) {
	p, err := e.Auth.Authenticate(r)
	if err == nil {
		if p.With == nil {
			p.With = func(ctx context.Context) context.Context { return ctx }
		}
		if p.Release == nil {
			p.Release = func() {}
		}
		serve(w, r, p)
		return
	}
	var refused *Refusal
	if !errors.As(err, &refused) {
		e.Log.Error("cannot tell whose a request is", zap.Error(err))
		refused = &Refusal{Status: http.StatusInternalServerError, Code: mcp.INTERNAL_ERROR, Message: "internal error while signing in"}
	}
	turnAway(w, refused)
}

func notAllowed(w http.ResponseWriter, allowed string) {
	w.Header().Set("Allow", allowed)
	refuse(w, http.StatusMethodNotAllowed, nil, mcp.INVALID_REQUEST, "this method is not served here; allowed: "+allowed)
}

// refusedAtEnd refuses new streams once the server ends.
func (e *Endpoint) refusedAtEnd(w http.ResponseWriter, id []byte) bool {
	if e.ending.Err() == nil {
		return false
	}
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, id, mcp.INTERNAL_ERROR, "the server is ending; connect again")
	return true
}

// body reads a JSON body; false when the request is answered already.
func body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if !isJSON(r.Header.Get("Content-Type")) {
		refuse(w, http.StatusUnsupportedMediaType, nil, mcp.INVALID_REQUEST, "Content-Type must be application/json")
		return nil, false
	}
	text, err := readBody(http.MaxBytesReader(w, r.Body, maxLine), r.ContentLength)
	var tooLarge *http.MaxBytesError
	var late interface{ Timeout() bool }
	var refused *Refusal
	switch {
	case errors.As(err, &refused):
		turnAway(w, refused)
		return nil, false
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, nil, mcp.INVALID_REQUEST, "the message is too large; pass large contents by local_path")
		return nil, false
	case errors.As(err, &late) && late.Timeout():
		refuse(w, http.StatusRequestTimeout, nil, mcp.INVALID_REQUEST, "the message did not come in time")
		return nil, false
	case err != nil:
		refuse(w, http.StatusBadRequest, nil, mcp.INVALID_REQUEST, "the message cannot be read")
		return nil, false
	}
	if manyValues(text) {
		refuse(w, http.StatusRequestEntityTooLarge, nil, mcp.INVALID_REQUEST, fmt.Sprintf("the message has more than %d values", maxValues))
		return nil, false
	}
	unhurried(w)
	return text, true
}

func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/json"
}

// trustedLength is what a client's word for a length is worth: memory for more is
// there when the bytes are.
const trustedLength = 64 << 10

func readBody(body io.Reader, length int64) ([]byte, error) {
	var text bytes.Buffer
	text.Grow(int(min(max(length, 0), trustedLength)) + bytes.MinRead)
	_, err := text.ReadFrom(body)
	return text.Bytes(), err
}

// unhurried lifts the deadline that a request had to come by: it would end the
// context of a call as if the client had gone.
func unhurried(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// accepts reports whether a client takes all of these media types. No Accept is
// every type.
func accepts(r *http.Request, types ...string) bool {
	header := r.Header.Values("Accept")
	if len(header) == 0 {
		return true
	}
	for _, t := range types {
		if !slices.ContainsFunc(header, func(line string) bool { return lists(line, t) }) {
			return false
		}
	}
	return true
}

// lists reports whether a line of Accept covers a media type.
func lists(line, media string) bool {
	for accepted := range strings.SplitSeq(line, ",") {
		accepted, _, _ = strings.Cut(accepted, ";")
		accepted = strings.TrimSpace(accepted)
		if strings.EqualFold(accepted, media) || accepted == "*/*" {
			return true
		}
		if group, all := strings.CutSuffix(accepted, "/*"); all && len(media) > len(group) && media[len(group)] == '/' && strings.EqualFold(group, media[:len(group)]) {
			return true
		}
	}
	return false
}
