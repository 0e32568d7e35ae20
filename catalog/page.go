package catalog

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// Paged is embedded in the request of a list. Every list takes fields, but only
// PagedWide shows it in the schema: an agent pays for it in every request, and
// gains by it only where the items leave much out.
type Paged struct {
	PageToken string   `json:"page_token,omitempty" jsonschema_description:"Next page"`
	Fields    []string `json:"fields,omitempty" in:"local" jsonschema:"-" jsonschema_description:"More fields"`
}

// PagedWide is Paged for lists whose items leave out much that no other tool shows.
type PagedWide struct {
	PageToken string   `json:"page_token,omitempty" jsonschema_description:"Next page"`
	Fields    []string `json:"fields,omitempty" in:"local" jsonschema_description:"More item fields (a.b)"`
}

// Resumed is embedded in the request of a single object whose inner list may
// outgrow a result.
type Resumed struct {
	PageToken string `json:"page_token,omitempty" jsonschema_description:"Next page"`
}

// Cut is embedded in the request of a single object that the API gives whole and
// only the result budget cuts.
type Cut struct {
	PageToken string `json:"page_token,omitempty" in:"local" jsonschema_description:"Next page"`
}

// Page is a place in a list: so many items into the page that the API's own
// token names. The API's token alone cannot say it, because a result budget cuts
// where it must and not where the API's pages end.
type Page struct {
	Token string // the API's own; empty: from the start
	Skip  int    // items of that page already returned
}

// The mark that starts a token of ours; no API token begins with it.
const pageMark = "~"

// String is the page_token for agents; empty at the very start.
func (p Page) String() string {
	if p.Skip == 0 {
		return p.Token
	}
	return pageMark + strconv.Itoa(p.Skip) + pageMark + p.Token
}

// ParsePage reads a page_token.
func ParsePage(token string) (Page, bool) {
	rest, ours := strings.CutPrefix(token, pageMark)
	if !ours {
		return Page{Token: token}, true
	}
	skip, upstream, ok := strings.Cut(rest, pageMark)
	n, err := strconv.Atoi(skip)
	if !ok || err != nil || n <= 0 {
		return Page{}, false
	}
	return Page{Token: upstream, Skip: n}, true
}

// At is the call at another place of its list.
func (c *Call) At(page Page) *Call {
	moved := *c
	moved.Page = page
	name := c.Row.pageParam()
	query, err := url.ParseQuery(c.Query)
	if name == "" || err != nil { // Bind encoded it
		return &moved
	}
	if c.Row.Paging != IndexPages { // there an argument may have said where to start
		query.Del(name)
	}
	c.Row.turnTo(page, query)
	moved.Query = query.Encode()
	return &moved
}

// pageParam is the query parameter that carries the API's own place in a list;
// "" where the API gives everything at once.
func (r *Row) pageParam() string {
	switch {
	case r.Paging == IndexPages:
		return "startIndex"
	case r.Paging == TokenPages, r.Paging == NotPaged && r.pagesInside():
		return "page_token"
	}
	return ""
}

// continues reports whether the page can be one of this row's: a token that the
// caller made up would start the list over and look like its end.
func (r *Row) continues(page Page, p *param) bool {
	switch {
	case page.Token == "":
		return true
	case r.Paging == IndexPages:
		n, err := strconv.ParseInt(page.Token, 10, 64)
		return err == nil && n > 0
	}
	return r.pageParam() != "" || p.wire != p.name
}

// turnTo puts the API's own token of the page into the query. It goes before an
// argument of the same meaning.
func (r *Row) turnTo(page Page, query url.Values) {
	if name := r.pageParam(); name != "" && page.Token != "" {
		query.Set(name, page.Token)
	}
}

// pagesInside reports whether the API itself pages the arrays of Gather: then
// page_token is one of its own arguments and goes out in the query.
func (r *Row) pagesInside() bool {
	_, byName := r.lookup()
	p := byName["page_token"]
	return p != nil && p.in == inQuery
}

// Next is where the list goes on behind an answer that held count items; false
// at the end of the list.
func (r *Row) Next(answer gjson.Result, call *Call, count int) (Page, bool) {
	switch r.Paging {
	case TokenPages, NotPaged:
		token := answer.Get("next_page_token").Str
		// A token that repeats would lead round in a circle (contract README, section 8).
		return Page{Token: token}, token != "" && token != call.Page.Token
	case IndexPages:
		start := max(answer.Get("startIndex").Int(), 1)
		next := start + int64(count)
		return Page{Token: strconv.FormatInt(next, 10)}, count > 0 && next <= answer.Get("totalResults").Int()
	}
	return Page{}, false
}

// HasField reports whether a value has the field at a dotted path; arrays on the
// way are passed through.
func HasField(v gjson.Result, path string) bool {
	name, rest, deeper := strings.Cut(path, ".")
	if v.IsArray() {
		found := false
		v.ForEach(func(_, item gjson.Result) bool {
			found = HasField(item, path)
			return !found
		})
		return found
	}
	found := false
	v.ForEach(func(key, value gjson.Result) bool {
		if key.Str != name {
			return true
		}
		found = !deeper || HasField(value, rest)
		return false
	})
	return found
}
