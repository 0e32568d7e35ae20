package sandbox

import (
	"fmt"
	"iter"
	"time"

	"brickmcp/transport/sandbox/engine"
)

// ragSchema is the home of the agents: models are added by seedModels, the
// tables hold what the staff asked support_bot before the clock started.
var ragSchema = schemaSeed{"main", "rag", "Agents, their models and their inference tables", anaName, []tableSeed{
	{name: "support_bot_payload", comment: "Requests and answers of agents_main-rag-support_bot", columns: payloadColumns},
	{name: "support_bot_payload_request_logs", comment: "Formatted requests of agents_main-rag-support_bot", columns: requestLogColumns},
	{name: "support_bot_payload_assessment_logs", comment: "Feedback on answers of agents_main-rag-support_bot", columns: assessmentLogColumns},
}}

// pastRequest is a question of before, with the feedback on it, if any.
type pastRequest struct {
	who, question, answer, rating, comment string
	status                                 int
}

var pastRequests = []pastRequest{
	{"ben@example.com", "How do I book a return without a receipt?", "Look the order up by the customer's e-mail, then book it as usual.", "positive", "The answer used the provided context", 200},
	{"deniz@example.com", "Which products are short in Lyon?", "Three products are below their reorder point.", "negative", "Lyon has no such store", 200},
	{"carla@example.com", "Why is order 100042 late?", "", "", "", 500},
	{"ben@example.com", "How many orders came in yesterday?", "There were 31 orders.", "positive", "", 200},
	{"deniz@example.com", "Who is our best customer?", "I answer questions about orders only.", "", "", 200},
}

// of is when a past request was made, its id, and the two bodies.
func (p pastRequest) of(i int, began time.Time) (at time.Time, id, request, response string) {
	response = fmt.Sprintf(`{"object":"response","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":%q}]}]}`, p.answer)
	if p.status != 200 {
		response = `{"error_code":"INTERNAL_ERROR","message":"Encountered an unexpected error while evaluating the model."}`
	}
	at = began.Add(time.Duration(i-5) * 7 * time.Hour)
	return at, stableUUID("past request " + p.question), fmt.Sprintf(`{"input":[{"role":"user","content":%q}]}`, p.question), response
}

// pastLogs are the rows of a seeded inference table, nil for another table. They
// hang on the moment the workspace began: people look at the logs of last week.
func pastLogs(t engine.Table, began time.Time) iter.Seq[[]any] {
	row := map[string]func(pastRequest, int, time.Time) []any{
		"support_bot_payload": pastPayload, "support_bot_payload_request_logs": pastRequestLog, "support_bot_payload_assessment_logs": pastAssessmentLog,
	}[t.Table]
	if row == nil || t.ID != stableUUID(kindTable+" "+t.Name.String()) {
		return nil
	}
	return func(yield func([]any) bool) {
		for i, p := range pastRequests {
			if cells := row(p, i, began); cells != nil && !yield(cells) {
				return
			}
		}
	}
}

func pastPayload(p pastRequest, i int, began time.Time) []any {
	at, id, request, response := p.of(i, began)
	return []any{at, id, nil, at, p.status, 1.0, 900 + 70*i, request, response, []string{}, "support_bot_1", p.who}
}

func pastRequestLog(p pastRequest, i int, began time.Time) []any {
	at, id, request, response := p.of(i, began)
	metadata := map[string]string{"endpoint_name": "agents_main-rag-support_bot", "model_name": "main.rag.support_bot", "model_version": "1"}
	return []any{nil, id, at, at.UnixMilli(), at, p.status, 900 + 70*i, fmt.Sprint("c-", i/2+1), p.question, orNull(p.answer), request, response, nil, 1.0, metadata, "3"}
}

func pastAssessmentLog(p pastRequest, i int, began time.Time) []any {
	if p.rating == "" {
		return nil
	}
	at, id, _, _ := p.of(i, began)
	text := object{"ratings": object{"answer_correct": object{"value": p.rating}}, "free_text_comment": orNull(p.comment)}
	return []any{id, nil, object{"id": p.who, "type": "human"}, at.Add(2 * time.Minute), text, nil}
}
