package otlp

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// attribute is a key and a value.
type attribute struct {
	key   string
	value value
}

// value is one of the kinds that audit lines have.
type value struct {
	kind   kind
	text   string
	int    int64
	double float64
	list   []string
}

type kind uint8

const (
	isText kind = iota
	isInt
	isDouble
	isBool // in int: 0 or 1
	isList
)

func text(s string) value { return value{text: s} }

// severity numbers of the log data model.
const (
	severityInfo  = 9
	severityWarn  = 13
	severityError = 17
)

func severityText(severity int) string {
	switch severity {
	case severityWarn:
		return "WARN"
	case severityError:
		return "ERROR"
	}
	return "INFO"
}

// record is an audit line as a log record.
type record struct {
	time       time.Time
	severity   int
	body       string
	attributes []attribute
}

// parse makes a record of an audit line: its sentence is the body, every other
// field an attribute of the same name. What is no line becomes the body whole.
func parse(line []byte) record {
	r := record{severity: severityInfo}
	if !gjson.ValidBytes(line) {
		r.body = strings.ToValidUTF8(string(line), "\ufffd")
		return r
	}
	failed, denied := false, false
	gjson.ParseBytes(line).ForEach(func(key, field gjson.Result) bool {
		switch key.Str {
		case "time":
			r.time, _ = time.Parse(time.RFC3339Nano, field.Str)
			return true
		case "say":
			r.body = field.Str
			return true
		case "event":
			denied = denied || field.Str == "denied"
		case "decision":
			denied = denied || strings.Contains(field.Str, "deny") // "would deny" too
		case "outcome":
			failed = failed || field.Str == "error"
		}
		r.attributes = append(r.attributes, attribute{key.Str, valueOf(field)})
		return true
	})
	switch {
	case denied:
		r.severity = severityWarn
	case failed:
		r.severity = severityError
	}
	return r
}

func valueOf(field gjson.Result) value {
	switch {
	case field.Type == gjson.String:
		return text(field.Str)
	case field.Type == gjson.Number:
		if n, err := strconv.ParseInt(field.Raw, 10, 64); err == nil {
			return value{kind: isInt, int: n}
		}
		if math.IsInf(field.Num, 0) { // neither form has it
			return text(field.Raw)
		}
		return value{kind: isDouble, double: field.Num}
	case field.IsBool():
		v := value{kind: isBool}
		if field.Bool() {
			v.int = 1
		}
		return v
	case field.IsArray():
		v := value{kind: isList}
		for _, item := range field.Array() {
			v.list = append(v.list, item.String())
		}
		return v
	}
	return text(field.Raw) // arguments and the like stay JSON
}
