package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// maxBody is the most that is read into memory. Statement results inline
	// are at most 25 MiB, exports 10 MB.
	maxBody = 64 << 20

	// maxErrorBody: no error has more to say.
	maxErrorBody = 256 << 10
)

var errTooBig = errors.New("the answer is larger than 64 MiB")

// scratch holds buffers for answers that do not announce their length, as
// compressed ones do not.
var scratch = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readBody reads an answer to its end and closes it.
func readBody(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	switch n := resp.ContentLength; {
	case n > maxBody:
		return nil, errTooBig
	case n == 0 || resp.Request != nil && resp.Request.Method == http.MethodHead:
		return nil, nil
	case n > 0:
		body := make([]byte, n)
		_, err := io.ReadFull(resp.Body, body)
		return body, err
	}
	buf := scratch.Get().(*bytes.Buffer)
	buf.Reset()
	n, err := buf.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	switch {
	case err != nil:
		scratch.Put(buf)
		return nil, err
	case n > maxBody:
		return nil, errTooBig
	case n > 1<<20:
		return buf.Bytes(), nil // copying it would cost more than a new buffer
	}
	body := bytes.Clone(buf.Bytes())
	scratch.Put(buf)
	return body, nil
}

// readErrorBody reads what there is of an error's body; half of it is better
// than nothing.
func readErrorBody(resp *http.Response) []byte {
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
	return body
}

// isPage reports a web page where a file was asked for. A file may be a web
// page too, and is then named like one.
func isPage(h http.Header, path string) bool {
	if !strings.HasPrefix(h.Get("Content-Type"), "text/html") || h.Get("Last-Modified") != "" {
		return false
	}
	path = strings.ToLower(path)
	return !strings.HasSuffix(path, ".html") && !strings.HasSuffix(path, ".htm")
}

// watch cancels a transfer during which nothing moves.
type watch struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	patience time.Duration
	timer    *time.Timer
}

func newWatch(ctx context.Context, patience time.Duration) *watch {
	ctx, cancel := context.WithCancelCause(ctx)
	return &watch{ctx, cancel, patience, time.AfterFunc(patience, func() { cancel(errInactivity) })}
}

func (w *watch) moved() { w.timer.Reset(w.patience) }

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// stream is the open body of an answer.
type stream struct {
	body  io.ReadCloser
	watch *watch
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.body.Read(p)
	switch {
	case n > 0:
		s.watch.moved()
	case err != nil && err != io.EOF && context.Cause(s.watch.ctx) == errInactivity:
		err = errInactivity
	}
	return n, err
}

func (s *stream) Close() error {
	s.watch.stop()
	return s.body.Close()
}

// source is the body of an upload. It remembers why it could not be read: that
// is no failure of the connection.
type source struct {
	file  io.ReadCloser
	watch *watch

	mu  sync.Mutex
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	if n > 0 {
		s.watch.moved()
	}
	if err != nil && err != io.EOF {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *source) Close() error { return s.file.Close() }

func (s *source) failed() error {
	if s == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
