package catalog

import (
	"strconv"
	"strings"
)

// Paged is embedded in the request of every list.
type Paged struct {
	PageToken string   `json:"page_token,omitempty" jsonschema_description:"next_page_token of the last answer"`
	Fields    []string `json:"fields,omitempty" in:"local" jsonschema_description:"More fields, dotted"`
}

// Resumed is embedded in the request of a single object whose inner list may
// outgrow a result.
type Resumed struct {
	PageToken string `json:"page_token,omitempty" jsonschema_description:"next_page_token of the last answer"`
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
