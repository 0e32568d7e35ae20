package serve

import (
	"io"
	"unicode/utf8"
)

// appendQuoted appends s as the inside of a JSON string. <, > and & stay as they
// are: the line is read by JSON parsers, never by a browser, and SQL is full of
// them. A json.Encoder would hold a long string once more.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if broken := r == utf8.RuneError && n == 1; !broken && r != '\u2028' && r != '\u2029' {
				i += n
				continue
			}
			dst = append(dst, s[start:i]...)
			switch r {
			case '\u2028', '\u2029': // ends of lines to some readers of lines
				dst = append(dst, `\u202`...)
				dst = append(dst, hex[r&15])
			default:
				dst = append(dst, string(utf8.RuneError)...)
			}
			size = n
		} else {
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
		}
		i += size
		start = i
	}
	return append(dst, s[start:]...)
}

// quoteTo writes s as a JSON string, a piece at a time.
func quoteTo(out io.Writer, s string) error {
	const size = 32 << 10
	piece := append(make([]byte, 0, size+size/4), '"')
	for len(s) > 0 {
		n := min(size, len(s))
		for back := 0; n < len(s) && back < utf8.UTFMax && !utf8.RuneStart(s[n]); back++ {
			n-- // a piece ends between runes
		}
		piece = appendQuoted(piece, s[:n])
		if _, err := out.Write(piece); err != nil {
			return err
		}
		piece, s = piece[:0], s[n:]
	}
	_, err := out.Write(append(piece, '"'))
	return err
}
