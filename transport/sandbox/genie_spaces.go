package sandbox

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// genieSpace answers questions about some tables.
type genieSpace struct {
	id, title, description string
	slug                   string // of tool names
	warehouse              string
	run                    []string // who holds CAN_RUN; admins do besides
	tables                 []string
	measures               []measure
	examples               []string
}

// seedSpaces are open to analysts, and to engineers only.
func seedSpaces() []*genieSpace {
	return []*genieSpace{
		{
			id: "01ef8d2a5c7b1e4f9a3d6b8c0e2f4a61", slug: "retail_orders", title: "Retail orders", warehouse: warehouseID(1),
			description: "Orders, revenue and customers of the shops, by SQL over main.retail", run: []string{"analysts", "data-engineers"},
			tables: []string{"main.retail.customers", "main.retail.orders", "main.retail.stores", "main.hr.salaries"}, measures: orderMeasures,
			examples: []string{"How many orders did we get last week?", "What was the revenue by channel last month?", "Who are the top 5 customers by revenue?"},
		},
		{
			id: "01ef8d2a71c05b3e8d4f2a9b6c1e7d35", slug: "returns_and_stock", title: "Returns and stock", warehouse: warehouseID(2),
			description: "Returned goods and stock levels, by SQL over main.retail", run: []string{"data-engineers"},
			tables: []string{"main.retail.inventory", "main.retail.products", "main.retail.returns", "main.retail.stores"}, measures: stockMeasures,
			examples: []string{"How many returns by reason?", "How much stock do we have by category?"},
		},
	}
}

// mayRun says whether user may ask the space.
func (s *genieSpace) mayRun(user *principal) bool {
	return user.Admin || slices.ContainsFunc(s.run, user.in)
}

// ask answers a question at once with the rights of user: the words, and the
// rows behind them if SQL was needed.
func (s *genieSpace) ask(ctx context.Context, l *lakehouse, user *principal, text string) (string, *rowset, error) {
	q := understand(s.measures, text, nil)
	if q.measure == nil {
		return s.shrug(text), nil, nil
	}
	rows, err := l.query(ctx, user, q.sql())
	if err != nil {
		_, message, _ := explain(err)
		return "", nil, errors.New(message)
	}
	return q.answer(rows), rows, nil
}

// shrug is the answer to a question that was not understood.
func (s *genieSpace) shrug(text string) string {
	if s.aboutItself(text) {
		return "This space answers questions about " + strings.Join(s.tables, ", ") + ", for example: " + s.examples[0]
	}
	var titles []string
	for _, m := range s.measures {
		titles = append(titles, strings.ToLower(m.title))
	}
	return "Which of these do you want to know: " + strings.Join(titles, ", ") + "?"
}

// aboutItself is a question about the space, not about data.
func (s *genieSpace) aboutItself(text string) bool {
	return says(strings.ToLower(text), "table|what can|about what|help")
}
