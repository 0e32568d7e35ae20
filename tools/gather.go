package tools

import (
	"context"
	"slices"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// maxInnerPages bounds the pages of one object: 1,000 tasks come in 10.
const maxInnerPages = 100

// gather answers one object whose inner arrays the API hands out in pages. The
// pages are joined; the first of the row's arrays is cut where the budget ends
// and goes on by page_token.
func (s *Server) gather(ctx context.Context, call *catalog.Call) ([]byte, error) {
	row, projection := call.Row, call.Projection()
	var (
		object []byte // the first page, projected
		arrays = map[string]*joined{}
		next   catalog.Page
		more   bool
	)
	for _, path := range row.Gather {
		arrays[path] = &joined{}
	}
	first := arrays[row.Gather[0]]
	for hop := 0; hop < maxInnerPages; hop++ {
		answer, err := s.api.Do(ctx, call)
		if err != nil {
			return nil, err
		}
		page := projection.Append(nil, string(answer.Body))
		if object == nil {
			object = page
		}
		room := s.budget - len(object) + emptied(object, row.Gather)
		for _, path := range row.Gather[1:] {
			arrays[path].add(gjson.GetBytes(page, path), 0, -1)
			room -= len(arrays[path].buf)
		}
		cut, count := first.add(gjson.GetBytes(page, row.Gather[0]), call.Page.Skip, room)
		if cut >= 0 {
			next, more = catalog.Page{Token: call.Page.Token, Skip: cut}, true
			break
		}
		next, more = row.Next(gjson.ParseBytes(answer.Body), call, count)
		if !more {
			break
		}
		call = call.At(next)
	}
	out := splice(object, row.Gather, arrays)
	if !more && len(out) <= s.budget {
		return out, nil
	}
	return s.cutObject(out, first.returned, next, more), nil
}

// cutObject adds what a reader needs to know of an object that is not complete.
func (s *Server) cutObject(out []byte, returned int, next catalog.Page, more bool) []byte {
	shortened := len(out) > s.budget+s.budget/8
	if shortened {
		out = shorten(out, s.budget)
	}
	o := object{buf: out[:len(out)-1]}
	if more {
		o.integer("returned", int64(returned))
		o.boolean("truncated", true)
		o.text("next_page_token", next.String())
	}
	if shortened {
		o.boolean("shortened", true)
	}
	return o.bytes()
}

// joined is one array put together from pages, without its brackets.
type joined struct {
	buf      []byte
	returned int
}

// add appends the items behind the first skip ones. room, when not negative,
// bounds the whole; at least one item is always taken. It returns the index of
// the first item that did not fit, or -1, and the number of items in array.
func (j *joined) add(array gjson.Result, skip, room int) (cut, count int) {
	cut = -1
	eachItem(array, func(item gjson.Result) bool {
		count++
		if count <= skip || cut >= 0 {
			return true
		}
		if room >= 0 && j.returned > 0 && len(j.buf)+len(item.Raw)+1 > room {
			cut = count - 1
			return true
		}
		if j.returned > 0 {
			j.buf = append(j.buf, ',')
		}
		j.buf = append(j.buf, item.Raw...)
		j.returned++
		return true
	})
	return cut, count
}

// emptied is how much shorter object is without the items of its arrays.
func emptied(object []byte, paths []string) int {
	n := 0
	for _, path := range paths {
		n += max(len(gjson.GetBytes(object, path).Raw)-2, 0)
	}
	return n
}

// splice puts the joined arrays in the places of the object's own. An array that
// the first page did not have is added at its parent's end.
func splice(object []byte, paths []string, arrays map[string]*joined) []byte {
	type place struct {
		from, to int
		text     string
	}
	var places []place
	for _, path := range paths {
		j := arrays[path]
		if v := gjson.GetBytes(object, path); v.Exists() {
			places = append(places, place{v.Index, v.Index + len(v.Raw), "[" + string(j.buf) + "]"})
		} else if j.returned > 0 {
			parent, name := gjson.ParseBytes(object), path
			if dot := strings.LastIndexByte(path, '.'); dot >= 0 {
				parent, name = gjson.GetBytes(object, path[:dot]), path[dot+1:]
			}
			if !parent.IsObject() {
				continue
			}
			comma := ","
			if len(parent.Raw) == len("{}") {
				comma = ""
			}
			end := parent.Index + len(parent.Raw) - 1
			places = append(places, place{end, end, comma + `"` + name + `":[` + string(j.buf) + "]"})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int { return a.from - b.from })
	var out []byte
	at := 0
	for _, p := range places {
		out = append(append(out, object[at:p.from]...), p.text...)
		at = p.to
	}
	return append(out, object[at:]...)
}
