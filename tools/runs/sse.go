package runs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// Event is one server-sent event.
type Event struct {
	ID   string // of this event; "" when it names none
	Type string // of its "event:" line; "" when it has none
	Data []byte // its "data:" lines, joined by line feeds; valid until the next call
}

// maxEvent bounds one event: a whole result of a tool may stand in it, on one line.
const maxEvent = 16 << 20

// ErrEventTooLong ends a stream whose next event is longer than memory is given to.
var ErrEventTooLong = errors.New("an event of the stream is longer than 16 MiB")

// Events reads server-sent events (WHATWG HTML, section 9.2) as real servers send
// them: lines of any length ended by CR, LF or both, comments, a byte order mark,
// and a last event without the blank line that should end it.
type Events struct {
	in    *bufio.Reader
	limit int
	line  []byte
	data  []byte
	begun bool // past the place where a byte order mark may stand
	cr    bool // the last line ended in CR: an LF that follows belongs to it
	ended error
}

// NewEvents reads from in, which stays the caller's to close.
func NewEvents(in io.Reader) *Events {
	return &Events{in: bufio.NewReaderSize(in, 16<<10), limit: maxEvent}
}

// Next is the next event that carries data. At the end of the stream the error is
// io.EOF; any other says that it broke off, and the event it broke in is lost.
func (e *Events) Next() (Event, error) {
	var event Event
	e.data = e.data[:0]
	found := false
	for e.ended == nil {
		line, err := e.readLine()
		if err != nil {
			e.ended = err
			if err != io.EOF {
				break
			}
		}
		if len(line) == 0 && err == nil {
			if found {
				event.Data = e.data
				return event, nil
			}
			event = Event{} // a blank line forgets the type of an event without data
			continue
		}
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(name) {
		case "data":
			if found {
				e.data = append(e.data, '\n')
			}
			found = true
			e.data = append(e.data, value...)
		case "event":
			event.Type = string(value)
		case "id":
			if bytes.IndexByte(value, 0) < 0 {
				event.ID = string(value)
			}
		}
	}
	if found && e.ended == io.EOF {
		event.Data = e.data
		return event, nil
	}
	return Event{}, e.ended
}

// readLine is a line without its end. What stands before the end of the stream
// comes together with io.EOF.
func (e *Events) readLine() ([]byte, error) {
	e.line = e.line[:0]
	for {
		if _, err := e.in.Peek(1); err != nil {
			e.dropMark()
			return e.line, err
		}
		buffered, err := e.in.Peek(e.in.Buffered())
		if err != nil { // all of it is there
			return nil, err
		}
		taken := len(buffered)
		if e.cr && buffered[0] == '\n' {
			e.cr = false
			if err := e.discard(1); err != nil {
				return nil, err
			}
			continue
		}
		e.cr = false
		end := bytes.IndexAny(buffered, "\r\n")
		if end >= 0 {
			e.cr = buffered[end] == '\r'
			taken, buffered = end+1, buffered[:end]
		}
		if len(e.line)+len(buffered)+len(e.data) > e.limit {
			return nil, ErrEventTooLong
		}
		e.line = append(e.line, buffered...)
		if err := e.discard(taken); err != nil {
			return nil, err
		}
		if end >= 0 {
			e.dropMark()
			return e.line, nil
		}
	}
}

func (e *Events) discard(n int) error {
	_, err := e.in.Discard(n)
	return err
}

// dropMark takes the byte order mark off the first line.
func (e *Events) dropMark() {
	if !e.begun {
		e.line = bytes.TrimPrefix(e.line, []byte("\xef\xbb\xbf"))
	}
	e.begun = true
}
