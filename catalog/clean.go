package catalog

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// Clean takes out of a text what a terminal obeys or a model reads while a person
// sees nothing of it, and reports how many characters it took:
//
//   - C0 and C1 controls and DEL, but for tab and line ends; a whole escape sequence
//     (colours, links, titles) where one begins;
//   - what turns the direction of text: U+202A to U+202E, U+2066 to U+2069;
//   - what has no width: U+200B, U+2060 to U+206F, U+FFF0 to U+FFFB, and U+FEFF, but
//     as the first character of the text (a byte order mark);
//   - tag characters and the rest of the plane's invisible block, U+E0000 to U+E0FFF,
//     but in the flags of England, Scotland and Wales; and any variation selector
//     behind another one: both carry hidden bytes.
//
// Joiners (U+200C, U+200D), direction marks and single variation selectors stay:
// scripts and emoji need them.
func Clean(text string) (clean string, removed int) {
	out, n := (&cleaner{text: []byte(text)}).run()
	if n == 0 {
		return text, 0
	}
	return string(out), n
}

// CleanJSON is Clean for every string, and every key, of a JSON value, written
// plainly or in escapes. What is clean comes back as it is, without a copy; value
// itself is never changed.
func CleanJSON(value []byte) (clean []byte, removed int) {
	return (&cleaner{text: value, json: true}).run()
}

// cleaner reads characters from text; in JSON, an escape is one.
type cleaner struct {
	text []byte
	json bool

	kept   rune // the last character that was looked at and stays
	behind int  // what stands here is its neighbour
}

func (c *cleaner) run() (clean []byte, removed int) {
	var out []byte
	from := 0 // where the part not yet copied begins
	c.behind = -1
	for i := c.suspect(0); i < len(c.text); i = c.suspect(i) {
		end, count := c.hidden(i)
		if count == 0 {
			i = end
			continue
		}
		// Broken bytes must not become a character by what was between them.
		for end < len(c.text) && !utf8.RuneStart(c.text[end]) {
			end++
		}
		if out == nil {
			out = make([]byte, 0, len(c.text))
		}
		out = append(out, c.text[from:i]...)
		removed += count
		if c.behind == i && isSelector(c.kept) {
			c.behind = end
		}
		i, from = end, end
	}
	if removed == 0 {
		return c.text, 0
	}
	return append(out, c.text[from:]...), removed
}

// suspect is the first index from i on where something hidden, or an escape that
// may stand for it, may begin; the end of the text when there is none. Nearly all
// text is passed here, ASCII eight bytes at a time.
func (c *cleaner) suspect(i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	text := c.text
	for i < len(text) {
		for ; i+8 <= len(text); i += 8 {
			x := binary.LittleEndian.Uint64(text[i:])
			backslash := x ^ '\\'*ones
			// The high bit of a byte: not ASCII, DEL, below a space, a backslash.
			found := (x | (x + ones) | (x-' '*ones)&^x | (backslash-ones)&^backslash) & highs
			if found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
		}
	bytewise:
		for ; i < len(text); i++ {
			switch b := text[i]; {
			case b >= ' ' && b < 0x7f && b != '\\':
				if i+8 <= len(text) {
					break bytewise
				}
			case b == '\\' && !c.json:
			case b == '\\' && i+1 < len(text) && text[i+1] != 'u' && text[i+1] != 'b' && text[i+1] != 'f':
				i++
			case b >= utf8.RuneSelf && b != 0xC2 && b != 0xE2 && b != 0xEF && b != 0xF3:
			case suspicious(text, i):
				return i
			}
		}
	}
	return len(text)
}

// suspicious looks at the first two bytes of what may be hidden.
func suspicious(text []byte, i int) bool {
	second := byte(0)
	if i+1 < len(text) {
		second = text[i+1]
	}
	switch text[i] {
	case '\t', '\n', '\r':
		return false
	case 0xC2: // C1
		return second < 0xA0
	case 0xE2: // U+2000 to U+207F
		return second == 0x80 || second == 0x81
	case 0xEF: // U+FE00 to U+FE3F, U+FEC0 to U+FFFF
		return second == 0xB8 || second >= 0xBB
	case 0xF3: // U+E0000 to U+E0FFF
		return second == 0xA0
	}
	return true // a control, an escape
}

const (
	escape     = 0x1b
	bell       = 0x07
	terminator = 0x9c // ST
	byteOrder  = 0xFEFF
	blackFlag  = 0x1F3F4
	tags       = 0xE0000 // the tag of an ASCII character is this much above it
	endOfText  = -1
)

// hidden reports where the hidden part that begins at i ends, and how many
// characters it has; 0 is for one that stays, and end is where to go on.
func (c *cleaner) hidden(i int) (end, count int) {
	r, n := c.char(i)
	switch {
	case r == escape, r >= 0x80 && r <= 0x9f:
		return c.sequence(i)
	case r > tags && r <= tags+0x7f:
		if end := c.flag(i); end > 0 {
			return end, 0
		}
		return i + n, 1
	case isSelector(r) && isSelector(c.kept) && c.behind == i, utf16.IsSurrogate(r), isHidden(r) && !(r == byteOrder && c.first(i)):
		return i + n, 1
	}
	c.kept, c.behind = r, i+max(n, 1)
	return c.behind, 0
}

// isHidden leaves out what depends on the place. Half a UTF-16 pair, which only an
// escape can write, is no character, and could become one when what is beside it is
// taken out.
func isHidden(r rune) bool {
	switch {
	case r < ' ':
		return r >= 0 && r != '\t' && r != '\n' && r != '\r'
	case r < 0x200B:
		return r == 0x7f
	case r < 0xFE00:
		return r == 0x200B || r >= 0x202A && r <= 0x202E || r >= 0x2060 && r <= 0x206F
	}
	return r == 0xFEFF || r >= 0xFFF0 && r <= 0xFFFB || r >= 0xE0000 && r <= 0xE0FFF
}

func isSelector(r rune) bool { return r >= 0xFE00 && r <= 0xFE0F }

// char is the character at i and its length in bytes; endOfText behind the last
// one, which in JSON is at a quotation mark.
func (c *cleaner) char(i int) (rune, int) {
	switch {
	case i >= len(c.text), c.json && c.text[i] == '"':
		return endOfText, 0
	case c.json && c.text[i] == '\\':
		return c.escaped(i)
	}
	return utf8.DecodeRune(c.text[i:])
}

func (c *cleaner) escaped(i int) (rune, int) {
	if i+1 == len(c.text) {
		return endOfText, 0
	}
	switch c.text[i+1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n', 'r', 't':
		return '\n', 2
	case 'u':
		r := c.unit(i)
		if low := c.unit(i + 6); utf16.IsSurrogate(r) {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 12
			}
		}
		if r >= 0 {
			return r, 6
		}
		return utf8.RuneError, 2
	}
	return rune(c.text[i+1]), 2 // a quotation mark, a stroke
}

// unit is what the escape \uXXXX at i says; -1 when there is none.
func (c *cleaner) unit(i int) rune {
	if i+6 > len(c.text) || c.text[i] != '\\' || c.text[i+1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(c.text[i+2:i+6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// first reports whether a text begins at i.
func (c *cleaner) first(i int) bool {
	if i == 0 || !c.json {
		return i == 0
	}
	strokes := 0
	for c.text[i-1] == '"' && i-2-strokes >= 0 && c.text[i-2-strokes] == '\\' {
		strokes++
	}
	return c.text[i-1] == '"' && strokes%2 == 0
}

// sequence is the escape sequence that begins at i (ECMA-48, and xterm's strings).
// Of one that does not come to its end only the control itself goes: the text
// behind it may be all there is to read.
func (c *cleaner) sequence(i int) (end, count int) {
	r, n := c.char(i)
	alone := i + n
	at := reader{c, alone, 1}
	kind := r
	if r == escape {
		switch kind = at.next(); kind {
		case '[':
			kind = 0x9b
		case 'P', 'X', ']', '^', '_':
			kind += 0x40
		}
	}
	complete := false
	switch kind {
	case 0x9b: // CSI
		at.skip('0', '?')
		at.skip(' ', '/')
		last := at.next()
		complete = last >= '@' && last <= '~'
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f: // strings: DCS, SOS, OSC, PM, APC
		at.skip(' ', '~', 0xa0, utf8.MaxRune)
		last := at.next()
		complete = last == bell || last == terminator || last == escape && at.next() == '\\'
	default:
		if r != escape {
			break
		}
		if kind >= ' ' && kind <= '/' {
			at.skip(' ', '/')
			kind = at.next()
		}
		complete = kind >= '0' && kind <= '~'
	}
	if complete {
		return at.i, at.count
	}
	return alone, 1
}

// reader walks over characters and counts them.
type reader struct {
	*cleaner
	i, count int
}

func (r *reader) next() rune {
	char, n := r.char(r.i)
	if n > 0 {
		r.i, r.count = r.i+n, r.count+1
	}
	return char
}

// skip passes over characters that are in one of the ranges, given as pairs.
func (r *reader) skip(ranges ...rune) {
	for {
		char, n := r.char(r.i)
		in := false
		for k := 0; k < len(ranges); k += 2 {
			in = in || char >= ranges[k] && char <= ranges[k+1]
		}
		if !in || n == 0 {
			return
		}
		r.i, r.count = r.i+n, r.count+1
	}
}

// flag is the end of the flag of a part of Britain whose tags begin at i: a black
// flag, the letters of a code, and the last tag. Any other code shows nothing but
// the black flag, and may say anything. 0: there is none.
func (c *cleaner) flag(i int) (end int) {
	if !(c.kept == blackFlag && c.behind == i) && !bytes.HasSuffix(c.text[:i], []byte(string(rune(blackFlag)))) {
		return 0
	}
	at := reader{c, i, 0}
	var code [6]rune
	for k := range code {
		code[k] = at.next() - tags
	}
	switch string(code[:]) {
	case "gbeng\x7f", "gbsct\x7f", "gbwls\x7f":
		return at.i
	}
	return 0
}
