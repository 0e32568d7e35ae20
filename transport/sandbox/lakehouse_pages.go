package sandbox

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strconv"
)

const (
	// serverPage is the page length when max_results is 0.
	serverPage = 50
	// largestPage caps max_results.
	largestPage = 1000
	// largestUnpaged is the most that a listing without max_results answers.
	largestUnpaged = 500
)

// page walks the children of one kind that a request asks for and shows each
// that the user may see. It pages over raw records and filters afterwards, so a
// page may be short or empty and still carry a token.
func (l *lakehouse) page(r *request, of *securable, kind string, size pageSize, show func(s *securable, browseOnly bool) any) (items []any, next string, err error) {
	limit, err := size.of(r.URL.Query())
	if err != nil {
		return nil, "", err
	}
	all := of.children(kind)
	after, err := openToken(r.URL)
	if err != nil {
		return nil, "", err
	}
	browse := r.URL.Query().Get("include_browse") == "true"
	count := 0
	for _, s := range all {
		if after != "" && s.name <= after {
			continue
		}
		if limit > 0 && count == limit {
			next = sealToken(r.URL, after)
			break
		}
		count++
		after = s.name
		if shown, browseOnly := visible(r.user, s, browse); shown {
			items = append(items, show(s, browseOnly))
		}
	}
	if limit == 0 && len(items) > largestUnpaged {
		return nil, "", failure(http.StatusBadRequest, "INVALID_PARAMETER_VALUE",
			"UC-PGRQD: The result set is too large to return in a single response. Please enable pagination by setting max_results.")
	}
	return items, next, nil
}

// pageSize is how a listing reads max_results.
type pageSize struct{ absent, zero, most int } // page lengths; 0: everything

var (
	// unpagedUnlessAsked: the older listings return everything when max_results
	// is absent.
	unpagedUnlessAsked = pageSize{0, serverPage, largestPage}
	// alwaysPaged: absent and 0 mean the cap.
	alwaysPaged = pageSize{10000, 10000, 10000}
)

func (p pageSize) of(query url.Values) (int, error) {
	if !query.Has("max_results") {
		return p.absent, nil
	}
	n, err := strconv.Atoi(query.Get("max_results"))
	switch {
	case err != nil:
		return 0, badArgument(fmt.Sprintf("Invalid value for max_results: '%s' is not an integer.", query.Get("max_results")))
	case n < 0:
		return 0, badArgument(fmt.Sprintf("Invalid value for max_results: %d. The value must not be negative.", n))
	case n == 0:
		return p.zero, nil
	}
	return min(n, p.most), nil
}

// sealToken makes an opaque token from a position; it is bound to the path and
// to all parameters but itself, and holds + and / now and then, as real ones.
func sealToken(u *url.URL, position string) string {
	return base64.StdEncoding.EncodeToString([]byte(fingerprint(u) + position))
}

// openToken returns the position in the request's page_token, "" without one.
func openToken(u *url.URL) (string, error) {
	token := u.Query().Get("page_token")
	if token == "" {
		return "", nil
	}
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(raw) < fingerprintSize {
		return "", badArgument("Invalid page_token.")
	}
	if string(raw[:fingerprintSize]) != fingerprint(u) {
		return "", badArgument("Invalid page_token: all other parameters must be the same as in the request that returned it.")
	}
	return string(raw[fingerprintSize:]), nil
}

const fingerprintSize = 8

func fingerprint(u *url.URL) string {
	query := u.Query()
	query.Del("page_token")
	h := fnv.New64a()
	_, _ = h.Write([]byte(u.Path + "?" + query.Encode()))
	return string(h.Sum(nil))
}
