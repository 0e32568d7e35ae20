package sandbox

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"
)

func inventoryRows() iter.Seq[[]any] {
	return counted(storeCount*productCount/3, func(i int) []any {
		r := rowDice("inventory", i)
		return []any{i%storeCount + 1, i/storeCount*3 + 1, r.IntN(60), 5 + r.IntN(10), lastDay.Add(time.Duration(r.IntN(20*3600)) * time.Second)}
	})
}

const webEventCount = 4000

func webEventRows() iter.Seq[[]any] {
	return counted(webEventCount, func(i int) []any {
		r := rowDice("web_events", i)
		back := (webEventCount - 1 - i) * 30 / webEventCount
		at := lastDay.AddDate(0, 0, -back).Add(time.Duration(r.IntN(86400)) * time.Second)
		var customer any
		if r.IntN(3) == 0 {
			customer = 1 + r.IntN(customerCount)
		}
		kind := pick(r, []string{"view", "view", "view", "search", "cart", "checkout"})
		page := map[string]string{"view": "/p/" + strconv.Itoa(1+r.IntN(productCount)), "search": "/search", "cart": "/cart", "checkout": "/checkout"}[kind]
		return []any{fmt.Sprintf("%016x", r.Uint64()), at.Format(time.DateOnly), at, fmt.Sprintf("s-%06d", r.IntN(1500)), customer, kind, page, 200 + r.IntN(90000), `{"device":"` + pick(r, []string{"phone", "desktop", "tablet"}) + `"}`}
	})
}

func promotionRows() iter.Seq[[]any] {
	return counted(30, func(i int) []any {
		r := rowDice("promotions", i)
		start := 12 * (29 - i)
		return []any{i + 1, pick(r, []string{"Spring", "Summer", "Autumn", "Winter", "Flash"}) + " deal " + strconv.Itoa(i+1), categories[i%len(categories)], cents(int64(5 * (1 + r.IntN(6)))), dayBack(start + 10), dayBack(start)}
	})
}

// rawOrderRows are the last days' orders as they arrive; those of the last day
// hold broken amounts, which the nightly job stumbles over.
func rawOrderRows() iter.Seq[[]any] {
	const n = 600
	return counted(n, func(i int) []any {
		o := orderNumber(orderCount - n + i)
		amount := cents(o.total)
		if o.day == 0 && i%4 == 0 {
			amount = strings.NewReplacer(".", ",", "0", "O").Replace(amount) // typed by hand, by the look of it
		}
		return []any{strconv.Itoa(o.id), strconv.Itoa(o.customer), dayBack(o.day), amount, "/Volumes/main/retail/landing/orders/" + dayBack(o.day) + ".csv", seeded.AddDate(0, 0, -o.day).Add(-4 * time.Hour)}
	})
}

func loadLogRows() iter.Seq[[]any] {
	return counted(30, func(i int) []any {
		back := 29 - i
		row := []any{700 + i, "/Volumes/main/retail/landing/orders/" + dayBack(back) + ".csv", 14, 0, "ok", nil, seeded.AddDate(0, 0, -back).Add(-3*time.Hour - 57*time.Minute)}
		if back == 0 {
			row[3], row[4], row[5] = 4, "failed", "[CAST_INVALID_INPUT] total_amount is not a number in 4 rows"
		}
		return row
	})
}

func campaignRows() iter.Seq[[]any] {
	return counted(24, func(i int) []any {
		r := rowDice("campaigns", i)
		return []any{i + 1, pick(r, []string{"Launch", "Loyalty", "Clearance", "Holiday"}) + " " + pick(r, categories), pick(r, []string{"search", "social", "mail", "print"}), cents(int64(100000 + r.IntN(4000000))), dayBack(15*(23-i) + 20), dayBack(15 * (23 - i))}
	})
}

func spendRows() iter.Seq[[]any] {
	return counted(24*20, func(i int) []any {
		r := rowDice("spend", i)
		campaign := i / 20
		return []any{campaign + 1, dayBack(15*(23-campaign) + 20 - i%20), cents(int64(1000 + r.IntN(60000))), 500 + r.IntN(50000), r.IntN(900)}
	})
}

func employeeRows() iter.Seq[[]any] {
	return counted(120, func(i int) []any {
		r := rowDice("employees", i)
		var store, manager any
		role := pick(r, []string{"sales assistant", "sales assistant", "cashier", "logistics"})
		switch {
		case i == 0:
			role = "managing director"
		case i <= storeCount:
			role, store, manager = "store manager", i, 1
		default:
			store = (i-1)%storeCount + 1
			manager = store.(int) + 1
		}
		return []any{i + 1, personName(r), role, store, dayBack(30 + r.IntN(4000)), manager}
	})
}

func salaryRows() iter.Seq[[]any] {
	return counted(120, func(i int) []any {
		r := rowDice("salaries", i)
		base := 28000
		if i <= storeCount {
			base = 52000
		}
		return []any{i + 1, "2025-01-01", cents(int64(base+r.IntN(14000)) * 100)}
	})
}

func churnRows() iter.Seq[[]any] {
	return counted(customerCount, func(i int) []any {
		r := rowDice("churn", i)
		idle := r.IntN(300)
		return []any{i + 1, dayBack(40 + idle), max(0, 9-idle/12-r.IntN(3)), 15 + float64(r.IntN(20000))/100, float64(r.IntN(30)) / 100, idle > 180 && r.IntN(4) > 0}
	})
}

func churnScoreRows() iter.Seq[[]any] {
	return counted(customerCount, func(i int) []any {
		return []any{i + 1, float64(rowDice("churn scores", i).IntN(10000)) / 10000, 3, dayBack(40)}
	})
}

func tripRows() iter.Seq[[]any] {
	start := time.Date(2016, time.January, 1, 0, 0, 0, 0, time.UTC)
	return counted(2000, func(i int) []any {
		r := rowDice("trips", i)
		at := start.Add(time.Duration(i)*43*time.Minute + time.Duration(r.IntN(2400))*time.Second)
		miles := float64(40+r.IntN(900)+r.IntN(300)) / 100
		return []any{at, at.Add(time.Duration(120+int(miles*240)) * time.Second), miles, float64(int((2.5+miles*2.6)*2)) / 2, 10001 + r.IntN(280), 10001 + r.IntN(280)}
	})
}

var regions = []string{"AFRICA", "AMERICA", "ASIA", "EUROPE", "MIDDLE EAST"}

var nations = []struct {
	name   string
	region int
}{
	{"ALGERIA", 0}, {"ARGENTINA", 1}, {"BRAZIL", 1}, {"CANADA", 1}, {"EGYPT", 4}, {"ETHIOPIA", 0}, {"FRANCE", 3}, {"GERMANY", 3}, {"INDIA", 2},
	{"INDONESIA", 2}, {"IRAN", 4}, {"IRAQ", 4}, {"JAPAN", 2}, {"JORDAN", 4}, {"KENYA", 0}, {"MOROCCO", 0}, {"MOZAMBIQUE", 0}, {"PERU", 1},
	{"CHINA", 2}, {"ROMANIA", 3}, {"SAUDI ARABIA", 4}, {"VIETNAM", 2}, {"RUSSIA", 3}, {"UNITED KINGDOM", 3}, {"UNITED STATES", 1},
}

func regionRows() iter.Seq[[]any] {
	return counted(len(regions), func(i int) []any { return []any{i, regions[i], "region of trade"} })
}

func nationRows() iter.Seq[[]any] {
	return counted(len(nations), func(i int) []any { return []any{i, nations[i].name, nations[i].region, "nation of trade"} })
}

func tpchCustomerRows() iter.Seq[[]any] {
	return counted(300, func(i int) []any {
		r := rowDice("tpch customer", i)
		nation := r.IntN(len(nations))
		return []any{i + 1, fmt.Sprintf("Customer#%09d", i+1), strconv.Itoa(1+r.IntN(200)) + " Market Street", nation, fmt.Sprintf("%d-%03d-%03d-%04d", nation+10, r.IntN(900)+100, r.IntN(900)+100, r.IntN(9000)+1000), cents(int64(r.IntN(1099999)) - 99999), pick(r, []string{"AUTOMOBILE", "BUILDING", "FURNITURE", "HOUSEHOLD", "MACHINERY"})}
	})
}

func tpchOrderRows() iter.Seq[[]any] {
	start := time.Date(1995, time.January, 1, 0, 0, 0, 0, time.UTC)
	return counted(1000, func(i int) []any {
		r := rowDice("tpch orders", i)
		return []any{i*4 + 1, 1 + r.IntN(300), pick(r, []string{"F", "O", "P"}), cents(int64(90000 + r.IntN(40000000))), start.AddDate(0, 0, r.IntN(1400)).Format(time.DateOnly), pick(r, []string{"1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"}), fmt.Sprintf("Clerk#%09d", 1+r.IntN(50))}
	})
}

func transactionRows() iter.Seq[[]any] {
	return counted(1500, func(i int) []any {
		r := rowDice("transactions", i)
		return []any{8800000000000000000 + int64(i)*7 + 1, dayBack((1499 - i) * 180 / 1500), 1 + r.IntN(storeCount), cents(int64(500 + r.IntN(90000))), pick(r, []string{"EUR", "EUR", "EUR", "CHF"}), "etl-nightly"}
	})
}

func revenueRows() iter.Seq[[]any] {
	return counted(180, func(i int) []any {
		r := rowDice("revenue", i)
		return []any{dayBack(179 - i), cents(int64(1500000 + r.IntN(2500000))), 179-i > 3}
	})
}
