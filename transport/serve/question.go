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
	// maxQuestions bounds the questions to one client that wait at once. Each is
	// asked by a call that keeps its slot: with fewer questions than slots the loop
	// of stdio always comes to read the answers.
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

// questions are our own requests to clients that wait for an answer.
type questions struct {
	gone    chan struct{} // closed when no answer can come any more
	leaving sync.Once
	mu      sync.Mutex
	waiting map[string]question // by id
	asked   map[string]int      // how many wait, by session
}

// question waits for an answer of one session, and of no other.
type question struct {
	session string
	answer  chan []byte // takes the message with the answer, nil for none that can be read
}

func newQuestions() *questions {
	return &questions{gone: make(chan struct{}), waiting: make(map[string]question), asked: make(map[string]int)}
}

// ask sends a request to the client of a session and returns the message that
// answers it, which is JSON but not checked any further. When ctx ends first the
// client is told that the answer is not wanted any more.
func (q *questions) ask(ctx context.Context, to *writer, session string, method mcp.MCPMethod, params any) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, maxAnswerTime)
	defer cancel()
	id := "brickmcp-" + rand.Text() // no client comes upon it by counting
	request, err := encodeRequest(id, method, params)
	if err != nil {
		return nil, err
	}
	answer := make(chan []byte, 1)
	if err := q.add(id, question{session, answer}); err != nil {
		return nil, err
	}
	defer q.take(id, session)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case to.responses <- request:
	case <-to.broken:
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
	case <-to.broken:
		return nil, errGone
	case <-ctx.Done():
		if q.take(id, session) {
			withdraw(to, id, ctx.Err())
		}
		return nil, ctx.Err()
	}
}

func (q *questions) add(id string, asked question) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	select {
	case <-q.gone:
		return errGone
	default:
	}
	if q.asked[asked.session] >= maxQuestions {
		return errTooMany
	}
	q.asked[asked.session]++
	q.waiting[id] = asked
	return nil
}

// take ends the waiting for id; false when nobody waits, or no longer.
func (q *questions) take(id, session string) bool {
	_, waiting := q.taken(id, session)
	return waiting
}

func (q *questions) taken(id, session string) (question, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	asked, waiting := q.waiting[id]
	if !waiting || asked.session != session {
		return question{}, false
	}
	delete(q.waiting, id)
	if q.asked[session]--; q.asked[session] == 0 {
		delete(q.asked, session)
	}
	return asked, true
}

// answer hands a message of a session to the question with that id, which is JSON
// text; nil stands for a message that cannot be read. It reports whether one was
// waiting, and never blocks.
func (q *questions) answer(session string, id, message []byte) bool {
	parsed := gjson.ParseBytes(id)
	if parsed.Type != gjson.String {
		return false
	}
	asked, waiting := q.taken(parsed.Str, session)
	if waiting {
		asked.answer <- message // the only one: it has room
	}
	return waiting
}

// withdraw tells the client that a question needs no answer any more.
func withdraw(to *writer, id string, why error) {
	reason := "the call was cancelled"
	if errors.Is(why, context.DeadlineExceeded) {
		reason = "no answer in time"
	}
	note, err := encodeRequest("", mcp.MethodNotificationCancelled, map[string]string{"requestId": id, "reason": reason})
	if err != nil {
		return // two texts: cannot happen
	}
	select {
	case to.responses <- note: // behind the question, before the call's answer
	default:
		go to.write(note) // a client that does not read must not hold the call up
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
