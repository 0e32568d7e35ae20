package tools

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tidwall/gjson"
)

// parse is gjson.ParseBytes without its copy of a body that nobody writes to any
// more: a result of 8 MB is held once, not twice.
func parse(body []byte) gjson.Result {
	return gjson.Parse(view(body))
}

// view is b as text, without a copy. Nobody may write to b any more.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// appendText appends s as a JSON string; <, > and & stay readable.
func appendText(dst []byte, s string) []byte {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] >= 0x20 && s[i] != '"' && s[i] != '\\' && s[i] < utf8.RuneSelf
	}
	if plain {
		return append(append(append(dst, '"'), s...), '"')
	}
	out := bytes.NewBuffer(dst)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string cannot fail
	return bytes.TrimSuffix(out.Bytes(), []byte{'\n'})
}

// object builds a JSON object member by member.
type object struct{ buf []byte }

func (o *object) name(name string) {
	if len(o.buf) == 0 {
		o.buf = append(o.buf, '{')
	} else if last := o.buf[len(o.buf)-1]; last != '{' {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(append(append(o.buf, '"'), name...), '"', ':')
}

func (o *object) text(name, value string) {
	o.name(name)
	o.buf = appendText(o.buf, value)
}

func (o *object) raw(name, value string) {
	o.name(name)
	o.buf = append(o.buf, value...)
}

func (o *object) integer(name string, value int64) {
	o.name(name)
	o.buf = strconv.AppendInt(o.buf, value, 10)
}

func (o *object) boolean(name string, value bool) {
	o.name(name)
	o.buf = strconv.AppendBool(o.buf, value)
}

func (o *object) texts(name string, values []string) {
	o.name(name)
	o.buf = append(o.buf, '[')
	for i, v := range values {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		o.buf = appendText(o.buf, v)
	}
	o.buf = append(o.buf, ']')
}

func (o *object) bytes() []byte {
	if len(o.buf) == 0 {
		return []byte("{}")
	}
	return append(o.buf, '}')
}

// shortened says that something in the object was cut for good, not for a next
// page, and what helps.
func (o *object) shortened(advice string) {
	o.boolean("shortened", true)
	o.text("note", advice)
}

// fitting is the length of the longest beginning of s, in whole runes, whose JSON
// form takes at most room bytes.
func fitting(s string, room int) int {
	size := 0
	for i, r := range s {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '"' || r == '\\':
			size += 2
		case r < 0x20 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
			size += 6
		default:
			size += utf8.RuneLen(r)
		}
		if size > room {
			return i
		}
	}
	return len(s)
}

// cutText is the longest prefix of at most n bytes that ends between runes.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.ToValidUTF8(s[:n], "\uFFFD")
}
