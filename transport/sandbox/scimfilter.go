package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// A SCIM filter is conditions joined by "and" and "or"; "and" binds closer and
// there is no grouping. The empty filter matches everything.
type scimFilter [][]condition

type condition struct{ attribute, operator, value string }

// parseFilter reads a filter, with the errors the real service gives: also its
// 500 for an empty value (contract identities.md, section 0).
func parseFilter(text string) (scimFilter, error) {
	words, err := filterWords(text)
	if err != nil || len(words) == 0 {
		return nil, err
	}
	filter := scimFilter{nil}
	for {
		if len(words) < 3 || !words[2].quoted && words[2].text == "" {
			return nil, scimFailure(http.StatusBadRequest, "invalidFilter", "Given filter is not valid: "+text)
		}
		c := condition{words[0].text, strings.ToLower(words[1].text), words[2].text}
		switch c.operator {
		case "eq", "ne", "co", "sw":
		default:
			return nil, scimFailure(http.StatusBadRequest, "invalidFilter", "Given filter operator is not supported")
		}
		if c.value == "" {
			return nil, scimFailure(http.StatusInternalServerError, "", "Index 1 out of bounds for length 1")
		}
		last := len(filter) - 1
		filter[last] = append(filter[last], c)
		if words = words[3:]; len(words) == 0 {
			return filter, nil
		}
		switch strings.ToLower(words[0].text) {
		case "and":
		case "or":
			filter = append(filter, nil)
		default:
			return nil, scimFailure(http.StatusBadRequest, "invalidFilter", "Given filter is not valid: "+text)
		}
		words = words[1:]
	}
}

type filterWord struct {
	text   string
	quoted bool
}

// filterWords splits at spaces outside double quotes; a backslash inside quotes
// keeps the next character.
func filterWords(text string) ([]filterWord, error) {
	var words []filterWord
	for rest := strings.TrimLeft(text, " "); rest != ""; rest = strings.TrimLeft(rest, " ") {
		if rest[0] != '"' {
			word, after, _ := strings.Cut(rest, " ")
			words, rest = append(words, filterWord{text: word}), after
			continue
		}
		var b strings.Builder
		i := 1
		for ; i < len(rest) && rest[i] != '"'; i++ {
			if rest[i] == '\\' && i+1 < len(rest) {
				i++
			}
			b.WriteByte(rest[i])
		}
		if i == len(rest) {
			return nil, scimFailure(http.StatusBadRequest, "invalidFilter", "Given filter has no closing quote: "+text)
		}
		words, rest = append(words, filterWord{b.String(), true}), rest[i+1:]
	}
	return words, nil
}

func (f scimFilter) match(o object) bool {
	if len(f) == 0 {
		return true
	}
	for _, all := range f {
		ok := true
		for _, c := range all {
			ok = ok && c.match(o)
		}
		if ok {
			return true
		}
	}
	return false
}

// match is case-insensitive, and true when any value of a list matches.
func (c condition) match(o object) bool {
	want := strings.ToLower(c.value)
	found := false
	for _, v := range attribute(o, c.attribute) {
		v = strings.ToLower(v)
		switch c.operator {
		case "eq", "ne":
			found = found || v == want
		case "co":
			found = found || strings.Contains(v, want)
		case "sw":
			found = found || strings.HasPrefix(v, want)
		}
	}
	return found != (c.operator == "ne")
}

// attribute reads the values behind a SCIM path like "displayName",
// "name.givenName" or "groups"; names are case-insensitive.
func attribute(o object, path string) []string {
	name, sub, nested := strings.Cut(path, ".")
	for key, v := range o {
		if !strings.EqualFold(key, name) {
			continue
		}
		switch v := v.(type) {
		case string:
			return []string{v}
		case bool:
			return []string{strconv.FormatBool(v)}
		case object:
			if nested {
				return attribute(v, sub)
			}
		case []object:
			if !nested {
				sub = "value"
			}
			var all []string
			for _, item := range v {
				all = append(all, attribute(item, sub)...)
			}
			return all
		case []string:
			return v
		default:
			return []string{fmt.Sprint(v)}
		}
	}
	return nil
}
