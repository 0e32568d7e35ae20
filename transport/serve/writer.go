package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// writer puts messages on the wire in the right order: a notification that was
// sent before an answer arrives before it. mcp-go's own writers race here.
type writer struct {
	out       sink
	responses chan *outgoing // and requests of ours
	notes     chan mcp.JSONRPCNotification
	beats     <-chan time.Time // of a stream that must not look dead; nil: never
	tag       json.RawMessage  // the id of the subscription that notes are for; nil: none
	broken    chan struct{}    // closed when out cannot be written any more
	err       error            // why; read after broken
	done      chan struct{}    // closed when everything is written
	closing   sync.Once
	failing   sync.Once
}

// sink is the wire to a client.
type sink interface {
	send(*outgoing) error
	beat() error // shows that the stream lives
}

// lines is the wire of stdio.
type lines struct{ io.Writer }

func (l lines) send(message *outgoing) error { return message.writeTo(l.Writer) }
func (l lines) beat() error                  { return nil }

// newWriter is a writer that has to be run, with room for so many messages of
// each kind.
func newWriter(out sink, responses, notes int) *writer {
	return &writer{
		out:       out,
		responses: make(chan *outgoing, responses), notes: make(chan mcp.JSONRPCNotification, notes),
		broken: make(chan struct{}), done: make(chan struct{}),
	}
}

// stream makes the writer an outlet that is always open.
func (w *writer) stream() *writer { return w }

// write queues one message. After a failure, and after the end, messages are
// dropped: nobody is there to read them.
func (w *writer) write(message *outgoing) {
	select {
	case w.responses <- message:
	case <-w.broken:
	case <-w.done:
	}
}

// end ends the writer behind what is queued. It does not wait for that, unless
// the queue is full.
func (w *writer) end() {
	w.closing.Do(func() { w.write(nil) }) // nil: the end
}

// close writes what is queued and returns the error of the stream, if any. It
// takes as long as the client takes to read.
func (w *writer) close() error {
	w.end()
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
func (w *writer) expire(after time.Duration) {
	select {
	case <-w.done:
	case <-w.broken:
	case <-time.After(after):
		w.fail(errNotRead)
	}
}

var errNotRead = errors.New("it does not read")

// run writes until the end, or until out is broken.
func (w *writer) run() {
	for {
		var err error
		select {
		case note := <-w.notes:
			err = w.note(note)
		case <-w.beats:
			err = w.out.beat()
		case message := <-w.responses:
			for err == nil && len(w.notes) > 0 {
				err = w.note(<-w.notes)
			}
			if message == nil && err == nil {
				close(w.done)
				return
			}
			if err == nil {
				err = w.out.send(message)
			}
			if message != nil {
				message.release()
			}
		}
		if err != nil {
			w.fail(err)
			return
		}
	}
}

func (w *writer) note(note mcp.JSONRPCNotification) error {
	if w.tag != nil {
		meta := maps.Clone(note.Params.Meta) // others get the note, too
		if meta == nil {
			meta = make(map[string]any, 1)
		}
		meta[mcp.MetaKeySubscriptionID] = w.tag
		note.Params.Meta = meta
	}
	message := &outgoing{}
	if err := encodeValue(message, note); err != nil {
		return nil // a notification that cannot be encoded is lost, not fatal
	}
	message.WriteByte('\n')
	return w.out.send(message)
}

// largeText is the size of a text whose memory is worth a collection.
const largeText = 2 << 20

// release gives the memory of a large answer that was written back: without it the
// process stays at its peak, and the next large answer comes on top.
func (o *outgoing) release() {
	if len(o.long) >= largeText && releasing.CompareAndSwap(false, true) {
		go func() {
			defer releasing.Store(false)
			debug.FreeOSMemory()
		}()
	}
}

var releasing atomic.Bool
