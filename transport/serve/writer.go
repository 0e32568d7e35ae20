package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// writer puts messages on the wire in the right order: a notification that was
// sent before an answer arrives before it. mcp-go's own writers race here.
type writer struct {
	out       io.Writer
	responses chan []byte
	notes     <-chan mcp.JSONRPCNotification
	broken    chan struct{} // closed when out cannot be written any more
	err       error         // why; read after broken
	done      chan struct{} // closed when everything is written
	closing   sync.Once
	failing   sync.Once
}

func newWriter(out io.Writer, notes <-chan mcp.JSONRPCNotification) *writer {
	w := &writer{out: out, responses: make(chan []byte, 64), notes: notes, broken: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// write queues one encoded message, which ends with a newline. After a failure
// messages are dropped: nobody is there to read them.
func (w *writer) write(encoded []byte) {
	select {
	case w.responses <- encoded:
	case <-w.broken:
	}
}

// close writes what is queued and returns the error of the stream, if any. It
// takes as long as the client takes to read.
func (w *writer) close() error {
	w.closing.Do(func() { w.write(nil) }) // nil: the end
	select {
	case <-w.done:
		return nil
	case <-w.broken:
		return w.err
	}
}

func (w *writer) fail(err error) {
	w.failing.Do(func() {
		w.err = fmt.Errorf("write to the client: %w", err)
		close(w.broken)
	})
}

// expire bounds everything that waits for the client, once the process has been
// told to end: one that does not read must not keep it alive.
func (w *writer) expire() {
	select {
	case <-w.done:
	case <-w.broken:
	case <-time.After(drainTime + 2*abortTime):
		w.fail(errNotRead)
	}
}

var errNotRead = errors.New("it does not read")

func (w *writer) run() {
	for {
		var err error
		select {
		case note := <-w.notes:
			err = w.note(note)
		case encoded := <-w.responses:
			for err == nil && len(w.notes) > 0 {
				err = w.note(<-w.notes)
			}
			if encoded == nil && err == nil {
				close(w.done)
				return
			}
			if err == nil {
				_, err = w.out.Write(encoded)
			}
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
}

func (w *writer) note(note mcp.JSONRPCNotification) error {
	encoded, err := json.Marshal(note)
	if err != nil {
		return nil // a notification that cannot be encoded is lost, not fatal
	}
	_, err = w.out.Write(append(encoded, '\n'))
	return err
}

// encode makes one line of a response, with the id exactly as it came: mcp-go
// keeps ids as float64, which rounds large ones.
func encode(response mcp.JSONRPCMessage, id []byte) ([]byte, error) {
	if id == nil {
		id = []byte("null")
	}
	var out bytes.Buffer
	out.WriteString(`{"jsonrpc":"2.0","id":`)
	out.Write(id)
	switch r := response.(type) {
	case mcp.JSONRPCResponse:
		out.WriteString(`,"result":`)
		if err := encodeResult(&out, r.Result); err != nil {
			return nil, err
		}
	case mcp.JSONRPCError:
		out.WriteString(`,"error":`)
		if err := encodeValue(&out, r.Error); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unexpected message %T", response)
	}
	out.WriteString("}\n")
	return out.Bytes(), nil
}

// encodeResult writes tool results itself: mcp-go builds and compacts them
// several times over, which a result of some megabytes pays for in memory.
func encodeResult(out *bytes.Buffer, result any) error {
	var r *mcp.CallToolResult
	switch v := result.(type) {
	case *mcp.CallToolResult:
		r = v
	case mcp.CallToolResult:
		r = &v
	}
	if r == nil || len(r.InputRequests) > 0 || r.RequestState != "" {
		return encodeValue(out, result)
	}
	out.WriteString(`{"content":[`)
	for i, content := range r.Content {
		if i > 0 {
			out.WriteByte(',')
		}
		text, ok := content.(mcp.TextContent)
		if !ok || text.Annotations != nil || text.Meta != nil {
			if err := encodeValue(out, content); err != nil {
				return err
			}
			continue
		}
		out.Grow(len(text.Text) + len(text.Text)/8)
		out.WriteString(`{"type":"text","text":`)
		if err := encodeValue(out, text.Text); err != nil {
			return err
		}
		out.WriteByte('}')
	}
	out.WriteByte(']')
	if len(r.RawStructuredContent) > 0 {
		out.WriteString(`,"structuredContent":`)
		out.Write(r.RawStructuredContent)
	} else if r.StructuredContent != nil {
		out.WriteString(`,"structuredContent":`)
		if err := encodeValue(out, r.StructuredContent); err != nil {
			return err
		}
	}
	if r.IsError {
		out.WriteString(`,"isError":true`)
	}
	if r.ResultType != "" {
		fmt.Fprintf(out, `,"resultType":%q`, r.ResultType)
	}
	if r.Meta != nil {
		out.WriteString(`,"_meta":`)
		if err := encodeValue(out, r.Meta); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}

// encodeValue writes JSON without escaping <, > and &: the line is read by
// JSON parsers, never by a browser, and SQL is full of them.
func encodeValue(out *bytes.Buffer, v any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return err
	}
	out.Truncate(out.Len() - 1) // the newline
	return nil
}
