package tools

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

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

// shorten cuts the long texts and long arrays inside a JSON value until it fits
// into limit bytes; every cut says what is missing. It is the last resort for
// one thing that is larger than a whole result may be.
func shorten(value []byte, limit int) []byte {
	v := gjson.ParseBytes(value)
	out := value
	for _, step := range []struct{ text, items int }{{4000, 100}, {1000, 40}, {400, 20}, {150, 10}, {80, 4}, {40, 2}, {20, 1}} {
		out = appendShort(nil, v, step.text, step.items)
		if len(out) <= limit {
			break
		}
	}
	return out
}

func appendShort(dst []byte, v gjson.Result, text, items int) []byte {
	switch {
	case v.IsObject():
		o := object{buf: append(dst, '{')}
		v.ForEach(func(key, value gjson.Result) bool {
			if last := o.buf[len(o.buf)-1]; last != '{' {
				o.buf = append(o.buf, ',')
			}
			o.buf = append(append(o.buf, key.Raw...), ':')
			o.buf = appendShort(o.buf, value, text, items)
			return true
		})
		return append(o.buf, '}')
	case v.IsArray():
		dst = append(dst, '[')
		n := 0
		v.ForEach(func(_, item gjson.Result) bool {
			if n++; n > items {
				return true
			}
			if n > 1 {
				dst = append(dst, ',')
			}
			dst = appendShort(dst, item, text, items)
			return true
		})
		if n > items {
			dst = appendText(append(dst, ','), "… "+strconv.Itoa(n-items)+" more")
		}
		return append(dst, ']')
	case v.Type == gjson.String && len(v.Str) > text:
		return appendText(dst, cutText(v.Str, text)+"… "+strconv.Itoa(len(v.Str)-text)+" more bytes")
	}
	return append(dst, v.Raw...)
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
