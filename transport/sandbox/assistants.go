package sandbox

import (
	"slices"
	"sort"
	"strings"
	"unicode"
)

// assistant is a knowledge assistant: it answers from documents, with its
// sources.
type assistant struct {
	id, name, description string
	query                 []string // who holds CAN_QUERY on its endpoint
	documents             []document
}

type document struct{ title, uri, text string }

// seedAssistants is the handbook of the shops, and one for engineers only.
func seedAssistants() []*assistant {
	return []*assistant{
		{
			id: "6b1f0c52-8e3d-4a97-b5c4-2d7f9e01a83b", name: "retail_handbook", description: "Handbook of the shops: returns, delivery, discounts",
			query: []string{"users"}, documents: []document{
				{"Returns", "/Volumes/main/retail/landing/handbook/returns.md", "Customers may return goods within 30 days of delivery. Opened books and food are excluded. The refund goes to the original means of payment within 5 working days."},
				{"Delivery", "/Volumes/main/retail/landing/handbook/delivery.md", "Orders above 50 EUR ship free of charge. Standard delivery takes 2 to 4 working days, express delivery one."},
				{"Discounts", "/Volumes/main/retail/landing/handbook/discounts.md", "Store managers may grant a discount of up to 10 per cent. Anything above needs the approval of the regional manager. Discounts do not add up with promotions."},
				{"Data protection", "/Volumes/main/retail/landing/handbook/privacy.md", "E-mail addresses of customers are personal data. They are deleted on request, at the latest 3 years after the last order."},
			},
		},
		{
			id: "d40a7e19-35bc-4f62-9a08-c1e6b74f2d95", name: "runbooks", description: "Runbooks of the data team",
			query: []string{"data-engineers"}, documents: []document{
				{"Nightly ingest", "/Volumes/main/retail/landing/runbooks/nightly.md", "When nightly_sales_ingest fails, look into main.staging.load_log first, repair the file in the landing volume, then repair the run."},
			},
		},
	}
}

func (a *assistant) mayQuery(user *principal) bool {
	return user.Admin || slices.ContainsFunc(a.query, user.in)
}

// search ranks the documents by how many of the question's words they have.
func (a *assistant) search(question string) []document {
	type hit struct {
		document
		score int
	}
	var hits []hit
	for _, d := range a.documents {
		text := strings.ToLower(d.title + " " + d.title + " " + d.text)
		score := 0
		for _, w := range wordsOf(question) {
			if len(w) > 3 {
				score += strings.Count(text, strings.TrimSuffix(w, "s"))
			}
		}
		if score > 0 {
			hits = append(hits, hit{d, score})
		}
	}
	sort.SliceStable(hits, func(i, j int) bool { return hits[i].score > hits[j].score })
	var found []document
	for _, h := range hits[:min(2, len(hits))] {
		found = append(found, h.document)
	}
	return found
}

// wordsOf are the words of a text in lower case.
func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
