package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// States of a message. The last four are final.
const (
	messageSubmitted  = "SUBMITTED"
	messageMetadata   = "FETCHING_METADATA"
	messageFiltering  = "FILTERING_CONTEXT"
	messageThinking   = "ASKING_AI"
	messageWarehouse  = "PENDING_WAREHOUSE"
	messageExecuting  = "EXECUTING_QUERY"
	messageCompleted  = "COMPLETED"
	messageFailed     = "FAILED"
	messageCancelled  = "CANCELLED"
	messageRowsLapsed = "QUERY_RESULT_EXPIRED"
)

const (
	thinking       = 5 * time.Second // before the SQL is there
	executing      = time.Second     // the least that EXECUTING_QUERY lasts
	genieRows      = 5000
	genieResultLag = 5 * time.Second // real time that a look waits for the SQL engine
)

// message is one question and what has become of it.
type message struct {
	id, text     string
	conversation *conversation
	created      time.Time
	updated      time.Time
	question     question
	doom         string // what it ends in without an answer: "", CANCELLED or the type of an error
	lapses       bool   // its rows are lost as soon as it is answered

	status       string
	errorType    string
	errorText    string
	statement    *statement
	began        time.Time // the statement, by the workspace's clock
	answer       string
	rows         int64
	truncated    bool
	rating, note string
}

// ask adds a question to a conversation. The words sandbox-cancelled,
// sandbox-expired and sandbox-fail in it, the last one followed by the type of
// an error, provoke these ends. Needs g.mu held.
func (g *genie) ask(c *conversation, text string, now time.Time) *message {
	m := &message{id: g.newID(now), text: text, conversation: c, created: now, updated: now, status: messageSubmitted}
	var before *question
	if n := len(c.messages); n > 0 {
		last := c.messages[n-1]
		g.settle(context.Background(), last, now)
		if !last.final() {
			m.doom = "BLOCK_MULTIPLE_EXECUTIONS_EXCEPTION"
		}
		for _, earlier := range c.messages {
			if earlier.doom == "" && earlier.question.measure != nil {
				before = &earlier.question
			}
		}
	}
	m.question = understand(c.space.measures, text, before)
	magic := magicWords(text)
	switch {
	case magic["cancelled"]:
		m.doom = messageCancelled
	case magic["fail"]:
		m.doom = "GENERIC_CHAT_COMPLETION_EXCEPTION"
		if _, after, _ := strings.Cut(text, "sandbox-fail"); after != "" {
			if words := strings.Fields(after); len(words) > 0 && strings.ToUpper(words[0]) == words[0] {
				m.doom = words[0]
			}
		}
	}
	m.lapses = magic["expired"]
	c.messages, c.updated = append(c.messages, m), now
	return m
}

func (m *message) final() bool {
	switch m.status {
	case messageCompleted, messageFailed, messageCancelled, messageRowsLapsed:
		return true
	}
	return false
}

func (m *message) end(status string, at time.Time) {
	m.status, m.updated = status, at
}

func (m *message) fail(kind, text string, at time.Time) {
	m.errorType, m.errorText = kind, text
	m.end(messageFailed, at)
}

// settle brings a message up to now.
func (g *genie) settle(ctx context.Context, m *message, now time.Time) {
	if m.final() && m.status != messageCompleted {
		return
	}
	elapsed := now.Sub(m.created)
	switch {
	case m.statement != nil:
		g.follow(ctx, m, now)
	case elapsed < time.Second, m.final():
	case elapsed < 2*time.Second:
		m.status = messageMetadata
	case m.doom == messageCancelled:
		m.end(messageCancelled, now)
	case m.doom != "":
		m.fail(m.doom, "The question could not be answered.", now)
	case elapsed < 3*time.Second:
		m.status = messageFiltering
	case elapsed < thinking:
		m.status = messageThinking
	case m.question.measure == nil:
		m.answer = m.conversation.space.shrug(m.text)
		m.end(messageCompleted, now)
	default:
		g.execute(m, now)
		g.follow(ctx, m, now)
	}
}

// execute starts the statement of a message on the space's warehouse, with the
// rights of who asked.
func (g *genie) execute(m *message, now time.Time) {
	user, warehouse := m.conversation.user, m.conversation.space.warehouse
	if err := g.w.warehouses.mayUse(user, warehouse, now); err != nil {
		m.fail("WAREHOUSE_ACCESS_MISSING_EXCEPTION", "You do not have access to the warehouse of this space.", now)
		return
	}
	running, err := g.w.warehouses.acquire(warehouse, now)
	if err != nil {
		m.fail("WAREHOUSE_NOT_FOUND_EXCEPTION", "The warehouse of this space does not exist.", now)
		return
	}
	in := executeRequest{Warehouse: warehouse, Statement: m.question.sql(), RowLimit: genieRows, WaitTimeout: "0s"}
	if err := in.check(); err != nil {
		m.fail("INTERNAL_ERROR", err.Error(), now)
		return
	}
	m.statement = g.w.statements.start(&request{user: user, now: now}, in, running)
	m.status, m.began = messageWarehouse, now
}

// follow looks after the statement. Where nothing but the SQL engine is waited
// for, a look waits for it: that is real time, and short.
func (g *genie) follow(ctx context.Context, m *message, now time.Time) {
	if m.statement == nil {
		return
	}
	ss := g.w.statements
	if running, err := g.w.warehouses.acquire(m.conversation.space.warehouse, now); running && err == nil && !m.final() {
		wait, cancel := context.WithTimeout(ctx, genieResultLag)
		defer cancel()
		select {
		case <-m.statement.done:
		case <-wait.Done():
		}
		if m.status == messageWarehouse {
			m.status, m.began = messageExecuting, now
		}
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := m.statement
	ss.lapse(s, now)
	switch s.state {
	case statementPending:
		m.status = messageWarehouse
	case statementRunning:
		m.status = messageExecuting
	case statementFailed:
		m.fail("SQL_EXECUTION_EXCEPTION", s.failure.Message, now)
	case statementCanceled:
		m.end(messageCancelled, now)
	case statementClosed:
		m.end(messageRowsLapsed, now)
	case statementSucceeded:
		if now.Sub(m.began) < executing {
			m.status = messageExecuting
		} else if !m.final() {
			m.complete(s.result)
			m.end(messageCompleted, now)
			if m.lapses {
				m.lapses = false
				ss.expire(s)
				m.end(messageRowsLapsed, now)
			}
		}
	}
}

// complete words the answer from the result.
func (m *message) complete(result *result) {
	m.rows, m.truncated = result.rows, result.truncated
	rows := &rowset{}
	if err := rows.Columns(result.columns); err != nil {
		return
	}
	if len(result.chunks) > 0 {
		c := result.chunks[0]
		text, err := readRange(result.content, c.at, c.size)
		if err == nil {
			err = json.Unmarshal(text, &rows.rows)
		}
		if err != nil {
			m.answer = "The result could not be read."
			return
		}
	}
	m.answer = m.question.answer(rows)
}

// show is the message as of the last settle.
func (m *message) show() object {
	o := object{
		"message_id": m.id, "id": m.id, "conversation_id": m.conversation.id, "space_id": m.conversation.space.id, "content": m.text,
		"status": m.status, "user_id": json.Number(m.conversation.user.ID),
		"created_timestamp": m.created.UnixMilli(), "last_updated_timestamp": m.updated.UnixMilli(),
	}
	if m.errorType != "" {
		o["error"] = object{"type": m.errorType, "error": m.errorText}
	}
	if m.rating != "" {
		o["feedback"] = object{"rating": m.rating, "comment": m.note}
	}
	if attachments := m.attachments(); len(attachments) > 0 {
		o["attachments"] = attachments
	}
	return o
}

// attachment ids hang on the message's.
func (m *message) attachment(kind string) string { return bareUUID(m.id + " " + kind) }

func (m *message) attachments() []object {
	var all []object
	if m.statement != nil && m.status != messageFailed {
		query := object{
			"id": m.attachment("query"), "title": m.question.title(), "description": m.question.title() + ", by SQL over " + m.question.measure.table,
			"query": m.question.sql(), "statement_id": m.statement.id, "last_updated_timestamp": m.updated.UnixMilli(),
			"thoughts": []object{{"thought_type": "THOUGHT_TYPE_DATA_SOURCING", "content": m.question.measure.table}},
		}
		if m.answer != "" {
			query["query_result_metadata"] = object{"row_count": m.rows, "is_truncated": m.truncated}
		}
		all = append(all, object{"attachment_id": m.attachment("query"), "query": query})
	}
	if m.answer == "" {
		return all
	}
	purpose := "TEXT_ATTACHMENT_PURPOSE_ANSWER"
	if m.statement == nil && !m.conversation.space.aboutItself(m.text) {
		purpose = "FOLLOW_UP_QUESTION"
	}
	return append(all,
		object{"attachment_id": m.attachment("text"), "text": object{"id": m.attachment("text"), "content": m.answer, "purpose": purpose}},
		object{"attachment_id": m.attachment("suggestions"), "suggested_questions": object{"questions": m.conversation.space.examples[1:]}},
	)
}

// message looks up the {message} of the path and brings it up to now.
func (g *genie) message(r *request) (*message, error) {
	c, err := g.conversation(r)
	if err != nil {
		return nil, err
	}
	for _, m := range c.messages {
		if m.id == r.PathValue("message") {
			g.settle(r.Context(), m, r.now)
			return m, nil
		}
	}
	return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Message "+r.PathValue("message")+" does not exist.")
}

func (g *genie) getMessage(r *request) (any, error) {
	m, err := g.message(r)
	if err != nil {
		return nil, err
	}
	return m.show(), nil
}

func (g *genie) listMessages(r *request) (any, error) {
	c, err := g.conversation(r)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, m := range c.messages {
		g.settle(r.Context(), m, r.now)
		all = append(all, m.show())
	}
	return r.pageOf("messages", all)
}

// withQuery looks up a message and checks that {attachment} is its query.
func (g *genie) withQuery(r *request) (*message, error) {
	m, err := g.message(r)
	if err != nil {
		return nil, err
	}
	if m.statement == nil || m.attachment("query") != r.PathValue("attachment") {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Query attachment "+r.PathValue("attachment")+" does not exist.")
	}
	return m, nil
}

func (g *genie) queryResult(r *request) (any, error) {
	m, err := g.withQuery(r)
	if err != nil {
		return nil, err
	}
	if m.status != messageExecuting && m.status != messageCompleted {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("The message is in status %s and has no query result.", m.status))
	}
	shown, err := g.w.statements.show(r, m.statement)
	return object{"statement_response": shown}, err
}

// executeQuery runs the SQL of a message again, after its rows are gone.
func (g *genie) executeQuery(r *request) (any, error) {
	m, err := g.withQuery(r)
	if err != nil {
		return nil, err
	}
	if !m.final() {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("The message is in status %s.", m.status))
	}
	m.statement = nil
	g.execute(m, r.now)
	if m.statement == nil {
		return nil, denied(m.errorText)
	}
	return object{"statement_response": bareResponse(m.statement, statementPending)}, nil
}

func (g *genie) feedback(r *request) (any, error) {
	m, err := g.message(r)
	if err != nil {
		return nil, err
	}
	var in struct{ Rating, Comment string }
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	switch in.Rating {
	case "POSITIVE", "NEGATIVE", "NONE":
	default:
		return nil, badArgument("Invalid value for field rating: '" + in.Rating + "' is not one of POSITIVE, NEGATIVE, NONE.")
	}
	m.rating, m.note = in.Rating, in.Comment
	return nil, nil
}
