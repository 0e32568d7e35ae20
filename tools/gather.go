package tools

import (
	"context"
	"fmt"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
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
		arrays = make([]joined, len(row.Gather))
		next   catalog.Page
		more   bool
	)
	for hop := 0; hop < maxInnerPages; hop++ {
		answer, err := s.ask(ctx, call)
		if err != nil {
			return nil, err
		}
		page := projection.Append(nil, string(answer.Body))
		if object == nil {
			object = page
		}
		count := arrays[0].add(gjson.GetBytes(page, row.Gather[0]), call.Page)
		if call.Page.Skip > 0 && count <= call.Page.Skip {
			return nil, behindEnd(call)
		}
		for i, path := range row.Gather[1:] {
			arrays[i+1].add(gjson.GetBytes(page, path), catalog.Page{})
		}
		next, more = row.Next(parse(answer.Body), call, count)
		if !more || len(arrays[0].buf) > s.budget {
			break
		}
		call = call.At(next)
	}
	first := &arrays[0]
	rest, err := insert(object, row.Gather[0], &joined{})
	for i := 1; i < len(arrays) && err == nil; i++ {
		rest, err = insert(rest, row.Gather[i], &arrays[i])
	}
	if err != nil {
		return nil, err
	}
	// Only the first array goes on by page_token: of the rest, what leaves it no
	// room is cut for good.
	shortened := len(rest)+len(first.buf) > s.budget && len(rest) > s.budget/4*3
	if shortened {
		rest = shorten(rest, s.budget/4*3)
	}
	if page, cut := first.fit(s.budget - len(rest)); cut {
		next, more = page, true
	}
	if first.shorten(s.budget - len(rest)) {
		shortened = true
	}
	if rest, err = insert(rest, row.Gather[0], first); err != nil {
		return nil, err
	}
	return incompleteObject(rest, first.returned(), next, more, shortened), nil
}

// incompleteObject adds what a reader needs to know of an object that is not
// whole.
func incompleteObject(out []byte, returned int, next catalog.Page, more, shortened bool) []byte {
	if !more && !shortened {
		return out
	}
	o := object{buf: out[:len(out)-1]}
	if more {
		o.integer("returned", int64(returned))
		o.boolean("truncated", true)
		o.text("next_page_token", next.String())
	}
	if shortened {
		o.shortened(shortNote)
	}
	return o.bytes()
}

// whole answers one object that cannot be had in pages; above the budget it is
// shortened.
func (s *Server) whole(out []byte) []byte {
	if len(out) <= s.budget {
		return out
	}
	if out[0] != '{' { // nothing can be said beside it
		out = fmt.Appendf(nil, `{"value":%s}`, out)
	}
	return incompleteObject(shorten(out, s.budget), 0, catalog.Page{}, false, true)
}

// joined is one array put together from pages, without its brackets.
type joined struct {
	buf   []byte
	items []joinedItem
}

type joinedItem struct {
	page catalog.Page // that begins with the item
	end  int          // in buf
}

func (j *joined) returned() int { return len(j.items) }

// add appends the items of one page of the array, but for the first page.Skip
// ones, and returns how many the array has.
func (j *joined) add(array gjson.Result, page catalog.Page) (count int) {
	eachItem(array, func(item gjson.Result) bool {
		if count++; count <= page.Skip {
			return true
		}
		if len(j.items) > 0 {
			j.buf = append(j.buf, ',')
		}
		j.buf = append(j.buf, item.Raw...)
		j.items = append(j.items, joinedItem{catalog.Page{Token: page.Token, Skip: count - 1}, len(j.buf)})
		return true
	})
	return count
}

// fit drops the items behind room bytes, but for the first, and returns the page
// that goes on with them.
func (j *joined) fit(room int) (rest catalog.Page, cut bool) {
	for i, item := range j.items {
		if i > 0 && item.end > room {
			j.buf, j.items = j.buf[:j.items[i-1].end], j.items[:i]
			return item.page, true
		}
	}
	return catalog.Page{}, false
}

// shorten cuts the inside of a single item that is above room by itself: every
// call must get on.
func (j *joined) shorten(room int) bool {
	if len(j.items) != 1 || len(j.buf) <= room {
		return false
	}
	j.buf = shorten(j.buf, room)
	return true
}

// insert puts the array in the place of the object's own. One that the object has
// not is added, with its parents, unless it is empty. A parent that was shortened
// to a text makes room: the items are not lost.
func insert(whole []byte, path string, array *joined) ([]byte, error) {
	if array.returned() == 0 && !gjson.GetBytes(whole, path).IsArray() {
		return whole, nil
	}
	out, err := sjson.SetRawBytes(whole, path, []byte("["+string(array.buf)+"]"))
	if err != nil {
		return nil, fmt.Errorf("put %s together: %w", path, err)
	}
	return out, nil
}
