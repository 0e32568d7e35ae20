package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tidwall/gjson"
)

// maxProblems bounds what one refusal lists.
const maxProblems = 10

// Bind turns a tool's arguments (a JSON object; empty means {}) into a Call, or
// says by name what is wrong with them. Nothing has been sent when it refuses.
// null stands for "not given": many clients send it for every optional argument.
func (r *Row) Bind(raw []byte) (*Call, error) {
	if r.IsForeign() {
		return r.bindForeign(raw)
	}
	args, err := r.arguments(raw)
	if err != nil {
		return nil, err
	}
	params, byName := r.lookup()
	var problems []string
	for _, name := range args.order {
		if len(problems) == maxProblems {
			break
		}
		if byName[name] == nil {
			problems = append(problems, r.unknownArgument(name))
		} else if problem := byName[name].check(args.values[name]); problem != "" {
			problems = append(problems, problem)
		}
	}
	for _, p := range params {
		if _, given := args.values[p.name]; p.required && !given {
			problems = append(problems, fmt.Sprintf("%q is required: %s", p.name, p.wanted()))
		}
	}
	if problem := r.checkOneOf(args); problem != "" {
		problems = append(problems, problem)
	}
	if len(problems) > 0 {
		return nil, r.refusal(problems)
	}
	return r.build(params, args)
}

func (r *Row) checkOneOf(args arguments) string {
	given := 0
	for _, name := range r.OneOf {
		if _, ok := args.values[name]; ok {
			given++
		}
	}
	if len(r.OneOf) == 0 || given == 1 {
		return ""
	}
	return fmt.Sprintf("exactly one of %s must be given, not %d", strings.Join(r.OneOf, ", "), given)
}

func (r *Row) refusal(problems []string) *Error {
	advice := "It takes no arguments. Nothing was sent."
	if r.IsForeign() {
		advice = "Nothing was sent."
	} else if names := r.Arguments(); len(names) > 0 {
		advice = "Valid arguments: " + strings.Join(names, ", ") + ". Nothing was sent."
	}
	return invalid(r.Name+": "+strings.Join(problems, "; "), advice)
}

// arguments are the given ones, in the order given and without nulls.
type arguments struct {
	order  []string
	values map[string]gjson.Result
}

func (r *Row) arguments(raw []byte) (arguments, error) {
	args := arguments{values: map[string]gjson.Result{}}
	if len(raw) == 0 || string(raw) == "null" {
		return args, nil
	}
	if !gjson.ValidBytes(raw) {
		return args, r.refusal([]string{"the arguments are not valid JSON"})
	}
	if bytes.Contains(raw, []byte(Hidden)) {
		return args, r.refusal([]string{fmt.Sprintf("a value is %q, which stands for a secret that was not shown; give the secret itself or a reference {{secrets/scope/key}}, or change only other fields with an update tool", Hidden)})
	}
	if !r.Effect.ReadOnly() && bytes.Contains(raw, []byte("… ")) && cutValue().Match(raw) {
		return args, r.refusal([]string{"a value was cut in the result that it comes from, and would be written back without its rest; give it in full, or change only other fields"})
	}
	root := gjson.ParseBytes(raw)
	if !root.IsObject() {
		return args, r.refusal([]string{"the arguments must be one JSON object"})
	}
	var twice string
	seen := map[string]bool{}
	root.ForEach(func(key, value gjson.Result) bool {
		name := key.String()
		if seen[name] {
			twice = name
			return false
		}
		seen[name] = true
		if value.Type != gjson.Null {
			args.order = append(args.order, name)
			args.values[name] = value
		}
		return true
	})
	if twice != "" {
		return args, r.refusal([]string{fmt.Sprintf("%q is given twice", twice[:min(len(twice), 64)])})
	}
	return args, nil
}

func (r *Row) unknownArgument(name string) string {
	best := Nearest(name, r.Arguments())
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	if best == "" {
		return fmt.Sprintf("unknown argument %q", name)
	}
	return fmt.Sprintf("unknown argument %q (did you mean %q?)", name, best)
}

// wanted says what the argument has to be.
func (p *param) wanted() string {
	if len(p.enum) > 0 && p.kind == kindString {
		return "one of " + strings.Join(p.enum, ", ")
	}
	return kindWords[p.kind]
}

// check returns what is wrong with a value, or "".
func (p *param) check(v gjson.Result) string {
	if !p.kind.matches(v) {
		return fmt.Sprintf("%q must be %s, not %s", p.name, p.wanted(), p.given(v))
	}
	switch {
	case p.kind == kindString:
		if len(p.enum) > 0 && !slices.Contains(p.enum, v.Str) {
			return fmt.Sprintf("%q must be %s, not %s", p.name, p.wanted(), p.given(v))
		}
		if p.maxLength > 0 && len([]rune(v.Str)) > p.maxLength {
			return fmt.Sprintf("%q is longer than %d characters", p.name, p.maxLength)
		}
		if p.pattern != nil && !p.pattern.MatchString(v.Str) {
			return fmt.Sprintf("%q cannot be %s: %s", p.name, p.given(v), p.doc)
		}
		if p.required && v.Str == "" {
			return fmt.Sprintf("%q must not be empty", p.name)
		}
	case p.kind == kindInteger:
		n, _ := strconv.ParseInt(v.Raw, 10, 64)
		if p.min != nil && n < *p.min || p.max != nil && n > *p.max {
			return fmt.Sprintf("%q must be %s, not %d", p.name, p.bounds(), n)
		}
	case p.kind == kindInput:
		if p.required && (v.Str == "" && v.Type == gjson.String || v.Raw == "[]") {
			return fmt.Sprintf("%q must not be empty", p.name)
		}
	case p.kind == kindArray, p.values:
		return p.checkItems(v)
	case p.keys != nil:
		return p.checkKeys(v)
	}
	return ""
}

// checkKeys finds misspelt members of an open object, which the API would ignore
// silently. Only near misses count: the API knows more names than this program.
func (p *param) checkKeys(v gjson.Result) (problem string) {
	v.ForEach(func(key, _ gjson.Result) bool {
		if best := Nearest(key.String(), p.keys); best != "" && !slices.Contains(p.keys, key.String()) {
			problem = fmt.Sprintf("%q: unknown setting %q (did you mean %q?)", p.name, key.String(), best)
		}
		return problem == ""
	})
	return problem
}

func (p *param) checkItems(v gjson.Result) (problem string) {
	index := -1
	v.ForEach(func(key, item gjson.Result) bool {
		index++
		at := key.String()
		if p.kind == kindArray {
			at = strconv.Itoa(index)
		}
		switch {
		case !p.items.matches(item):
			problem = fmt.Sprintf("%q: item %s must be %s, not %s", p.name, at, kindWords[p.items], p.given(item))
		case len(p.enum) > 0 && !slices.Contains(p.enum, item.Str):
			problem = fmt.Sprintf("%q: item %s must be one of %s, not %s", p.name, at, strings.Join(p.enum, ", "), p.given(item))
		}
		return problem == ""
	})
	return problem
}

func (p *param) bounds() string {
	switch {
	case p.max == nil:
		return fmt.Sprintf("at least %d", *p.min)
	case p.min == nil:
		return fmt.Sprintf("at most %d", *p.max)
	}
	return fmt.Sprintf("from %d to %d", *p.min, *p.max)
}

func (k kind) matches(v gjson.Result) bool {
	switch k {
	case kindString:
		return v.Type == gjson.String
	case kindID:
		return v.Type == gjson.String && isID(v.Str) || v.Type == gjson.Number && isID(v.Raw)
	case kindInteger:
		_, err := strconv.ParseInt(v.Raw, 10, 64)
		return v.Type == gjson.Number && err == nil
	case kindNumber:
		return v.Type == gjson.Number
	case kindBoolean:
		return v.Type == gjson.True || v.Type == gjson.False
	case kindObject:
		return v.IsObject()
	case kindArray:
		return v.IsArray()
	case kindInput:
		objects := v.IsArray()
		v.ForEach(func(_, item gjson.Result) bool {
			objects = objects && item.IsObject()
			return objects
		})
		return objects || v.Type == gjson.String
	}
	return false
}

// given shows a wrong value, shortened: it may be long, or meant for elsewhere. A
// secret is not shown at all.
func (p *param) given(v gjson.Result) string {
	switch {
	case p.hide:
		return "what was given"
	case v.IsObject():
		return "an object"
	case v.IsArray():
		return "an array"
	case v.Type == gjson.String && len(v.Str) > 40:
		return "a string of " + strconv.Itoa(len(v.Str)) + " bytes"
	case v.Type == gjson.String:
		return "the string " + strconv.Quote(v.Str)
	}
	return v.Raw
}

// build assembles the request of checked arguments.
func (r *Row) build(params []param, args arguments) (*Call, error) {
	call := &Call{Row: r, Args: make(map[string]json.RawMessage, len(args.values))}
	values := make(map[string]string, len(args.values)) // as text, for holes
	query := url.Values{}
	var body []byte
	for _, f := range args.values["fields"].Array() { // known early: some defaults yield to it
		call.Fields = append(call.Fields, f.Str)
	}
	for i := range params {
		p := &params[i]
		v, ok := args.values[p.name]
		if ok && p.name == r.Token && v.Str == "" {
			ok = false // an empty token is none
		}
		if ok {
			call.Args[p.name] = json.RawMessage(v.Raw)
			values[p.name] = v.String()
			if p.kind == kindID && v.Type == gjson.Number {
				values[p.name] = v.Raw // String would go through float64
			}
		}
		if p.lower {
			values[p.name] = strings.ToLower(values[p.name])
		}
		switch {
		case p.name == "page_token" && ok:
			page, valid := ParsePage(v.Str)
			if !valid || !r.continues(page, p) {
				return nil, r.refusal([]string{fmt.Sprintf("%q is not a token of an earlier answer; leave it out to start over", p.name)})
			}
			call.Page = page
			continue
		case !ok && (p.send == "" || call.asksFor(p.unless)):
			continue
		case !ok:
			v = gjson.Parse(p.send)
		case p.send != "" && p.kind == kindObject:
			v = gjson.Parse(withDefaults(v, gjson.Parse(p.send)))
		}
		switch p.in {
		case inQuery:
			addQuery(query, p.wire, v, p.kind)
		case inBody:
			body = appendMember(body, p.wire, wireValue(v, p.kind))
		}
	}
	call.Keyed = r.Token != "" && args.values[r.Token].Str != ""
	r.turnTo(call.Page, query)
	call.Query = query.Encode()
	if r.Method != "GET" && r.Method != "DELETE" && r.Method != "HEAD" {
		if body == nil {
			body = []byte{'{'}
		}
		call.Body = append(body, '}')
	}
	path, err := r.fill(r.Path, values)
	if err != nil {
		return nil, err
	}
	call.Path = path
	call.Object = fillObject(r.Object, values)
	call.Touches = r.fillTouches(values)
	return call, nil
}

// asksFor reports whether the caller asked for one of these fields or for
// something inside it.
func (c *Call) asksFor(names []string) bool {
	return slices.ContainsFunc(c.Fields, func(path string) bool {
		name, _, _ := strings.Cut(path, ".")
		return slices.Contains(names, name)
	})
}

// withDefaults is the object with those members of defaults that it lacks.
func withDefaults(object, defaults gjson.Result) string {
	merged := []byte{'{'}
	has := map[string]bool{}
	add := func(key, value gjson.Result) bool {
		if has[key.Str] {
			return true
		}
		has[key.Str] = true
		if len(merged) > 1 {
			merged = append(merged, ',')
		}
		merged = append(append(merged, key.Raw...), ':')
		merged = append(merged, value.Raw...)
		return true
	}
	object.ForEach(add)
	defaults.ForEach(add)
	return string(append(merged, '}'))
}

func appendMember(body []byte, name, value string) []byte {
	if body == nil {
		body = append(body, '{')
	} else {
		body = append(body, ',')
	}
	body = append(body, '"')
	body = append(body, name...)
	body = append(body, '"', ':')
	return append(body, value...)
}

// wireValue is the JSON of a body field. An id goes out as the number that the
// API declares; ids deeper inside are turned back the same way, so that what a
// get tool answered can be written again as it is.
func wireValue(v gjson.Result, k kind) string {
	switch {
	case k == kindID && v.Type == gjson.String:
		return v.Str
	case k == kindObject || k == kindArray:
		return unquoteIDs(v.Raw)
	}
	return v.Raw
}

// addQuery flattens a value into query parameters: nested objects with dots,
// arrays by repetition (contract README, section 2).
func addQuery(query url.Values, name string, v gjson.Result, k kind) {
	switch {
	case v.IsObject():
		v.ForEach(func(key, value gjson.Result) bool {
			addQuery(query, name+"."+key.String(), value, kindString)
			return true
		})
	case v.IsArray():
		v.ForEach(func(_, value gjson.Result) bool {
			addQuery(query, name, value, kindString)
			return true
		})
	case v.Type == gjson.String:
		query.Add(name, v.Str)
	default:
		query.Add(name, v.Raw)
	}
}
