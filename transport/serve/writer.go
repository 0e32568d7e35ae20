package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

// writer puts messages on the wire in the right order: a notification that was
// sent before an answer arrives before it. mcp-go's own writers race here.
type writer struct {
	out       io.Writer
	responses chan *outgoing // and requests of ours
	notes     <-chan mcp.JSONRPCNotification
	broken    chan struct{} // closed when out cannot be written any more
	err       error         // why; read after broken
	done      chan struct{} // closed when everything is written
	closing   sync.Once
	failing   sync.Once
}

func newWriter(out io.Writer, notes <-chan mcp.JSONRPCNotification) *writer {
	w := &writer{out: out, responses: make(chan *outgoing, 64), notes: notes, broken: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// write queues one message. After a failure, and after the end, messages are
// dropped: nobody is there to read them.
func (w *writer) write(message *outgoing) {
	select {
	case w.responses <- message:
	case <-w.broken:
	case <-w.done:
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
func (w *writer) expire(after time.Duration) {
	select {
	case <-w.done:
	case <-w.broken:
	case <-time.After(after):
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
		case message := <-w.responses:
			for err == nil && len(w.notes) > 0 {
				err = w.note(<-w.notes)
			}
			if message == nil && err == nil {
				close(w.done)
				return
			}
			if err == nil {
				err = message.writeTo(w.out)
			}
			if message != nil && len(message.long) >= largeText {
				release()
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

// largeText is the size of a text whose memory is worth a collection.
const largeText = 2 << 20

// release gives the memory of a large answer back: without it the process stays
// at its peak, and the next large answer comes on top.
func release() {
	if releasing.CompareAndSwap(false, true) {
		go func() {
			defer releasing.Store(false)
			debug.FreeOSMemory()
		}()
	}
}

var releasing atomic.Bool
