package sqlguard

import (
	"strings"
	"unicode/utf8"
)

type kind uint8

const (
	end          kind = iota
	word              // SELECT, orders: not quoted
	quoted            // `orders`
	text              // 'text', r'text'
	doubleQuoted      // "text": text, or a name where ANSI identifiers are on
	number            // 1, 1.5e3, 10L
	symbol            // an operator or a bracket
)

// A token is a piece of the statement. Its word is the source in upper case
// (a keyword, perhaps), or the symbol, and empty for what stands in quotes.
type token struct {
	kind  kind
	raw   bool   // r'…': a backslash is a backslash
	glued bool   // nothing stands between it and the token before
	pos   int32  // in bytes
	end   int32  // in bytes, exclusive
	word  string // of a word or symbol
}

// lexer cuts a statement into tokens as Spark's grammar does. Where another
// reader of SQL could see a quote or a comment end elsewhere, it refuses: what
// a check sees and what runs must be the same text.
type lexer struct {
	src, upper string
	pos        int
	out        []token
}

func tokenize(src string) []token {
	l := &lexer{src: src, upper: upperASCII(src), out: make([]token, 0, len(src)/4+8)}
	l.checkCharacters()
	for l.space() {
		l.next()
	}
	return append(l.out, token{kind: end, pos: int32(len(src)), end: int32(len(src))})
}

// checkCharacters refuses what has no place anywhere in a statement, inside
// quotes and comments included.
func (l *lexer) checkCharacters() {
	for i := 0; i < len(l.src); {
		c := l.src[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(l.src[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				l.refuse(i, i+1, "the text is not UTF-8", "Send the statement as UTF-8.")
			case r == '\ufeff':
				l.refuse(i, i+size, "a byte order mark stands in the text", "Leave it out.")
			case r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
				l.refuse(i, i+size, "a bidirectional control character makes the text look other than it is", "Leave it out.")
			case r >= 0x80 && r <= 0x9f || r == 0x2028 || r == 0x2029:
				l.refuse(i, i+size, "a control character stands in the text", "Write \\n for a new line, or leave it out.")
			}
			i += size
			continue
		}
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' || c == 0x7f {
			l.refuse(i, i+1, "a control character stands in the text", "Leave it out, or write it as an escape such as \\u0000 in a string.")
		}
		// A lone CR ends a line comment for some readers and not for others.
		if c == '\r' && (i+1 == len(l.src) || l.src[i+1] != '\n') {
			l.refuse(i, i+1, "a carriage return stands without a line feed", "End lines with \\n.")
		}
		// Spark replaces ${…} before it parses, in quotes and comments too.
		if c == '$' && i+1 < len(l.src) && l.src[i+1] == '{' {
			l.refuse(i, i+2, "${…} is replaced by a setting before the statement is read", "Use a :parameter.")
		}
		i++
	}
}

// space skips blanks and comments and reports whether a token follows.
func (l *lexer) space() bool {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r':
			l.pos++
		case strings.HasPrefix(rest, "--"):
			l.lineComment(rest)
		case strings.HasPrefix(rest, "/*"):
			l.blockComment(rest)
		default:
			return true
		}
	}
	return false
}

func (l *lexer) lineComment(rest string) {
	comment, _, _ := strings.Cut(rest, "\n")
	// Spark goes on with the comment behind a backslash at the end of a line.
	if strings.HasSuffix(strings.TrimRight(comment, "\r"), `\`) {
		l.refuse(l.pos, l.pos+len(comment), "a -- comment ends in a backslash: whether the next line belongs to it depends on the reader", "Leave the backslash out.")
	}
	l.pos += len(comment)
}

func (l *lexer) blockComment(rest string) {
	body, _, closed := strings.Cut(rest[2:], "*/")
	whole := l.pos + len("/*") + len(body) + len("*/")
	switch {
	case !closed:
		l.refuse(l.pos, len(l.src), "a /* comment does not end", "Close it with */.")
	case strings.HasPrefix(rest, "/*/"):
		l.refuse(l.pos, l.pos+3, "/*/ opens a comment for some readers and is a whole one for others", "Write /* … */.")
	case strings.Contains(body, "/*") || strings.HasSuffix(body, "/"):
		// Spark nests comments, but not below a hint; others do not nest.
		l.refuse(l.pos, whole, "a comment stands within a comment: where it ends depends on the reader", "Leave the inner /* out.")
	case strings.HasPrefix(body, "+") && !harmlessHint(body[1:]):
		l.refuse(l.pos, whole, "the hint is not one that is known", "Leave the hint out.")
	}
	l.pos = whole
}

func (l *lexer) next() {
	start := l.pos
	c := l.src[start]
	switch {
	case (isDigit(c) || c == '.' && start+1 < len(l.src) && isDigit(l.src[start+1])) && l.number():
	case isWord(c):
		l.word()
	case c == '\'' || c == '"':
		l.quote(start, false)
	case c == '`':
		l.backticks()
	case c >= utf8.RuneSelf:
		_, size := utf8.DecodeRuneInString(l.src[start:])
		l.refuse(start, start+size, "a character outside ASCII stands outside quotes", "Put names in `backticks` and texts in 'quotes'; write plain spaces and quotes.")
	default:
		l.symbol()
	}
}

// symbols are the operators of more than one character, longest first.
// There is no >>: it would hide the end of MAP<INT, ARRAY<INT>>.
var symbols = [...]string{"<=>", "?::", "||", "|>", "<>", "!=", "!<", "!>", "<=", ">=", "<<", "==", "->", "=>", "::"}

func (l *lexer) symbol() {
	start := l.pos
	rest := l.src[start:]
	for _, s := range symbols {
		if rest[0] == s[0] && strings.HasPrefix(rest, s) {
			l.pos += len(s)
			l.emit(symbol, start, s)
			return
		}
	}
	switch {
	case strings.HasPrefix(rest, "*/"):
		l.refuse(start, start+2, "*/ stands outside a comment", "Write a blank between * and /.")
	case strings.HasPrefix(rest, "//"):
		l.refuse(start, start+2, "// stands outside quotes", "Put a path in quotes or backticks.")
	case strings.HasPrefix(rest, "$"):
		l.refuse(start, start+1, "$ stands outside quotes: dollar-quoted text is not read", "Use 'quotes'.")
	case strings.IndexByte("()[],.;:+-*/%&|^~=<>!@", rest[0]) < 0:
		l.refuse(start, start+1, string(rest[0])+" has no meaning here", "Parameters are written :name, comments -- or /* */.")
	}
	l.pos++
	l.emit(symbol, start, rest[:1])
}

// word reads an unquoted word, or the string that its prefix r makes raw.
func (l *lexer) word() {
	start := l.pos
	l.pos = l.wordEnd(start)
	w := l.upper[start:l.pos]
	if l.pos < len(l.src) && (l.src[l.pos] == '\'' || l.src[l.pos] == '"') {
		switch w {
		case "R":
			l.quote(start, true)
			return
		case "B", "E", "N", "U", "Q", "F", "BR", "RB", "NQ", "_UTF8":
			l.refuse(start, l.pos+1, "a string with the prefix "+w+" is none of Databricks SQL", "Use '…', r'…' or X'…'.")
		}
	}
	if w == "U" && strings.HasPrefix(l.src[l.pos:], "&'") || w == "U" && strings.HasPrefix(l.src[l.pos:], `&"`) {
		l.refuse(start, l.pos+2, "a string with the prefix U& is none of Databricks SQL", "Use '\\u0041'.")
	}
	l.emit(word, start, w)
}

func (l *lexer) wordEnd(i int) int {
	for i < len(l.src) && isWord(l.src[i]) {
		i++
	}
	return i
}

// number reads 1, 1.5, .5e-3, 10L or 1BD, and reports whether there is one:
// 2024_sales is a word. A number that runs into a word is refused, because
// what is a number then depends on the reader.
func (l *lexer) number() bool {
	start, i := l.pos, l.pos
	digits := func() {
		for i < len(l.src) && isDigit(l.src[i]) {
			i++
		}
	}
	digits()
	point := i < len(l.src) && l.src[i] == '.'
	if point {
		i++
		digits()
	}
	if i < len(l.src) && l.upper[i] == 'E' {
		mark := i
		i++
		if i < len(l.src) && (l.src[i] == '+' || l.src[i] == '-') {
			i++
		}
		from := i
		if digits(); i == from {
			i = mark
		}
	}
	switch stop := l.wordEnd(i); l.upper[i:stop] {
	case "", "L", "S", "Y", "F", "D", "BD":
		i = stop
	default:
		if !point || l.src[start] == '.' {
			return false // 2024_sales, or .2024_sales behind a name
		}
		l.refuse(start, stop, "a number runs into a word", "Put a blank between them, or the name in `backticks`.")
	}
	l.pos = i
	l.emit(number, start, "")
	return true
}

func (l *lexer) backticks() {
	start := l.pos
	for i := start + 1; i < len(l.src); i++ {
		if l.src[i] != '`' {
			continue
		}
		if i+1 < len(l.src) && l.src[i+1] == '`' {
			i++
			continue
		}
		l.pos = i + 1
		l.emit(quoted, start, "")
		return
	}
	l.refuse(start, len(l.src), "a ` quote does not end", "Close it with `; a ` within is written ``.")
}

// quote reads a string that the prefix r may have made raw. Strings follow
// each other as in 'a”b' or 'a' 'b': each is a token.
func (l *lexer) quote(start int, raw bool) {
	mark := l.src[l.pos]
	escaped := false
	for i := l.pos + 1; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == mark && escaped && raw:
			l.refuse(start, i+1, "a raw string has a backslash before a quote: where it ends depends on the reader", "Use a plain string with \\\\.")
		case c == mark && !escaped:
			l.pos = i + 1
			l.emit(text, start, "")
			t := &l.out[len(l.out)-1]
			t.raw = raw
			if mark == '"' && !raw {
				t.kind = doubleQuoted
			}
			return
		case c == '\\':
			escaped = !escaped
		default:
			escaped = false
		}
	}
	l.refuse(start, len(l.src), "a "+string(mark)+" quote does not end", "Close the string.")
}

func (l *lexer) emit(k kind, start int, w string) {
	n := len(l.out)
	glued := n > 0 && int(l.out[n-1].end) == start
	l.out = append(l.out, token{kind: k, glued: glued, pos: int32(start), end: int32(l.pos), word: w})
}

//go:noinline
func (l *lexer) refuse(start, stop int, reason, instead string) {
	panic(refusalAt(l.src, start, stop, reason, instead))
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// upperASCII keeps every byte in its place, as strings.ToUpper would not.
func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
