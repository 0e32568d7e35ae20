package tools

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// maxSorted bounds the levels that canonical sorts: deeper ones are compared as
// they were written.
const maxSorted = 64

// canonical is args in the one form that all ways of writing the same call have:
// keys sorted, no white space, escapes resolved, nulls of the top level left out,
// and 5 and "5" the same where a top-level argument is an id. Integers stay exact.
// A key that is there twice stays there twice: what the workspace makes of it is
// not known.
func canonical(args json.RawMessage) []byte {
	root := gjson.ParseBytes(args)
	if !gjson.ValidBytes(args) || !root.IsObject() {
		if strings.TrimSpace(string(args)) == "" || root.Type == gjson.Null && gjson.ValidBytes(args) {
			return []byte("{}")
		}
		return args
	}
	return appendMembers(nil, root, 0)
}

func appendCanonical(dst []byte, v gjson.Result, depth int) []byte {
	switch {
	case depth > maxSorted:
		return append(dst, v.Raw...)
	case v.IsObject():
		return appendMembers(dst, v, depth)
	case v.IsArray():
		dst = append(dst, '[')
		first := true
		v.ForEach(func(_, item gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendCanonical(dst, item, depth+1)
			return true
		})
		return append(dst, ']')
	case v.Type == gjson.String:
		return appendCanonicalText(dst, v)
	}
	return append(dst, v.Raw...)
}

// appendCanonicalText leaves a text as it was written when it is no Unicode, such
// as half a surrogate pair: decoded, different ones would look the same.
func appendCanonicalText(dst []byte, v gjson.Result) []byte {
	if !utf8.ValidString(v.Str) || strings.ContainsRune(v.Str, utf8.RuneError) {
		return append(dst, v.Raw...)
	}
	return appendText(dst, v.Str)
}

func appendMembers(dst []byte, object gjson.Result, depth int) []byte {
	type member struct {
		key, value gjson.Result
	}
	var members []member
	object.ForEach(func(key, value gjson.Result) bool {
		if depth > 0 || value.Type != gjson.Null {
			members = append(members, member{key, value})
		}
		return true
	})
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key.Str, b.key.Str) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendCanonicalText(dst, m.key), ':')
		if depth == 0 && m.value.Type == gjson.Number && (m.key.Str == "id" || strings.HasSuffix(m.key.Str, "_id")) {
			dst = appendText(dst, m.value.Raw)
			continue
		}
		dst = appendCanonical(dst, m.value, depth+1)
	}
	return append(dst, '}')
}
