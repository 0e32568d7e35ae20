package sandbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

// RoundTripper serves requests in this process, without sockets: for an
// http.Client whose host is never dialled. Bodies stream both ways, cancelling
// a request cancels its handler's context, and a fault that resets the
// connection comes back as the same error a socket gives.
func (w *Workspace) RoundTripper() http.RoundTripper { return inProcess{w} }

type inProcess struct{ w *Workspace }

// errReset is what a client reads from a connection that was reset.
var errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	in := req.Clone(ctx)
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), "127.0.0.1:0"
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if req.URL.Scheme == "https" {
		in.TLS = &tls.ConnectionState{}
	}
	out := &sink{header: http.Header{}, bodiless: req.Method == http.MethodHead, ready: make(chan struct{})}
	out.pipe, out.feed = io.Pipe()
	go func() {
		// Last to first: the request body is closed, the answer completed, the
		// handler's context released.
		defer cancel()
		defer func() { out.finish(recover(), req.Context().Err()) }()
		defer in.Body.Close()
		t.w.ServeHTTP(out, in)
	}()
	select {
	case <-out.ready:
	case <-req.Context().Done():
		_ = out.feed.CloseWithError(req.Context().Err())
		return nil, req.Context().Err()
	}
	if err := req.Context().Err(); err != nil { // both were ready: leaving wins
		_ = out.feed.CloseWithError(err)
		return nil, err
	}
	if out.broken != nil {
		return nil, out.broken
	}
	resp := &http.Response{
		Status: strconv.Itoa(out.status) + " " + http.StatusText(out.status), StatusCode: out.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: out.sent, Request: req, ContentLength: -1,
	}
	if out.whole {
		resp.ContentLength = int64(out.held.Len())
		resp.Body = io.NopCloser(&out.held)
		return resp, nil
	}
	lost := context.AfterFunc(req.Context(), func() { _ = out.feed.CloseWithError(req.Context().Err()) })
	resp.Body = &streamed{out.pipe, cancel, lost}
	if n, err := strconv.ParseInt(out.sent.Get("Content-Length"), 10, 64); err == nil {
		resp.ContentLength = n
	}
	return resp, nil
}

// sink is the handler's ResponseWriter. Like a server it holds a small answer
// back until the handler is done, so that most need no second goroutine to be
// read; a big or flushed one goes through the pipe as it is written.
type sink struct {
	header   http.Header
	status   int  // 0 until WriteHeader
	bodiless bool // answers HEAD
	held     bytes.Buffer
	pipe     *io.PipeReader
	feed     *io.PipeWriter

	once   sync.Once
	ready  chan struct{} // closed when the fields below are set
	sent   http.Header   // header as of the first byte out
	whole  bool          // the answer is complete in held
	broken error         // there is no answer
}

const holdBack = 32 << 10

func (s *sink) Header() http.Header { return s.header }

func (s *sink) WriteHeader(status int) {
	if s.status == 0 && status >= 200 {
		s.status = status
		s.sent = s.header.Clone()
	}
}

func (s *sink) Write(p []byte) (int, error) {
	s.WriteHeader(http.StatusOK)
	if s.bodiless {
		return len(p), nil
	}
	if !s.streaming() {
		if s.held.Len()+len(p) <= holdBack {
			return s.held.Write(p)
		}
		if err := s.FlushError(); err != nil {
			return 0, err
		}
	}
	return s.feed.Write(p)
}

func (s *sink) streaming() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// FlushError makes what was written so far visible to the client, as
// http.ResponseController asks it to.
func (s *sink) FlushError() error {
	s.WriteHeader(http.StatusOK)
	s.once.Do(func() { close(s.ready) })
	if s.held.Len() == 0 {
		return nil
	}
	held := bytes.Clone(s.held.Bytes())
	s.held.Reset()
	_, err := s.feed.Write(held)
	return err
}

// finish ends the answer after the handler returned or panicked; gone is why
// the client does not wait for it any more, if so.
func (s *sink) finish(panicked any, gone error) {
	if panicked != nil {
		err := error(errReset)
		if e, ok := panicked.(error); !ok || !errors.Is(e, http.ErrAbortHandler) {
			err = fmt.Errorf("the sandbox panicked: %v", panicked)
		}
		s.once.Do(func() { s.broken = err; close(s.ready) })
		_ = s.feed.CloseWithError(io.ErrUnexpectedEOF)
		return
	}
	s.WriteHeader(http.StatusOK)
	s.once.Do(func() { s.whole = true; close(s.ready) })
	_ = s.feed.CloseWithError(gone) // nil: the end of the body
}

// streamed is a body that comes through the pipe. Closing it early cancels the
// handler, as a lost connection would.
type streamed struct {
	*io.PipeReader
	cancel context.CancelFunc
	lost   func() bool // stops watching the request's context
}

func (b *streamed) Close() error {
	b.lost()
	b.cancel()
	return b.CloseWithError(errReset)
}
