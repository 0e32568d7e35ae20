package catalog

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// place is where an argument goes in the request.
type place uint8

const (
	inQuery place = iota
	inBody
	inPath
	inLocal // ours: read by the tool, not sent
)

// kind is the JSON form of an argument.
type kind uint8

const (
	kindString kind = iota
	kindID
	kindInteger
	kindNumber
	kindBoolean
	kindObject
	kindArray
	kindInput
)

var kindWords = [...]string{
	kindString: "a string", kindID: "a 64-bit id (decimal string or integer)", kindInteger: "an integer",
	kindNumber: "a number", kindBoolean: "true or false", kindObject: "an object", kindArray: "an array",
	kindInput: "a string, or an array of objects",
}

// param is one argument, read from a field of a request struct. The tags:
//
//	json:"name,omitempty"             its name; without omitempty it is required
//	jsonschema_description:"…"        its text; commas are free here
//	jsonschema:"enum=A,enum=B"        in the schema, and checked by Bind
//	jsonschema:"-"                    accepted, but not shown: legacy, ignored by the API, or rarely of
//	                                  use to an agent, which pays for every argument it is shown
//	check:"minimum=0,maximum=9,maxLength=64,pattern=^…$"   checked by Bind alone: in the schema
//	                                  bounds would cost more than the refusal, which names them
//	in:"path|query|body|local"        default: path for a hole of Row.Path, query for GET and
//	                                  DELETE, else body; local is not sent
//	wire:"name"                       the API's own name, where ours differs
//	send:"JSON"                       sent when the caller gives nothing; of an object, each member that is not given
//	unless:"a,b"                      nothing is sent by itself when fields asks for one of these
//	case:"lower"                      the API wants it in lower case
//	settings:"job"                    an object with the names of jobs_create in it
//	audit:"hide"                      the value is never written down
type param struct {
	name, wire string
	in         place
	kind       kind
	items      kind // of an array, or of a map's values when values is set
	values     bool
	required   bool
	enum       []string
	min, max   *int64
	maxLength  int
	pattern    *regexp.Regexp
	doc        string
	send       string
	unless     []string
	lower      bool
	keys       []string // that an open object usually has
	hide       bool
}

func (r *Row) lookup() ([]param, map[string]*param) {
	s := r.shape
	if s.foreign != nil {
		return nil, nil // another server knows them
	}
	s.paramsOnce.Do(func() {
		holes := r.holes()
		s.params = appendParams(nil, r.req, r, holes)
		s.byName = make(map[string]*param, len(s.params))
		for i := range s.params {
			s.byName[s.params[i].name] = &s.params[i]
		}
	})
	return s.params, s.byName
}

func appendParams(params []param, t reflect.Type, row *Row, holes []string) []param {
	for field := range t.Fields() {
		if field.Anonymous {
			params = appendParams(params, field.Type, row, holes)
			continue
		}
		params = append(params, newParam(field, row, holes))
	}
	return params
}

// newParam panics on a malformed tag: a row is part of the program, and Check
// reads every one of them in a test.
func newParam(field reflect.StructField, row *Row, holes []string) param {
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	p := param{name: name, wire: name, required: options == "", hide: field.Tag.Get("audit") == "hide", send: field.Tag.Get("send"), doc: field.Tag.Get("jsonschema_description")}
	if wire := field.Tag.Get("wire"); wire != "" {
		p.wire = wire
	}
	switch in := field.Tag.Get("in"); {
	case in == "local":
		p.in = inLocal
	case slices.Contains(holes, name):
		p.in = inPath
	case in == "query", in == "" && (row.Method == "GET" || row.Method == "DELETE" || row.Method == "HEAD"):
		p.in = inQuery
	case in == "", in == "body":
		p.in = inBody
	default:
		panic(fmt.Sprintf("catalog: %s.%s: unknown place %q", row.Name, name, in))
	}
	if unless := field.Tag.Get("unless"); unless != "" {
		p.unless = strings.Split(unless, ",")
	}
	p.lower = field.Tag.Get("case") == "lower"
	if field.Tag.Get("settings") == "job" {
		p.keys = CreateJob.Arguments()
	}
	p.kind, p.items, p.values = kindOf(field.Type)
	for _, rule := range strings.Split(field.Tag.Get("jsonschema")+","+field.Tag.Get("check"), ",") {
		key, value, _ := strings.Cut(rule, "=")
		switch key {
		case "enum":
			p.enum = append(p.enum, value)
		case "minimum":
			p.min = mustInt(row, name, value)
		case "maximum":
			p.max = mustInt(row, name, value)
		case "maxLength":
			p.maxLength = int(*mustInt(row, name, value))
		case "pattern":
			p.pattern = regexp.MustCompile(value)
		case "", "-":
		default:
			panic(fmt.Sprintf("catalog: %s.%s: rule %q is in the schema but not checked by Bind", row.Name, name, key))
		}
	}
	return p
}

func mustInt(row *Row, name, value string) *int64 {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		panic(fmt.Sprintf("catalog: %s.%s: %v", row.Name, name, err))
	}
	return &n
}

func kindOf(t reflect.Type) (k, items kind, values bool) {
	switch t {
	case reflect.TypeFor[ID]():
		return kindID, 0, false
	case reflect.TypeFor[Object]():
		return kindObject, 0, false
	case reflect.TypeFor[Input]():
		return kindInput, 0, false
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindOf(t.Elem())
	case reflect.String:
		return kindString, 0, false
	case reflect.Bool:
		return kindBoolean, 0, false
	case reflect.Int, reflect.Int64:
		return kindInteger, 0, false
	case reflect.Float64:
		return kindNumber, 0, false
	case reflect.Slice:
		items, _, _ = kindOf(t.Elem())
		return kindArray, items, false
	case reflect.Map:
		items, _, _ = kindOf(t.Elem())
		return kindObject, items, true
	case reflect.Struct:
		return kindObject, 0, false
	}
	panic("catalog: no argument can be a " + t.String())
}

// Hidden lists the arguments whose values are never written down.
func (r *Row) Hidden() []string {
	params, _ := r.lookup()
	var names []string
	for _, p := range params {
		if p.hide {
			names = append(names, p.name)
		}
	}
	return names
}

// Arguments lists the names of all arguments, in the order of the schema.
func (r *Row) Arguments() []string {
	params, _ := r.lookup()
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.name
	}
	return names
}

// FromText makes the JSON of an argument that was written on a command line.
// What does not fit stays as it is: Bind says what is wrong with it.
func (r *Row) FromText(name, text string) json.RawMessage {
	_, byName := r.lookup()
	p := byName[name]
	quoted, err := json.Marshal(text)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	if r.IsForeign() && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	if p == nil || p.kind == kindString || p.kind == kindID || p.kind == kindInput && !strings.HasPrefix(text, "[") {
		return quoted
	}
	if p.kind == kindArray && p.items == kindString && !strings.HasPrefix(text, "[") {
		items, err := json.Marshal(strings.Split(text, ","))
		if err != nil {
			panic(err)
		}
		return items
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return quoted
}
