package sandbox

import (
	"fmt"
	"iter"
	"time"
)

// ragSchema is the home of the agents: models are added by seedModels, the
// tables hold what the staff asked support_bot before the clock started.
var ragSchema = schemaSeed{"main", "rag", "Agents, their models and their inference tables", anaName, []tableSeed{
	{name: "support_bot_payload", comment: "Requests and answers of agents_main-rag-support_bot", columns: payloadColumns, rows: payloadRows},
	{name: "support_bot_payload_request_logs", comment: "Formatted requests of agents_main-rag-support_bot", columns: requestLogColumns, rows: requestLogRows},
	{name: "support_bot_payload_assessment_logs", comment: "Feedback on answers of agents_main-rag-support_bot", columns: assessmentLogColumns, rows: assessmentLogRows},
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
func (p pastRequest) of(i int) (at time.Time, id, request, response string) {
	response = fmt.Sprintf(`{"object":"response","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":%q}]}]}`, p.answer)
	if p.status != 200 {
		response = `{"error_code":"INTERNAL_ERROR","message":"Encountered an unexpected error while evaluating the model."}`
	}
	at = seeded.Add(time.Duration(i-5) * 7 * time.Hour)
	return at, stableUUID("past request " + p.question), fmt.Sprintf(`{"input":[{"role":"user","content":%q}]}`, p.question), response
}

func payloadRows() iter.Seq[[]any] {
	return pastRows(func(p pastRequest, i int) []any {
		at, id, request, response := p.of(i)
		return []any{at, id, nil, at, p.status, 1.0, 900 + 70*i, request, response, []string{}, "support_bot_1", p.who}
	})
}

func requestLogRows() iter.Seq[[]any] {
	return pastRows(func(p pastRequest, i int) []any {
		at, id, request, response := p.of(i)
		metadata := map[string]string{"endpoint_name": "agents_main-rag-support_bot", "model_name": "main.rag.support_bot", "model_version": "1"}
		return []any{nil, id, at, at.UnixMilli(), at, p.status, 900 + 70*i, fmt.Sprint("c-", i/2+1), p.question, orNull(p.answer), request, response, nil, 1.0, metadata, "3"}
	})
}

func assessmentLogRows() iter.Seq[[]any] {
	return pastRows(func(p pastRequest, i int) []any {
		if p.rating == "" {
			return nil
		}
		at, id, _, _ := p.of(i)
		text := object{"ratings": object{"answer_correct": object{"value": p.rating}}, "free_text_comment": orNull(p.comment)}
		return []any{id, nil, object{"id": p.who, "type": "human"}, at.Add(2 * time.Minute), text, nil}
	})
}

func pastRows(row func(pastRequest, int) []any) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for i, p := range pastRequests {
			if r := row(p, i); r != nil && !yield(r) {
				return
			}
		}
	}
}
