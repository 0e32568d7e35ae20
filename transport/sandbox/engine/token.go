package engine

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	tokEOF    tokenKind = iota
	tokWord             // keyword or bare identifier
	tokQuoted           // `identifier`
	tokString           // 'text', "text", r'raw'
	tokNumber           // 1, 1.5, 1e3, 1L, 1.5BD
	tokOp               // everything else
)

// token is one lexical element. Word and op are compared by text, which is
// upper case for words that may be keywords; val is the decoded content.
type token struct {
	kind tokenKind
	text string // upper case for words, else as written
	val  string // word as written, decoded string or identifier
	pos  int    // byte offset in the statement
	end  int
}

// operators, longest first, so that the first match is the right one.
var operators = []string{"<=>", "::", "->", "=>", "<=", ">=", "<>", "!=", "==", "||", "<<", ">>"}

// tokenize splits a statement into tokens; the last one is tokEOF.
func tokenize(text string) ([]token, error) {
	l := lexer{src: text}
	for {
		if err := l.skipBlank(); err != nil {
			return nil, err
		}
		if l.pos >= len(l.src) {
			return append(l.out, token{kind: tokEOF, pos: l.pos, end: l.pos}), nil
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
}

type lexer struct {
	src string
	pos int
	out []token
}

func (l *lexer) add(kind tokenKind, start int, val string) {
	t := token{kind: kind, text: l.src[start:l.pos], val: val, pos: start, end: l.pos}
	if kind == tokWord {
		t.text = strings.ToUpper(t.text)
	}
	l.out = append(l.out, t)
}

func (l *lexer) fail(at int, class, format string, args ...any) error {
	line, pos := place(l.src, at)
	return newError(class, "42601", format, args...).at(line, pos)
}

// place is the line (from 1) and the position in it (from 0), as parse errors count.
func place(src string, at int) (line, pos int) {
	before := src[:min(at, len(src))]
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}

// skipBlank passes over white space, -- comments and nested /* comments */.
func (l *lexer) skipBlank() error {
	for l.pos < len(l.src) {
		rest := l.src[l.pos:]
		switch {
		case strings.HasPrefix(rest, "--"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest)
			}
			l.pos += n
		case strings.HasPrefix(rest, "/*"):
			n := commentEnd(rest)
			if n < 0 {
				return l.fail(l.pos, "UNCLOSED_BRACKETED_COMMENT", "Found an unclosed bracketed comment. Please, append */ at the end of the comment.")
			}
			l.pos += n
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) && r != '\ufeff' {
				return nil
			}
			l.pos += size
		}
	}
	return nil
}

func commentEnd(s string) int {
	depth := 0
	for i := 0; i+1 < len(s); i++ {
		switch s[i : i+2] {
		case "/*":
			depth, i = depth+1, i+1
		case "*/":
			depth, i = depth-1, i+1
			if depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

func (l *lexer) next() error {
	start := l.pos
	c := l.src[start]
	switch {
	case c == '\'' || c == '"':
		return l.quoted(start, c, false)
	case (c == 'r' || c == 'R') && start+1 < len(l.src) && (l.src[start+1] == '\'' || l.src[start+1] == '"'):
		l.pos++
		return l.quoted(start, l.src[l.pos], true)
	case c == '`':
		return l.identifier(start)
	case isDigit(c), c == '.' && start+1 < len(l.src) && isDigit(l.src[start+1]) && !l.afterOperand():
		return l.number(start)
	}
	if r, size := utf8.DecodeRuneInString(l.src[start:]); wordStart(r) {
		l.pos += size
		for l.pos < len(l.src) {
			r, size := utf8.DecodeRuneInString(l.src[l.pos:])
			if !wordStart(r) && !unicode.IsDigit(r) && r != '$' {
				break
			}
			l.pos += size
		}
		l.add(tokWord, start, l.src[start:l.pos])
		return nil
	}
	for _, op := range operators {
		if strings.HasPrefix(l.src[start:], op) {
			l.pos += len(op)
			l.add(tokOp, start, op)
			return nil
		}
	}
	if strings.IndexByte("()[]{},.;:?+-*/%=<>!|&^~@", c) < 0 {
		_, size := utf8.DecodeRuneInString(l.src[start:])
		near := l.src[start : start+size]
		if !utf8.ValidString(near) {
			near = strconv.QuoteToASCII(near)
		}
		line, pos := place(l.src, start)
		return errSyntax(near, line, pos)
	}
	l.pos++
	l.add(tokOp, start, l.src[start:l.pos])
	return nil
}

// afterOperand tells a.5 (a field) from .5 (a number).
func (l *lexer) afterOperand() bool {
	if len(l.out) == 0 {
		return false
	}
	last := l.out[len(l.out)-1]
	return last.end == l.pos && (last.kind == tokWord || last.kind == tokQuoted || last.text == ")" || last.text == "]")
}

func wordStart(r rune) bool {
	return r == '_' || unicode.IsLetter(r) && r != utf8.RuneError
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// identifier reads `name`, a doubled backquote standing for itself.
func (l *lexer) identifier(start int) error {
	var b strings.Builder
	for i := start + 1; i < len(l.src); i++ {
		if l.src[i] != '`' {
			b.WriteByte(l.src[i])
			continue
		}
		if i+1 < len(l.src) && l.src[i+1] == '`' {
			b.WriteByte('`')
			i++
			continue
		}
		l.pos = i + 1
		l.add(tokQuoted, start, b.String())
		return nil
	}
	line, pos := place(l.src, start)
	return errSyntax("`", line, pos)
}

// quoted reads a string; l.pos is at its quote. Backslash escapes, a doubled
// quote stands for itself, and raw strings know neither.
func (l *lexer) quoted(start int, quote byte, raw bool) error {
	var b strings.Builder
	for i := l.pos + 1; i < len(l.src); i++ {
		switch c := l.src[i]; {
		case c == quote && !raw && i+1 < len(l.src) && l.src[i+1] == quote:
			b.WriteByte(quote)
			i++
		case c == quote:
			l.pos = i + 1
			l.add(tokString, start, strings.ToValidUTF8(b.String(), "\ufffd"))
			return nil
		case c == '\\' && !raw && i+1 < len(l.src):
			i += unescape(&b, l.src[i+1:])
		default:
			b.WriteByte(c)
		}
	}
	line, pos := place(l.src, start)
	return errSyntax(string(quote), line, pos)
}

// unescape decodes what follows a backslash and returns its length.
func unescape(b *strings.Builder, s string) int {
	code := func(digits, base int) (int, bool) {
		if len(s) < digits+1 {
			return 0, false
		}
		n, err := strconv.ParseUint(s[1:digits+1], base, 32)
		if err == nil {
			b.WriteRune(rune(n))
		}
		return digits + 1, err == nil
	}
	switch c := s[0]; c {
	case 'n':
		b.WriteByte('\n')
	case 't':
		b.WriteByte('\t')
	case 'r':
		b.WriteByte('\r')
	case 'b':
		b.WriteByte('\b')
	case 'Z':
		b.WriteByte(26)
	case '0':
		b.WriteByte(0)
	case '%', '_': // kept escaped: they are for LIKE
		b.WriteByte('\\')
		b.WriteByte(c)
	case 'u':
		if n, ok := code(4, 16); ok {
			return n
		}
		b.WriteByte(c)
	case 'U':
		if n, ok := code(8, 16); ok {
			return n
		}
		b.WriteByte(c)
	default:
		b.WriteByte(c) // the rest of a multi-byte character follows by itself
	}
	return 1
}

// number reads digits, a fraction, an exponent and a type suffix. A word that
// starts with a digit (2024_orders) is an identifier.
func (l *lexer) number(start int) error {
	digits := func() {
		for l.pos < len(l.src) && isDigit(l.src[l.pos]) {
			l.pos++
		}
	}
	peek := func(n int) byte {
		if l.pos+n < len(l.src) {
			return l.src[l.pos+n]
		}
		return 0
	}
	digits()
	if peek(0) == '.' && !wordStart(rune(peek(1))) {
		l.pos++
		digits()
	}
	if c := peek(0); c == 'e' || c == 'E' {
		if d := peek(1); isDigit(d) || (d == '+' || d == '-') && isDigit(peek(2)) {
			l.pos += 2
			digits()
		}
	}
	suffix := l.pos
	for l.pos < len(l.src) && (wordStart(rune(l.src[l.pos])) || isDigit(l.src[l.pos])) {
		l.pos++
	}
	switch strings.ToUpper(l.src[suffix:l.pos]) {
	case "", "L", "S", "Y", "D", "F", "BD":
		l.add(tokNumber, start, l.src[start:suffix])
		return nil
	}
	if strings.ContainsAny(l.src[start:l.pos], ".") {
		return l.fail(start, "PARSE_SYNTAX_ERROR", "Syntax error at or near '%s'.", l.src[start:l.pos])
	}
	l.add(tokWord, start, l.src[start:l.pos])
	return nil
}
