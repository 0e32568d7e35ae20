package runs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// Genie runs questions to Genie spaces (contract/genie.md): Genie writes SQL and
// runs it, and a run is one question of a conversation.
type Genie struct {
	API catalog.Caller
}

const (
	geniePrefix = "genie/"
	// genieLimit is how long clients of Databricks wait for an answer.
	genieLimit = 20 * time.Minute
)

var (
	_ Backend = (*Genie)(nil)
	_ Pacer   = (*Genie)(nil)
)

// genieState is what a question remembers.
type genieState struct {
	Conversation string `json:"conversation_id"`
	Message      string `json:"message_id"`
	// Again are the attachments whose query was run again: that happens once.
	Again []string `json:"again,omitempty"`
}

// Start implements Backend.
func (g *Genie) Start(ctx context.Context, run *Run) error {
	space := strings.TrimPrefix(run.Agent, geniePrefix)
	if err := onlyInput(run, "Genie space "+space); err != nil {
		return err
	}
	question, err := genieQuestion(run.Request.Input)
	if err != nil {
		return err
	}
	message := &catalog.GenieMessage{}
	if id := run.Request.ConversationID; id != "" {
		message, err = catalog.AskGenie.Call(ctx, g.API, catalog.GenieFollowUp{SpaceID: space, ConversationID: id, Content: question})
		if err != nil {
			return genieRefusal(err)
		}
		message.ConversationID = id
	} else {
		conversation, err := catalog.StartConversation.Call(ctx, g.API, catalog.GenieQuestion{SpaceID: space, Content: question})
		if err != nil {
			return genieRefusal(err)
		}
		if conversation.Message != nil {
			message = conversation.Message
		}
		message.ConversationID = conversation.ConversationID
		if conversation.MessageID != "" {
			message.MessageID = conversation.MessageID
		}
	}
	if message.MessageID == "" {
		message.MessageID = message.LegacyID
	}
	if message.MessageID == "" || message.ConversationID == "" {
		return &catalog.Error{Kind: catalog.UnknownFate, Message: "Genie space " + space + ": the answer to the question names no message", Advice: catalog.AskGenie.Verify}
	}
	run.State = item(genieState{Conversation: message.ConversationID, Message: message.MessageID})
	run.Conversation = message.ConversationID
	run.Responses = []Response{{ID: message.MessageID, CreatedAt: time.Now().UTC(), Status: message.Status}}
	run.Status = Queued
	return nil
}

// genieQuestion is the one text that Genie takes.
func genieQuestion(items []json.RawMessage) (string, error) {
	question := ""
	if len(items) == 1 {
		item := gjson.ParseBytes(items[0])
		if role := item.Get("role").Str; role == "user" || role == "" {
			question = strings.TrimSpace(itemText(item))
		}
	}
	if question == "" {
		return "", &catalog.Error{Kind: catalog.Invalid, Message: "Genie takes one question in words, and keeps the conversation itself", Advice: "Give input as a text; to follow up, give the conversation_id of the earlier run. Nothing was sent."}
	}
	return question, nil
}

// genieRefusal names what is special about Genie's refusals.
func genieRefusal(err error) error {
	e := *catalog.AsError(err)
	switch {
	case e.Kind == catalog.Limited:
		e.Advice = "A workspace takes about 5 questions a minute over all its spaces. " + e.Advice
	case strings.Contains(e.Message, "BLOCK_MULTIPLE_EXECUTIONS"), strings.Contains(e.Message, "MESSAGE_UPDATED_WHILE_EXECUTING"):
		e.Kind, e.Advice = catalog.Conflict, "A question of this conversation still runs: wait for its end, or leave conversation_id out for a new one."
	}
	return &e
}

// Next implements Pacer: every 1 to 5 s is what Genie suggests.
func (g *Genie) Next(run *Run, now time.Time) time.Duration {
	return min(max(now.Sub(run.Created)/10, time.Second), 5*time.Second)
}

// Continue implements Backend: Genie only reads.
func (g *Genie) Continue(context.Context, *Run, []Decision) error { return ErrNoApprovals }

// Cancel implements Backend: the API has no such call.
func (g *Genie) Cancel(ctx context.Context, run *Run) (bool, error) {
	if !endedMeanwhile(ctx, g, run) {
		run.End(Abandoned, &Failure{Code: "not_supported", Message: "Genie has no cancel: it only reads, and ends the question by itself; here nobody looks at it any more"})
	}
	return false, nil
}

// Poll implements Backend.
func (g *Genie) Poll(ctx context.Context, run *Run) error {
	var state genieState
	if err := json.Unmarshal(run.State, &state); err != nil || state.Message == "" {
		return &catalog.Error{Kind: catalog.Internal, Message: "run " + run.ID + ": its record does not name Genie's message", Advice: "The run cannot be reached from here."}
	}
	look := &genieLook{genie: g, run: run, state: state, space: strings.TrimPrefix(run.Agent, geniePrefix)}
	return look.message(ctx)
}

// genieLook is one look at a question.
type genieLook struct {
	genie *Genie
	run   *Run
	state genieState
	space string
}

func (l *genieLook) message(ctx context.Context) error {
	message, err := catalog.GetGenieMessage.Call(ctx, l.genie.API, catalog.GenieMessageName{SpaceID: l.space, ConversationID: l.state.Conversation, MessageID: l.state.Message})
	if unknownThere(err) {
		l.run.End(Expired, &Failure{Code: "not_found", Message: "Genie does not know the message (any more)"})
		return nil
	}
	if err != nil {
		return err
	}
	switch message.Status {
	case "COMPLETED", "QUERY_RESULT_EXPIRED":
		return l.answer(ctx, message)
	case "FAILED":
		l.ended(message)
		l.run.Items = keep(nil, genieItems(message, nil)...)
		l.run.End(Failed, genieFailure(message))
	case "CANCELLED":
		l.ended(message)
		l.run.Items = keep(nil, genieItems(message, nil)...)
		l.run.End(Cancelled, nil)
	default: // on the way, also when nobody here knows the word
		l.going(message)
	}
	return nil
}

func (l *genieLook) ended(message *catalog.GenieMessage) {
	l.run.LastResponse().Status, l.run.Doing = message.Status, ""
}

func (l *genieLook) going(message *catalog.GenieMessage) {
	run := l.run
	run.LastResponse().Status, run.Doing = message.Status, genieDoing(message.Status)
	run.Status = InProgress
	if items := genieItems(message, nil); len(items) > len(run.Items) {
		run.Items = keep(nil, items...)
	}
	if time.Since(run.Created) > genieLimit {
		run.End(Failed, &Failure{Code: "timed_out", Message: "timed out: Genie has not reported an end for 20 minutes (last status " + cut(message.Status, 60) + ")"})
	}
}

func genieDoing(status string) string {
	switch status {
	case "PENDING_WAREHOUSE":
		return "waiting for the warehouse to start"
	case "EXECUTING_QUERY":
		return "running the query"
	}
	return cut(strings.ToLower(strings.ReplaceAll(status, "_", " ")), 60)
}

// answer reads the rows of all queries, and ends the run when they are there.
func (l *genieLook) answer(ctx context.Context, message *catalog.GenieMessage) error {
	results := map[string]*genieRows{}
	for _, a := range message.Attachments {
		if a.Query == nil || a.AttachmentID == "" {
			continue
		}
		rows, err := l.rows(ctx, message, a.AttachmentID)
		if err != nil {
			return err
		}
		if rows == nil { // it runs again
			l.going(message)
			return nil
		}
		if m := a.Query.Metadata; m != nil && rows.problem == "" {
			rows.total, rows.truncated = max(rows.total, m.RowCount), rows.truncated || m.IsTruncated
		}
		results[a.AttachmentID] = rows
	}
	l.ended(message)
	l.run.Items = keep(nil, genieItems(message, results)...)
	l.run.End(Completed, nil)
	return nil
}

// rows reads the result of one query; nil while it runs. Rows that have expired are
// made again, once.
func (l *genieLook) rows(ctx context.Context, message *catalog.GenieMessage, attachment string) (*genieRows, error) {
	name := catalog.GenieAttachmentName{SpaceID: l.space, ConversationID: l.state.Conversation, MessageID: l.state.Message, AttachmentID: attachment}
	again := slices.Contains(l.state.Again, attachment)
	var result *catalog.GenieResult
	var err error
	expired := message.Status == "QUERY_RESULT_EXPIRED" && !again
	if !expired {
		result, err = catalog.GetGenieResult.Call(ctx, l.genie.API, name)
		if err != nil {
			if lasting(err) {
				return &genieRows{problem: catalog.AsError(err).Message}, nil
			}
			return nil, err
		}
		expired = result.Statement.Status.State == "CLOSED"
	}
	if expired && again {
		return &genieRows{problem: "the rows have expired"}, nil
	}
	if expired {
		l.state.Again = append(l.state.Again, attachment)
		l.run.State = item(l.state)
		switch err := l.run.Note(); {
		case errors.Is(err, ErrChanged): // another look does it, or somebody ended the run
			return nil, nil
		case err != nil:
			return nil, notKept(l.run, err)
		}
		result, err = catalog.RunGenieQuery.Call(ctx, l.genie.API, name)
		switch {
		case err != nil && lasting(err):
			return &genieRows{problem: catalog.AsError(err).Message}, nil
		case err != nil: // it may run: the next look finds out
			return nil, nil
		}
	}
	return genieRowsOf(result), nil
}

// lasting reports a refusal that the next look would meet again.
func lasting(err error) bool {
	switch kindOf(err) {
	case catalog.Forbidden, catalog.Missing, catalog.Invalid, catalog.Conflict, catalog.Denied:
		return true
	}
	return false
}
