package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// question is what Genie understood: how much of what, over which days, broken
// down by what. Empty parts of a follow-up come from the question before.
type question struct {
	measure *measure
	by      *dimension
	period  period
	top     int
}

// measure is a number that can be asked for.
type measure struct {
	words  string // any of these, separated by "|"
	name   string // column of the result
	title  string
	expr   string
	table  string // alias t
	day    string // column of t that is a date; "": it has no history
	by     []dimension
	factor string // unit behind the number
}

// dimension is something to break a measure down by.
type dimension struct{ words, name, expr, join string }

// period is a span of days that ends with the newest day of the data.
type period struct {
	days  int // 0: all
	month int // 1 to 12: that month of every year there is
	label string
}

var (
	orderDimensions = []dimension{
		{"channel", "channel", "t.channel", ""},
		{"status", "status", "t.status", ""},
		{"store|shop", "store", "coalesce(s.name, 'online')", "LEFT JOIN main.retail.stores s ON s.store_id = t.store_id"},
		{"country|countries", "country", "c.country", "JOIN main.retail.customers c ON c.customer_id = t.customer_id"},
		{"segment", "segment", "c.segment", "JOIN main.retail.customers c ON c.customer_id = t.customer_id"},
		{"customer", "customer", "c.name", "JOIN main.retail.customers c ON c.customer_id = t.customer_id"},
		{"month", "month", "date_format(t.order_date, 'yyyy-MM')", ""},
		{"day|daily", "day", "t.order_date", ""},
	}
	returnDimensions = []dimension{
		{"reason", "reason", "t.reason", ""},
		{"product", "product", "p.name", "JOIN main.retail.products p ON p.product_id = t.product_id"},
		{"categor", "category", "p.category", "JOIN main.retail.products p ON p.product_id = t.product_id"},
		{"month", "month", "date_format(t.returned_on, 'yyyy-MM')", ""},
	}
	stockDimensions = []dimension{
		{"store|shop", "store", "s.name", "JOIN main.retail.stores s ON s.store_id = t.store_id"},
		{"product", "product", "p.name", "JOIN main.retail.products p ON p.product_id = t.product_id"},
		{"categor", "category", "p.category", "JOIN main.retail.products p ON p.product_id = t.product_id"},
	}
	orderMeasures = []measure{
		{"average order|order value|basket", "average_order", "Average order", "CAST(avg(t.total_amount) AS DECIMAL(12,2))", "main.retail.orders", "order_date", orderDimensions, " EUR"},
		{"revenue|sales|turnover|how much did we sell", "revenue", "Revenue", "sum(t.total_amount)", "main.retail.orders", "order_date", orderDimensions, " EUR"},
		{"salary|salaries|payroll", "payroll", "Payroll", "sum(t.gross_per_year)", "main.hr.salaries", "", nil, " EUR a year"},
		{"how many customers|active customers|buyers", "customers", "Customers who ordered", "count(DISTINCT t.customer_id)", "main.retail.orders", "order_date", orderDimensions, ""},
		{"order", "orders", "Orders", "count(*)", "main.retail.orders", "order_date", orderDimensions, ""},
	}
	stockMeasures = []measure{
		{"refund", "refunds", "Refunds", "sum(t.refund)", "main.retail.returns", "returned_on", returnDimensions, " EUR"},
		{"return", "returns", "Returned lines", "count(*)", "main.retail.returns", "returned_on", returnDimensions, ""},
		{"stock|inventory|on hand", "pieces", "Pieces in stock", "sum(t.on_hand)", "main.retail.inventory", "", stockDimensions, ""},
	}
)

// says reports whether text has one of the words.
func says(text, words string) bool {
	for _, w := range strings.Split(words, "|") {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// understand reads a question; before is the one it may follow, or nil. Without
// a measure the question is not understood.
func understand(measures []measure, text string, before *question) question {
	text = strings.ToLower(text)
	var q question
	for i := range measures {
		if says(text, measures[i].words) {
			q.measure = &measures[i]
			break
		}
	}
	q.period = readPeriod(text)
	if before != nil {
		if q.measure == nil {
			q.measure, q.by, q.top = before.measure, before.by, before.top
		}
		if q.period.label == "" {
			q.period = before.period
		}
	}
	if q.measure == nil {
		return q
	}
	_, breakdown, _ := strings.Cut(" "+text, " by ")
	for _, mark := range []string{" per ", " each ", "which ", "top "} {
		if _, after, ok := strings.Cut(" "+text, mark); ok {
			breakdown += " " + after
		}
	}
	for i := range q.measure.by {
		if breakdown != "" && says(breakdown, q.measure.by[i].words) {
			q.by = &q.measure.by[i]
			break
		}
	}
	if _, after, ok := strings.Cut(text, "top "); ok && q.by != nil {
		if q.top = leadingNumber(after); q.top == 0 {
			q.top = 5
		}
	}
	return q
}

var monthNames = strings.Fields("january february march april may june july august september october november december")

func readPeriod(text string) period {
	for _, p := range []struct {
		words string
		period
	}{
		{"yesterday|today", period{days: 1, label: "on the newest day of the data"}},
		{"week", period{days: 7, label: "in the newest seven days of the data"}},
		{"quarter", period{days: 91, label: "in the newest 91 days of the data"}},
		{"year", period{days: 365, label: "in the newest 365 days of the data"}},
		{"last month|past month|this month", period{days: 30, label: "in the newest 30 days of the data"}},
	} {
		if says(text, p.words) {
			return p.period
		}
	}
	if _, after, ok := strings.Cut(text, "last "); ok {
		if n := leadingNumber(after); n > 0 && strings.Contains(after, "day") {
			return period{days: n, label: fmt.Sprintf("in the newest %d days of the data", n)}
		}
	}
	for i, name := range monthNames {
		if says(text, "in "+name) {
			return period{month: i + 1, label: "in " + strings.ToUpper(name[:1]) + name[1:]}
		}
	}
	return period{}
}

func leadingNumber(text string) int {
	end := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(text)
	}
	n, err := strconv.Atoi(text[:min(end, 4)])
	if err != nil {
		return 0
	}
	return n
}

// sql is the question as a statement.
func (q question) sql() string {
	m := q.measure
	var b strings.Builder
	b.WriteString("SELECT ")
	if q.by != nil {
		b.WriteString(q.by.expr + " AS " + q.by.name + ", ")
	}
	b.WriteString(m.expr + " AS " + m.name + "\nFROM " + m.table + " t")
	if q.by != nil && q.by.join != "" {
		b.WriteString("\n" + q.by.join)
	}
	switch {
	case m.day == "":
	case q.period.days > 0:
		fmt.Fprintf(&b, "\nWHERE t.%[1]s > date_sub((SELECT max(%[1]s) FROM %[2]s), %[3]d)", m.day, m.table, q.period.days)
	case q.period.month > 0:
		fmt.Fprintf(&b, "\nWHERE month(t.%s) = %d", m.day, q.period.month)
	}
	if q.by != nil {
		b.WriteString("\nGROUP BY 1\nORDER BY ")
		if slices.Contains([]string{"day", "month"}, q.by.name) && q.top == 0 {
			b.WriteString("1")
		} else {
			b.WriteString("2 DESC, 1")
		}
		if q.top > 0 {
			b.WriteString("\nLIMIT " + strconv.Itoa(q.top))
		}
	}
	return b.String()
}

// title is the question in a few words.
func (q question) title() string {
	title := q.measure.title
	if q.by != nil {
		title += " by " + q.by.name
	}
	if q.period.label != "" && q.measure.day != "" {
		title += " " + q.period.label
	}
	return title
}

// answer is the result in words.
func (q question) answer(rows *rowset) string {
	const shown = 5
	if len(rows.rows) == 0 {
		return q.title() + ": none."
	}
	last := len(rows.columns) - 1
	number := func(row []string) string {
		if row[last] == "" {
			return "none"
		}
		return row[last] + q.measure.factor
	}
	if q.by == nil {
		return q.title() + ": **" + number(rows.rows[0]) + "**."
	}
	var parts []string
	for _, row := range rows.rows[:min(shown, len(rows.rows))] {
		parts = append(parts, row[0]+" **"+number(row)+"**")
	}
	text := q.title() + ": " + strings.Join(parts, ", ")
	if more := len(rows.rows) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + "."
}
