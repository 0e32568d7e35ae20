package rest

import (
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"brickmcp/catalog"
)

const (
	maxMessage   = 800 // bytes of what the workspace says
	maxRequestID = 128
)

// lazy is a pattern that is compiled when the first error needs it: a start
// must not pay for it.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

var (
	secretText = lazy(`(?:dapi|dose|dkea|dsap)[0-9a-fA-F-]{8,}|eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*|(?i:bearer|basic) +[A-Za-z0-9._~+/=-]{8,}`)
	queryText  = lazy(`(https?://[^\s?"'<>]+)\?[^\s"'<>]+`)
	htmlTag    = lazy(`(?is)<(?:style|script)\b.*?</(?:style|script)>|</?(?:html|head|body|title|meta|link|p|pre|br|hr|div|span|a|h[1-6]|b|i|strong|em|ul|ol|li|code|center|table|tr|t[dh])\b[^>]*>|<!(?:--.*?--|doctype[^>]*)>`)
	stackStart = lazy(`\s*(?:[\r\n]+\s*(?:at [\w.$<>/]+\(|File "|Caused by: )|Traceback \(most recent call last\)|\bat [\w.$]+\([\w$]+\.(?:java|scala):\d+\))`)
	entities   = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#39;", "'", "&#x27;", "'", "&nbsp;", " ", "&amp;", "&")
)

// clean makes a text from outside fit to show: one bounded line without stack
// trace, tags, escape sequences, control characters, presigned queries and secrets. The hidden
// texts are taken out wherever they stand.
func clean(s string, hidden ...string) string {
	if len(s) > 16*maxMessage {
		s = s[:16*maxMessage]
	}
	s, _ = catalog.Clean(strings.ToValidUTF8(s, ""))
	for _, h := range hidden {
		if len(h) > 3 {
			s = strings.ReplaceAll(s, h, "[hidden]")
		}
	}
	if at := stackStart().FindStringIndex(s); at != nil && at[0] > 0 {
		s = s[:at[0]]
	}
	if strings.ContainsRune(s, '<') {
		s = entities.Replace(htmlTag().ReplaceAllString(s, " "))
	}
	s = queryText().ReplaceAllString(s, "$1?[hidden]")
	s = secretText().ReplaceAllString(s, "[hidden]")
	return shorten(oneLine(s), maxMessage)
}

// oneLine turns control characters and runs of space into single spaces, and
// drops the invisible ones that reorder or hide text.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// shorten cuts at a character, never inside one.
func shorten(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}
