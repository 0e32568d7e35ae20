package tools

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// maxEmptyPages bounds how many empty pages with a token are followed in one
// call: Unity Catalog answers them when a filter leaves nothing of a page.
const maxEmptyPages = 50

// list answers one page of a list: as much of the API's page as the result
// budget holds, and where to go on.
func (s *Server) list(ctx context.Context, call *catalog.Call) ([]byte, error) {
	return s.listOf(ctx, call, nil)
}

// listOf is list of those items alone that are of the kind the tool lists; nil is
// all of them.
func (s *Server) listOf(ctx context.Context, call *catalog.Call, of func(gjson.Result) bool) ([]byte, error) {
	if err := checkFields(call); err != nil {
		return nil, err
	}
	row, projection := call.Row, call.Projection()
	out := append(append([]byte(`{"`), row.Items...), `":[`...)
	var (
		returned  int
		next      catalog.Page
		more      bool
		shortened bool
	)
	absent := newAbsent(call.Fields)
	hides, withheld := s.hides(ctx, row), 0
	for hop := 0; ; hop++ {
		answer, err := s.ask(ctx, call)
		if err != nil {
			return nil, err
		}
		page := parse(answer.Body)
		total := 0
		cut := -1
		eachItem(page.Get(row.Items), func(item gjson.Result) bool {
			total++
			if total <= call.Page.Skip || of != nil && !of(item) {
				return true
			}
			if hides != nil && hides(item) {
				withheld++
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
		if total <= call.Page.Skip && call.Page.Skip > 0 {
			return nil, behindEnd(call)
		}
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
	if withheld > 0 {
		tail.integer("withheld", int64(withheld)) // by the policy
	}
	if shortened {
		tail.shortened(shortNote)
	}
	if names := absent.names(); returned > 0 && len(names) > 0 {
		tail.texts("absent_fields", names[:min(len(names), maxAbsent)])
	}
	return tail.bytes(), nil
}

// behindEnd refuses a page_token that no answer to this call gave. Nothing would
// look like the end of the list.
func behindEnd(call *catalog.Call) error {
	return &catalog.Error{Kind: catalog.Invalid, Message: call.About() + ": page_token is behind the end: it belongs to another call, or the list became shorter",
		Advice: "Leave page_token out to start over."}
}

const (
	maxFields    = 50
	maxFieldPath = 200 // bytes
)

// checkFields bounds what a caller asks for by name: each level of a path costs
// memory, and names that are not there are in the answer.
func checkFields(call *catalog.Call) error {
	problem := ""
	if len(call.Fields) > maxFields {
		problem = fmt.Sprintf("fields has %d names; at most %d are possible", len(call.Fields), maxFields)
	}
	for _, path := range call.Fields {
		if len(path) > maxFieldPath {
			problem = fmt.Sprintf("a name in fields has %d bytes; at most %d are possible", len(path), maxFieldPath)
		} else if slices.Contains(strings.Split(path, "."), "") {
			problem = fmt.Sprintf("%q in fields is no field name", path)
		}
	}
	if problem == "" {
		return nil
	}
	return &catalog.Error{Kind: catalog.Invalid, Message: call.Row.Name + ": " + problem,
		Advice: "Give names of members of an item, such as settings.tasks.task_key. Nothing was sent."}
}

// maxAbsent bounds how many names of absent fields an answer repeats.
const maxAbsent = 5

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
