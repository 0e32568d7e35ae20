package serve

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

const (
	// maxQuestions bounds the questions that wait at once. Each is asked by a call
	// that keeps its slot: with fewer questions than slots the loop always comes
	// to read the answers.
	maxQuestions = 256
	// maxAnswer bounds the message with an answer, in bytes. A person typed it.
	maxAnswer = 64 << 10
	// maxAnswerTime bounds a question whose asker set no time.
	maxAnswerTime = 10 * time.Minute
)

var (
	errGone      = errors.New("the client is gone")
	errTooMany   = fmt.Errorf("%d questions wait for an answer already", maxQuestions)
	errNoAnswer  = errors.New("the client answered with an error")
	errMalformed = errors.New("the client's answer is malformed")
)

// questions are our own requests to the client that wait for an answer.
type questions struct {
	writer  *writer
	gone    chan struct{} // closed when no answer can come any more
	leaving sync.Once
	mu      sync.Mutex
	waiting map[string]chan []byte // by id; takes the message with the answer, nil for none that can be read
}

func newQuestions(w *writer) *questions {
	return &questions{writer: w, gone: make(chan struct{}), waiting: make(map[string]chan []byte)}
}

// ask sends a request and returns the message that answers it, which is JSON but
// not checked any further. When ctx ends first the client is told that the answer
// is not wanted any more.
func (q *questions) ask(ctx context.Context, method mcp.MCPMethod, params any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, maxAnswerTime)
	defer cancel()
	id := "brickmcp-" + rand.Text() // no client comes upon it by counting
	request, err := encodeRequest(id, method, params)
	if err != nil {
		return nil, err
	}
	answer := make(chan []byte, 1)
	if err := q.add(id, answer); err != nil {
		return nil, err
	}
	defer q.take(id)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case q.writer.responses <- request:
	case <-q.writer.broken:
		return nil, errGone
	case <-q.gone:
		return nil, errGone
	case <-ctx.Done(): // the client does not even read
		return nil, ctx.Err()
	}
	select {
	case message := <-answer:
		if message == nil {
			return nil, errMalformed
		}
		return message, nil
	case <-q.gone:
		return nil, errGone
	case <-ctx.Done():
		if q.take(id) != nil {
			q.withdraw(id, ctx.Err())
		}
		return nil, ctx.Err()
	}
}

func (q *questions) add(id string, answer chan []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.gone:
		return errGone
	default:
	}
	if len(q.waiting) >= maxQuestions {
		return errTooMany
	}
	q.waiting[id] = answer
	return nil
}

// take ends the waiting for id; nil when nobody waits, or no longer.
func (q *questions) take(id string) chan []byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	answer := q.waiting[id]
	delete(q.waiting, id)
	return answer
}

// answer hands a message to the question with that id, which is JSON text; nil
// stands for a message that cannot be read. It reports whether one was waiting,
// and never blocks.
func (q *questions) answer(id, message []byte) bool {
	parsed := gjson.ParseBytes(id)
	if parsed.Type != gjson.String {
		return false
	}
	answer := q.take(parsed.Str)
	if answer == nil {
		return false
	}
	answer <- message // the only one: it has room
	return true
}

// withdraw tells the client that a question needs no answer any more.
func (q *questions) withdraw(id string, why error) {
	reason := "the call was cancelled"
	if errors.Is(why, context.DeadlineExceeded) {
		reason = "no answer in time"
	}
	note, err := encodeRequest("", mcp.MethodNotificationCancelled, map[string]string{"requestId": id, "reason": reason})
	if err != nil {
		return // two texts: cannot happen
	}
	select {
	case q.writer.responses <- note: // behind the question, before the call's answer
	default:
		go q.writer.write(note) // a client that does not read must not hold the call up
	}
}

// end ends all questions, also those to come: nobody reads answers any more.
func (q *questions) end() {
	q.leaving.Do(func() { close(q.gone) })
}

// elicited reads the answer to elicitation/create. The content is left as it
// came: mcp-go's own type would round large numbers.
func elicited(message []byte) (*mcp.ElicitationResult, error) {
	answer := gjson.ParseBytes(message)
	result, content := answer.Get("result"), answer.Get("result.content")
	switch {
	case len(message) > maxAnswer:
		return nil, errMalformed
	case answer.Get("error").Exists():
		return nil, errNoAnswer
	case !result.IsObject():
		return nil, errMalformed
	}
	elicited := &mcp.ElicitationResult{}
	switch elicited.Action = mcp.ElicitationResponseAction(result.Get("action").Str); elicited.Action {
	case mcp.ElicitationResponseActionAccept:
		switch {
		case content.IsObject():
			elicited.Content = json.RawMessage(content.Raw)
		case content.Exists() && content.Type != gjson.Null:
			return nil, errMalformed
		}
	case mcp.ElicitationResponseActionDecline, mcp.ElicitationResponseActionCancel:
	default:
		return nil, errMalformed
	}
	return elicited, nil
}
