package tools

import (
	"context"
	"strconv"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// maxEmptyPages bounds how many empty pages with a token are followed in one
// call: Unity Catalog answers them when a filter leaves nothing of a page.
const maxEmptyPages = 50

// list answers one page of a list: as much of the API's page as the result
// budget holds, and where to go on.
func (s *Server) list(ctx context.Context, call *catalog.Call) ([]byte, error) {
	row, projection := call.Row, call.Projection()
	out := append(append([]byte(`{"`), row.Items...), `":[`...)
	var (
		returned  int
		next      catalog.Page
		more      bool
		shortened bool
	)
	absent := newAbsent(call.Fields)
	for hop := 0; ; hop++ {
		answer, err := s.api.Do(ctx, call)
		if err != nil {
			return nil, err
		}
		page := gjson.ParseBytes(answer.Body)
		total := 0
		cut := -1
		eachItem(page.Get(row.Items), func(item gjson.Result) bool {
			total++
			if total <= call.Page.Skip {
				return true
			}
			before := len(out)
			if returned > 0 {
				out = append(out, ',')
			}
			start := len(out)
			out = projection.AppendItem(out, item)
			if len(out) > s.budget {
				if returned > 0 {
					out, cut = out[:before], total-1
					return false
				}
				out = append(out[:start], shorten(out[start:], s.budget-start)...)
				shortened = true
			}
			absent.see(item)
			returned++
			return true
		})
		if cut >= 0 {
			next, more = catalog.Page{Token: call.Page.Token, Skip: cut}, true
			break
		}
		next, more = row.Next(page, call, total)
		if !more || returned > 0 || hop == maxEmptyPages {
			break
		}
		call = call.At(next)
	}
	out = append(out, `],"returned":`...)
	out = strconv.AppendInt(out, int64(returned), 10)
	tail := object{buf: out}
	tail.boolean("truncated", more)
	if more {
		tail.text("next_page_token", next.String())
	}
	if shortened {
		tail.boolean("shortened", true)
	}
	if names := absent.names(); returned > 0 && len(names) > 0 {
		tail.texts("absent_fields", names)
	}
	return tail.bytes(), nil
}

// eachItem visits the items of an array; what is no array has none.
func eachItem(array gjson.Result, visit func(gjson.Result) bool) {
	if array.IsArray() {
		array.ForEach(func(_, item gjson.Result) bool { return visit(item) })
	}
}

// absent finds the fields that a caller asked for and no item has: most likely
// misspelt.
type absent struct{ fields map[string]bool }

func newAbsent(fields []string) absent {
	a := absent{fields: make(map[string]bool, len(fields))}
	for _, f := range fields {
		a.fields[f] = true
	}
	return a
}

func (a absent) see(item gjson.Result) {
	for f := range a.fields {
		if catalog.HasField(item, f) {
			delete(a.fields, f)
		}
	}
}

func (a absent) names() []string {
	return sortedKeys(a.fields)
}
