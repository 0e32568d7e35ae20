package sandbox

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// How many rows the larger seeded tables have. Order lines follow from the
// orders: about two and a half each.
const (
	customerCount = 800
	productCount  = 240
	storeCount    = 24
	supplierCount = 40
	orderCount    = 5000
)

// lastDay is the day before seeded; the seeded year ends with it.
var lastDay = time.Date(2025, time.June, 29, 0, 0, 0, 0, time.UTC)

// rowDice returns the random numbers of row i of a table. Each row has its own, so
// that tables agree about an order without being made together.
func rowDice(table string, i int) *rand.Rand {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range []byte(table) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return rand.New(rand.NewPCG(h, uint64(i)))
}

// counted makes the sequence row(0), row(1), … row(n-1).
func counted(n int, row func(i int) []any) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for i := range n {
			if !yield(row(i)) {
				return
			}
		}
	}
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// cents renders an amount exactly.
func cents(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%02d", sign, n/100, n%100)
}

// dayBack renders the date n days before lastDay.
func dayBack(n int) string { return lastDay.AddDate(0, 0, -n).Format(time.DateOnly) }

var (
	givenNames  = strings.Fields("Ada Amir Anna Ben Carla Chidi David Elif Emma Fatima Felix Grace Hugo Ines Ivan Jana Jonas Kofi Lea Liam Lucia Maja Marco Mia Nadia Noah Olga Omar Paula Pedro Rosa Sami Sofia Tariq Tom Uma Vera Wei Yara Zoe")
	familyNames = strings.Fields("Adler Bauer Costa Diallo Evans Fischer Garcia Haddad Ito Jensen Keller Lopez Meyer Novak Okafor Petrov Quinn Rossi Schmidt Tanaka Ueda Vogel Weber Xu Yilmaz Zhang")
	places      = [][2]string{{"Berlin", "DE"}, {"Hamburg", "DE"}, {"Munich", "DE"}, {"Vienna", "AT"}, {"Zurich", "CH"}, {"Paris", "FR"}, {"Lyon", "FR"}, {"Madrid", "ES"}, {"Milan", "IT"}, {"Amsterdam", "NL"}, {"Ghent", "BE"}, {"Warsaw", "PL"}}
	categories  = []string{"kitchen", "garden", "office", "sports", "toys", "electronics", "home", "books"}
	materials   = strings.Fields("Oak Steel Cotton Glass Bamboo Copper Wool Ceramic Cork Linen")
	things      = strings.Fields("Kettle Lamp Chair Rug Bowl Shelf Bottle Notebook Speaker Racket Puzzle Planter")
)

func personName(r *rand.Rand) string { return pick(r, givenNames) + " " + pick(r, familyNames) }

func customerRows() iter.Seq[[]any] {
	return counted(customerCount, func(i int) []any {
		r := rowDice("customers", i)
		name, place := personName(r), pick(r, places)
		var email any
		if r.IntN(12) > 0 {
			email = strings.ToLower(strings.ReplaceAll(name, " ", ".")) + strconv.Itoa(i+1) + "@example.net"
		}
		segment := []string{"consumer", "consumer", "consumer", "business", "vip"}[r.IntN(5)]
		return []any{i + 1, name, email, place[0], place[1], segment, dayBack(365 + r.IntN(1400)), r.IntN(3) == 0, cents(int64(r.IntN(900000)))}
	})
}

// product is what order lines need of a product.
func product(i int) (category string, price int64) {
	r := rowDice("products", i)
	category = categories[i%len(categories)]
	price = int64(499+r.IntN(19500)) / 10 * 10
	return category, price - 1
}

func productRows() iter.Seq[[]any] {
	return counted(productCount, func(i int) []any {
		category, price := product(i)
		r := rowDice("product names", i)
		tags := `["` + category + `","` + strings.ToLower(pick(r, materials)) + `"]`
		return []any{
			i + 1, fmt.Sprintf("%s-%05d", strings.ToUpper(category[:3]), 10000+i*7), pick(r, materials) + " " + things[i%len(things)], category,
			cents(price), cents(price * int64(45+r.IntN(25)) / 100), 1 + r.IntN(supplierCount), tags, r.IntN(20) > 0,
		}
	})
}

func storeRows() iter.Seq[[]any] {
	return counted(storeCount, func(i int) []any {
		r, place := rowDice("stores", i), places[i%len(places)]
		return []any{i + 1, fmt.Sprintf("%s %s", place[0], []string{"Centre", "North"}[i/len(places)]), place[0], place[1], dayBack(700 + r.IntN(4000)), 180 + float64(r.IntN(9000))/10}
	})
}

func supplierRows() iter.Seq[[]any] {
	return counted(supplierCount, func(i int) []any {
		r := rowDice("suppliers", i)
		return []any{i + 1, pick(r, familyNames) + " " + pick(r, []string{"GmbH", "SARL", "Ltd", "SpA", "BV"}), pick(r, places)[1], 2 + r.IntN(40), float64(25+r.IntN(26)) / 10}
	})
}

// order is one seeded order with its lines; orders, lines, payments and returns
// are all told from it.
type order struct {
	id, customer int
	store        any // nil: online
	day          int // days before lastDay
	at           time.Time
	status       string
	channel      string
	lines        []orderLine
	total        int64 // cents
}

type orderLine struct {
	product, quantity int
	price, amount     int64 // cents
	discount          int64 // per cent
}

func orderNumber(i int) order {
	r := rowDice("orders", i)
	o := order{id: 100001 + i, customer: 1 + r.IntN(customerCount), day: (orderCount - 1 - i) * 365 / orderCount}
	if r.IntN(4) == 0 { // a quarter of the trade comes from few customers
		o.customer = 1 + r.IntN(customerCount/20)
	}
	o.at = lastDay.AddDate(0, 0, -o.day).Add(time.Duration(6*3600+r.IntN(16*3600)) * time.Second)
	o.channel = []string{"web", "web", "app", "store"}[r.IntN(4)]
	if o.channel == "store" {
		o.store = 1 + r.IntN(storeCount)
	}
	switch {
	case o.day < 3:
		o.status = "placed"
	case o.day < 7:
		o.status = "shipped"
	default:
		o.status = []string{"delivered", "delivered", "delivered", "delivered", "delivered", "delivered", "delivered", "delivered", "delivered", "delivered", "delivered", "returned", "cancelled"}[r.IntN(13)]
	}
	for range 1 + r.IntN(2) + r.IntN(3) {
		p := r.IntN(productCount)
		_, price := product(p)
		l := orderLine{product: p + 1, quantity: 1 + r.IntN(3), price: price}
		if r.IntN(5) == 0 {
			l.discount = int64(5 * (1 + r.IntN(6)))
		}
		l.amount = (int64(l.quantity)*l.price*(100-l.discount) + 50) / 100
		o.lines, o.total = append(o.lines, l), o.total+l.amount
	}
	return o
}

func orderRows() iter.Seq[[]any] {
	return counted(orderCount, func(i int) []any {
		o := orderNumber(i)
		return []any{o.id, o.customer, o.store, dayBack(o.day), o.at, o.status, o.channel, len(o.lines), cents(o.total)}
	})
}

func orderItemRows() iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for i := range orderCount {
			o := orderNumber(i)
			for n, l := range o.lines {
				if !yield([]any{o.id, n + 1, l.product, l.quantity, cents(l.price), cents(l.discount), cents(l.amount)}) {
					return
				}
			}
		}
	}
}

func paymentRows() iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for i := range orderCount {
			o, r := orderNumber(i), rowDice("payments", i)
			if o.status == "cancelled" {
				continue
			}
			var paid any
			method := pick(r, []string{"card", "card", "wallet", "invoice", "cash"})
			if method != "invoice" || o.day > 20 {
				paid = o.at.Add(time.Duration(r.IntN(3600)) * time.Second)
			}
			if !yield([]any{fmt.Sprintf("PAY-%07d", 2400000+i*3), o.id, method, cents(o.total), paid}) {
				return
			}
		}
	}
}

func returnRows() iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		id := 9000
		for i := range orderCount {
			o, r := orderNumber(i), rowDice("returns", i)
			if o.status != "returned" {
				continue
			}
			id++
			l := o.lines[r.IntN(len(o.lines))]
			if !yield([]any{id, o.id, l.product, dayBack(max(0, o.day-3-r.IntN(10))), pick(r, []string{"damaged", "wrong size", "not as described", "changed my mind", "late"}), cents(l.amount)}) {
				return
			}
		}
	}
}
