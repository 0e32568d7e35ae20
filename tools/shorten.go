package tools

import (
	"math"
	"strconv"

	"github.com/tidwall/gjson"
)

// The advice that goes with "shortened".
const (
	shortNote = "Long values are cut; a larger --max-result-tokens shows more."
	rowNote   = "Long values are cut; select fewer columns, or parts by substring()."
)

// cuts is how much shorten leaves of each value: bytes of a text, items of an
// array, members of an object, and levels of nesting.
type cuts struct{ text, items, members, depth int }

const (
	every = math.MaxInt
	deep  = 100 // every level is parsed anew: deeper ones would cost too much
)

// harder are the cuts that shorten tries one after the other. The last leaves less
// than 300 bytes of anything.
var harder = []cuts{
	{1000, every, every, deep}, {1000, 3000, every, deep}, {1000, 1000, 3000, deep}, {1000, 300, 1000, deep}, {1000, 100, 400, deep}, {400, 100, 400, deep}, {400, 40, 100, deep}, {150, 20, 100, 16},
	{80, 10, 40, 8}, {40, 4, 20, 6}, {40, 2, 10, 4}, {20, 1, 4, 3}, {8, 1, 1, 1},
}

// shorten cuts the inside of a JSON value until it fits into limit bytes (or 300);
// every cut says what is missing. It is the last resort for one thing that is
// larger than a whole result may be.
func shorten(value []byte, limit int) []byte {
	if len(value) <= limit {
		return value
	}
	v := gjson.ParseBytes(value)
	// One long text among short ones loses only what it must.
	for _, text := range []int{limit / 2, limit / 8} {
		if out := (cuts{max(text, 1000), every, every, deep}).append(nil, v); len(out) <= limit {
			return out
		}
	}
	var out []byte
	for _, c := range harder {
		if out = c.append(out[:0], v); len(out) <= limit {
			break
		}
	}
	return out
}

func (c cuts) append(dst []byte, v gjson.Result) []byte {
	switch {
	case (v.IsObject() || v.IsArray()) && c.depth == 0:
		if len(v.Raw) <= len("{}") {
			return append(dst, v.Raw...)
		}
		return appendText(dst, "… "+strconv.Itoa(len(v.Raw))+" bytes of JSON")
	case v.IsObject():
		return c.appendObject(dst, v)
	case v.IsArray():
		return c.appendArray(dst, v)
	case v.Type == gjson.String:
		return c.appendString(dst, v.Raw, v.Str)
	}
	return c.appendString(dst, v.Raw, v.Raw)
}

func (c cuts) appendObject(dst []byte, v gjson.Result) []byte {
	inner := c
	inner.depth--
	dst = append(dst, '{')
	n := 0
	v.ForEach(func(key, value gjson.Result) bool {
		if n++; n > c.members {
			return true
		}
		if n > 1 {
			dst = append(dst, ',')
		}
		dst = append(c.appendString(dst, key.Raw, key.Str), ':')
		dst = inner.append(dst, value)
		return true
	})
	if n > c.members {
		dst = appendText(append(dst, `,"…":`...), strconv.Itoa(n-c.members)+" more members")
	}
	return append(dst, '}')
}

func (c cuts) appendArray(dst []byte, v gjson.Result) []byte {
	inner := c
	inner.depth--
	dst = append(dst, '[')
	n := 0
	v.ForEach(func(_, item gjson.Result) bool {
		if n++; n > c.items {
			return true
		}
		if n > 1 {
			dst = append(dst, ',')
		}
		dst = inner.append(dst, item)
		return true
	})
	if n > c.items {
		dst = appendText(append(dst, ','), "… "+strconv.Itoa(n-c.items)+" more")
	}
	return append(dst, ']')
}

// appendString cuts a text, a key, or a number with very many digits. raw is its
// JSON form, which escapes may make six times as long.
func (c cuts) appendString(dst []byte, raw, text string) []byte {
	const mark = len("… 12345678 more bytes")
	if len(raw) <= c.text+mark {
		return append(dst, raw...)
	}
	n := fitting(text, c.text)
	return appendText(dst, text[:n]+"… "+strconv.Itoa(len(text)-n)+" more bytes")
}
