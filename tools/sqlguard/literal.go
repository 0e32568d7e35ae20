package sqlguard

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// inside is a string or a backtick name without its quotes, escapes as written.
func inside(src string, t token) string {
	s := src[t.pos:t.end]
	if t.raw {
		s = s[1:]
	}
	return s[1 : len(s)-1]
}

// namePart is the name that a word or a quoted token is.
func namePart(src string, t token) string {
	switch t.kind {
	case quoted:
		return strings.ReplaceAll(inside(src, t), "``", "`")
	case doubleQuoted:
		return unescape(src, t)
	}
	return src[t.pos:t.end]
}

// unescape is the value of a string token, as Spark reads its escapes.
func unescape(src string, t token) string {
	s := inside(src, t)
	if t.raw || strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if size := coded(&b, s[i:]); size > 0 {
			i += size - 1
			continue
		}
		switch s[i] {
		case '0':
			b.WriteByte(0)
		case 'b':
			b.WriteByte('\b')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'Z':
			b.WriteByte(0x1a)
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// coded writes the character of u0041, U00000041 or 101 and returns how many
// bytes of s that was, or 0.
func coded(b *strings.Builder, s string) int {
	size, base := 0, 16
	switch {
	case s[0] == 'u':
		size = 5
	case s[0] == 'U':
		size = 9
	case s[0] >= '0' && s[0] <= '1':
		size, base = 3, 8
	}
	if size == 0 || len(s) < size {
		return 0
	}
	code, err := strconv.ParseUint(strings.TrimLeft(s[:size], "uU"), base, 32)
	if err != nil || !utf8.ValidRune(rune(code)) {
		return 0
	}
	b.WriteRune(rune(code))
	return size
}
