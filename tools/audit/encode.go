package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// Bounds of one line, so that no argument fills the disk. What is over says so.
const (
	maxString     = 8 << 10
	maxRaw        = 256 << 10
	maxRequestIDs = 100
)

const timeLayout = "2006-01-02T15:04:05.000000Z"

// appendLine appends the line as JSON, up to where hash and prev begin.
func appendLine(b []byte, l *Line) []byte {
	b = append(b, `{"time":"`...)
	b = l.Time.UTC().AppendFormat(b, timeLayout)
	b = append(b, '"')
	b = appendField(b, "event", l.Event)
	b = appendField(b, "say", l.Say)
	b = appendField(b, "call", l.Call)
	b = appendField(b, "user", l.User)
	b = appendField(b, "auth_type", l.AuthType)
	b = appendField(b, "client", l.Client)
	b = appendField(b, "tool", l.Tool)
	b = appendField(b, "group", l.Group)
	b = appendField(b, "effect", l.Effect)
	b = appendField(b, "endpoint", l.Endpoint)
	b = appendField(b, "workspace", l.Workspace)
	b = appendField(b, "object", l.Object)
	b = appendField(b, "decision", l.Decision)
	b = appendField(b, "rule", l.Rule)
	b = appendField(b, "outcome", l.Outcome)
	b = appendField(b, "error_kind", l.ErrorKind)
	if len(l.RequestIDs) > 0 {
		b = append(b, `,"request_ids":`...)
		for i, id := range l.RequestIDs[:min(len(l.RequestIDs), maxRequestIDs)] {
			b = append(b, "[,"[min(i, 1)])
			b = appendString(b, id)
		}
		b = append(b, ']')
	}
	if ms := math.Round(l.DurationMS*1000) / 1000; ms > 0 && !math.IsInf(ms, 1) {
		b = append(b, `,"duration_ms":`...)
		b = strconv.AppendFloat(b, ms, 'f', -1, 64)
	}
	b = appendNumber(b, "rows", l.Rows)
	b = appendNumber(b, "bytes", l.Bytes)
	b = appendRaw(b, "arguments", l.Arguments)
	return appendRaw(b, "before", l.Before)
}

func appendName(b []byte, name string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	return append(b, `":`...)
}

func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(appendName(b, name), value)
}

func appendNumber(b []byte, name string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(appendName(b, name), n, 10)
}

// appendRaw appends JSON on one line; what is no JSON becomes a string, and
// what is too long its size and hash.
func appendRaw(b []byte, name string, raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return b
	}
	b = appendName(b, name)
	if len(raw) > maxRaw {
		sum := sha256.Sum256(raw)
		b = append(b, `{"left_out":"too long for the audit log","bytes":`...)
		b = strconv.AppendInt(b, int64(len(raw)), 10)
		b = append(b, `,"sha256":"`...)
		b = hex.AppendEncode(b, sum[:])
		return append(b, `"}`...)
	}
	if !json.Valid(raw) {
		return appendString(b, string(raw))
	}
	from := 0
	for i := 0; i < len(raw); {
		if c := raw[i]; plain(c) || c == '"' || c == '\\' {
			i++
			continue
		}
		r, n := utf8.DecodeRune(raw[i:])
		if visible(r, n) {
			i += n
			continue
		}
		b = append(b, raw[from:i]...)
		if r >= ' ' { // else white space between tokens: JSON has no control characters in strings
			b = appendEscape(b, r)
		}
		i += n
		from = i
	}
	return append(b, raw[from:]...)
}

// appendString appends s as a JSON string in which nothing can move the
// cursor of a terminal, hide text or end a line.
func appendString(b []byte, s string) []byte {
	cut := len(s) > maxString
	if cut {
		s = s[:maxString]
	}
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain(c) {
			i++
			continue
		}
		if c == '"' || c == '\\' {
			b = append(b, s[from:i]...)
			b = append(b, '\\', c)
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if visible(r, n) {
			i += n
			continue
		}
		b = append(b, s[from:i]...)
		b = appendEscape(b, r)
		i += n
		from = i
	}
	b = append(b, s[from:]...)
	if cut {
		b = append(b, "…"...)
	}
	return append(b, '"')
}

// plain: a byte that stands for itself in a JSON string.
func plain(c byte) bool { return c >= ' ' && c < 0x7f && c != '"' && c != '\\' }

// visible: a rune of n bytes that may stand as it is.
func visible(r rune, n int) bool {
	return r > 0x9f && !(r == utf8.RuneError && n == 1) && !Hidden(r)
}

// Hidden says whether a rune steers the display rather than being seen:
// control characters, line separators, and what turns the writing direction.
func Hidden(r rune) bool {
	return r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x61c ||
		r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}

func appendEscape(b []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	switch r {
	case '\n':
		return append(b, `\n`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}
