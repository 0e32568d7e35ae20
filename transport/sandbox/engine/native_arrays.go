package engine

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// elements decodes a JSON array; what is none has no elements.
func elements(v driver.Value) []json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal([]byte(text(v)), &list) != nil {
		return nil
	}
	return list
}

// plain is an element as text: the content of strings, the JSON of the rest.
func plain(e json.RawMessage) string {
	if len(e) > 0 && e[0] == '"' {
		var s string
		if json.Unmarshal(e, &s) == nil {
			return s
		}
	}
	return string(e)
}

// storedElement is an element as the stored value of its type; fromJSON does the rest.
func storedElement(e json.RawMessage) any {
	switch s := plain(e); {
	case e == nil, s == "null" && e[0] != '"':
		return nil
	case e[0] == '"', e[0] == '[', e[0] == '{':
		return s
	case s == "true":
		return int64(1)
	case s == "false":
		return int64(0)
	default:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		f, _ := strconv.ParseFloat(s, 64)
		return f
	}
}

func joined(list []json.RawMessage) any {
	parts := make([][]byte, len(list))
	for i, e := range list {
		parts[i] = e
	}
	return "[" + string(bytes.Join(parts, []byte(","))) + "]"
}

// keep filters elements.
func keep(list []json.RawMessage, f func(string) bool) any {
	out := list[:0:0]
	for _, e := range list {
		if f(string(e)) {
			out = append(out, e)
		}
	}
	return joined(out)
}

// distinct is a filter that lets each element pass once.
func distinctFilter() func(string) bool {
	seen := map[string]bool{}
	return func(s string) bool {
		if seen[s] {
			return false
		}
		seen[s] = true
		return true
	}
}

func membership(list []json.RawMessage) map[string]bool {
	set := map[string]bool{}
	for _, e := range list {
		set[string(e)] = true
	}
	return set
}

func lessElement(a, b json.RawMessage) bool {
	if string(a) == "null" || string(b) == "null" {
		return string(a) == "null" && string(b) != "null"
	}
	x, errX := strconv.ParseFloat(string(a), 64)
	y, errY := strconv.ParseFloat(string(b), 64)
	if errX == nil && errY == nil {
		return x < y
	}
	return plain(a) < plain(b)
}

// member reads the member of a JSON object, or nil.
func member(v driver.Value, key string) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal([]byte(text(v)), &m) != nil {
		return nil
	}
	return m[key]
}

// members are the keys and values of a JSON object in their order.
func members(v driver.Value) (keys, values []json.RawMessage) {
	d := json.NewDecoder(strings.NewReader(text(v)))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return keys, values
		}
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return keys, values
		}
		name, _ := json.Marshal(k)
		keys, values = append(keys, name), append(values, raw)
	}
	return keys, values
}

func errIndex(i int64, n int) error {
	return newError("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "22003", "The index %d is out of bounds. The array has %d elements. Use `try_element_at` to tolerate accessing element at invalid index and return NULL instead.", i, n)
}

// nativeArrays work on ARRAY, MAP and STRUCT, which are JSON text.
var nativeArrays = map[string]native{
	"x_array_concat": func(a []driver.Value) (any, error) {
		var all []json.RawMessage
		for _, v := range a {
			all = append(all, elements(v)...)
		}
		return joined(all), nil
	},
	"x_array_contains": func(a []driver.Value) (any, error) {
		return slices.ContainsFunc(elements(a[0]), func(e json.RawMessage) bool { return plain(e) == text(a[1]) }), nil
	},
	"x_array_position": func(a []driver.Value) (any, error) {
		return 1 + slices.IndexFunc(elements(a[0]), func(e json.RawMessage) bool { return plain(e) == text(a[1]) }), nil
	},
	"x_array_remove": func(a []driver.Value) (any, error) {
		return joined(slices.DeleteFunc(elements(a[0]), func(e json.RawMessage) bool { return plain(e) == text(a[1]) })), nil
	},
	"x_array_join": func(a []driver.Value) (any, error) {
		var parts []string
		for _, e := range elements(a[0]) {
			if string(e) != "null" {
				parts = append(parts, plain(e))
			} else if len(a) == 3 {
				parts = append(parts, text(a[2]))
			}
		}
		return strings.Join(parts, text(a[1])), nil
	},
	"x_array_distinct": func(a []driver.Value) (any, error) { return keep(elements(a[0]), distinctFilter()), nil },
	"x_array_intersect": func(a []driver.Value) (any, error) {
		in, once := membership(elements(a[1])), distinctFilter()
		return keep(elements(a[0]), func(s string) bool { return in[s] && once(s) }), nil
	},
	"x_array_except": func(a []driver.Value) (any, error) {
		in, once := membership(elements(a[1])), distinctFilter()
		return keep(elements(a[0]), func(s string) bool { return !in[s] && once(s) }), nil
	},
	"x_sort_array": func(a []driver.Value) (any, error) {
		list := elements(a[0])
		sort.SliceStable(list, func(i, j int) bool {
			if len(a) == 2 && integer(a[1]) == 0 {
				return lessElement(list[j], list[i])
			}
			return lessElement(list[i], list[j])
		})
		return joined(list), nil
	},
	"x_slice": func(a []driver.Value) (any, error) {
		list, start, n := elements(a[0]), integer(a[1]), integer(a[2])
		if start == 0 || n < 0 {
			return nil, newError("INVALID_PARAMETER_VALUE.START", "22023", "The value of parameter(s) `start` in `slice` is invalid: Expects a positive or a negative value for `start`, but got %d.", start)
		}
		size := int64(len(list))
		if start < 0 {
			start += size + 1
		}
		if start < 1 || start > size {
			return "[]", nil
		}
		return joined(list[start-1 : min(size, start-1+n)]), nil
	},
	"x_flatten": func(a []driver.Value) (any, error) {
		var all []json.RawMessage
		for _, e := range elements(a[0]) {
			all = append(all, elements(string(e))...)
		}
		return joined(all), nil
	},
	"x_size": func(a []driver.Value) (any, error) {
		if strings.HasPrefix(strings.TrimSpace(text(a[0])), "{") {
			keys, _ := members(a[0])
			return len(keys), nil
		}
		return len(elements(a[0])), nil
	},
	"x_map_keys":   func(a []driver.Value) (any, error) { k, _ := members(a[0]); return joined(k), nil },
	"x_map_values": func(a []driver.Value) (any, error) { _, v := members(a[0]); return joined(v), nil },
	"x_element": func(a []driver.Value) (any, error) { // array and 1-based index, or object and key; strict
		if key, ok := a[1].(string); ok {
			return storedElement(member(a[0], key)), nil
		}
		list, i := elements(a[0]), integer(a[1])
		if i == 0 {
			return nil, newError("INVALID_INDEX_OF_ZERO", "22003", "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).")
		}
		at := i - 1
		if i < 0 {
			at = int64(len(list)) + i
		}
		if at < 0 || at >= int64(len(list)) {
			if integer(a[2]) == 1 {
				return nil, errIndex(i, len(list))
			}
			return nil, nil
		}
		return storedElement(list[at]), nil
	},
	"x_item": func(a []driver.Value) (any, error) {
		list, i := elements(a[0]), integer(a[1])
		if i < 0 || i >= int64(len(list)) {
			return nil, newError("INVALID_ARRAY_INDEX", "22003", "The index %d is out of bounds. The array has %d elements. Use the SQL function `get()` to tolerate accessing element at invalid index and return NULL instead.", i, len(list))
		}
		return storedElement(list[i]), nil
	},
	"x_json_path": func(a []driver.Value) (any, error) { return jsonPathText(text(a[0]), text(a[1])), nil },
	"x_parse_json": func(a []driver.Value) (any, error) {
		var b bytes.Buffer
		if json.Compact(&b, []byte(text(a[0]))) != nil {
			return nil, newError("MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION", "22023", "Malformed records are detected in record parsing: %s.", text(a[0]))
		}
		return b.String(), nil
	},
	"x_from_json": func(a []driver.Value) (any, error) {
		var b bytes.Buffer
		if json.Compact(&b, []byte(text(a[0]))) != nil {
			return nil, nil
		}
		return b.String(), nil
	},
}

// maxSequence bounds sequence(), whose result is one value.
const maxSequence = 1_000_000

// sequence is registered apart because its step may be NULL.
func sequenceOf(a []driver.Value) (any, error) {
	if a[0] == nil || a[1] == nil {
		return nil, nil
	}
	start, end, kind := integer(a[0]), integer(a[1]), Kind(text(a[4]))
	step := int64(1)
	if kind == Timestamp {
		step = microsPerDay
	}
	if end < start {
		step = -step
	}
	if a[2] != nil {
		step = integer(a[2])
	}
	if step == 0 || (end-start)/step < 0 {
		return nil, newError("ILLEGAL_SEQUENCE_BOUNDARIES", "22023", "Illegal sequence boundaries: %d to %d by %d.", start, end, step)
	}
	months := integer(a[3]) == 1
	var b strings.Builder
	b.WriteByte('[')
	for i, n := int64(0), start; step > 0 && n <= end || step < 0 && n >= end; i++ {
		if i >= maxSequence {
			return nil, errTooLong("sequence")
		}
		if i > 0 {
			b.WriteByte(',')
		}
		switch kind {
		case Date:
			b.WriteString(strconv.Quote(formatDate(n)))
		case Timestamp:
			b.WriteString(strconv.Quote(formatTimestampText(n)))
		default:
			b.WriteString(strconv.FormatInt(n, 10))
		}
		switch {
		case months && kind == Date:
			n = daysOf(addMonths(dayTime(start), (i+1)*step))
		case months:
			n = addMonths(microTime(start), (i+1)*step).UnixMicro()
		default:
			n += step
		}
	}
	b.WriteByte(']')
	return b.String(), nil
}

// jsonPathText is get_json_object: $.a.b[0], or NULL.
func jsonPathText(doc, path string) any {
	current := json.RawMessage(doc)
	if !json.Valid(current) || !strings.HasPrefix(path, "$") {
		return nil
	}
	for path = path[1:]; path != ""; {
		switch path[0] {
		case '.':
			end := strings.IndexAny(path[1:], ".[")
			if end < 0 {
				end = len(path) - 1
			}
			current = member(string(current), path[1:1+end])
			path = path[1+end:]
		case '[':
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return nil
			}
			name := strings.Trim(path[1:end], `'"`)
			if i, err := strconv.Atoi(name); err == nil {
				list := elements(string(current))
				if i < 0 || i >= len(list) {
					return nil
				}
				current = list[i]
			} else {
				current = member(string(current), name)
			}
			path = path[end+1:]
		default:
			return nil
		}
		if current == nil {
			return nil
		}
	}
	if s := strings.TrimSpace(string(current)); s != "null" {
		return plain(json.RawMessage(s))
	}
	return nil
}
