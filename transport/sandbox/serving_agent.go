package sandbox

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"sync"

	"brickmcp/transport/sandbox/engine"
)

// turn is what an agent did for one question: at most one statement, and a text.
type turn struct {
	question  string
	tool      string // "" when none was called
	arguments string // JSON text
	output    string // the rows, as a Markdown table
	text      string
}

// skill is a kind of question that the sandbox's agents answer.
type skill struct {
	words     []string // any of them
	statement string   // :id is the number in the question
	text      string   // %s is the first cell, and so on
}

// skills by precedence. Dates count back from the last order: the data do not
// grow with the clock.
var skills = []skill{
	{[]string{"divide by zero"}, "SELECT 1 / 0", ""},
	{[]string{"return", "refund"}, "SELECT reason, count(*) AS returns, sum(refund) AS refunded FROM main.retail.returns GROUP BY reason ORDER BY returns DESC, reason LIMIT 5", "The most common reason for a return is %s: %s returns, %s EUR refunded."},
	{[]string{"stock", "inventory", "reorder"}, "SELECT count(*) AS short, min(on_hand) AS least FROM main.retail.inventory WHERE on_hand < reorder_point", "%s products are below their reorder point; the lowest has %s pieces."},
	{[]string{"customer"}, "SELECT name, segment, revenue FROM main.retail.top_customers ORDER BY revenue DESC, customer_id LIMIT 5", "The best customer is %s (%s) with %s EUR."},
	{[]string{"revenue", "sales"}, "SELECT sum(revenue) AS revenue, sum(orders) AS orders FROM main.retail.orders_daily WHERE order_date > (SELECT max(order_date) FROM main.retail.orders) - 7", "The last seven days brought %s EUR from %s orders."},
	{[]string{"order"}, "SELECT count(*) AS orders, sum(total_amount) AS total FROM main.retail.orders WHERE order_date > (SELECT max(order_date) FROM main.retail.orders) - 7", "There were %s orders in the last seven days, worth %s EUR."},
}

// oneOrder answers a question that names an order by its number.
var oneOrder = skill{nil, "SELECT order_id, status, order_date, total_amount FROM main.retail.orders WHERE order_id = :id", "Order %s is %s. It was placed on %s and is worth %s EUR."}

var orderID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b[0-9]{4,18}\b`) })

const noSkill = "I answer questions about the orders, revenue, customers, stock and returns of the shops. Ask me about one of them."

// think answers a question with the rows of one statement, which runs with the
// rights of the endpoint's creator: the platform gives an agent access to what
// its model declares.
func (s *serving) think(ctx context.Context, creator, question string) (turn, error) {
	t := turn{question: question, text: noSkill}
	asked := strings.ToLower(question)
	var use *skill
	session := engine.Session{User: creator}
	for i := range skills {
		if containsAny(asked, skills[i].words) {
			use = &skills[i]
			break
		}
	}
	if id := orderID().FindString(asked); id != "" && strings.Contains(asked, "order") {
		use, session.Parameters = &oneOrder, []engine.Parameter{{Name: "id", Value: &id, Type: "BIGINT"}}
	}
	if use == nil {
		return t, nil
	}
	t.tool = "query_lakehouse"
	call := object{"statement": use.statement}
	for _, p := range session.Parameters {
		call["parameters"] = object{p.Name: *p.Value}
	}
	arguments, err := json.Marshal(call)
	if err != nil {
		return t, err
	}
	t.arguments = string(arguments)
	rows := &rowset{}
	s.w.lakehouse.ready()
	if err := s.w.lakehouse.engine.Run(ctx, session, use.statement, rows); err != nil {
		return t, err
	}
	t.output, t.text = rows.markdown(5), "I found nothing about that."
	if len(rows.rows) > 0 {
		t.text = use.text
		for _, cell := range rows.rows[0] {
			t.text = strings.Replace(t.text, "%s", cell, 1)
		}
	}
	return t, nil
}

func containsAny(text string, words []string) bool {
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
