package install

import (
	"bytes"
	"strings"
)

const lineComment = "// …"

// hide shows text with … for what stands in strings and comments, except in shown:
// other servers have their keys there, and what is printed ends in logs and with
// agents. Names of members, and lines, stay.
func hide(text []byte, shown []span, toml bool) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if len(shown) > 0 && i >= shown[0].start {
			b.Write(text[i:max(i, shown[0].end)])
			i, shown = max(i, shown[0].end), shown[1:]
			continue
		}
		end, mark := token(text, i, toml)
		if mark == "" || isName(text, end, toml) && mark == `"…"` {
			b.Write(text[i:end])
		} else {
			b.WriteString(mark)
			for range bytes.Count(text[i:end], []byte("\n")) {
				b.WriteByte('\n')
			}
		}
		i = end
	}
	return b.String()
}

// token is the end of the string, comment or other byte at an offset, and what to show
// in place of it; empty for itself.
func token(text []byte, at int, toml bool) (end int, mark string) {
	rest := text[at:]
	from := func(open, shut string, escapes bool) int { return at + closing(rest, len(open), shut, escapes) }
	starts := func(open string) bool { return bytes.HasPrefix(rest, []byte(open)) }
	switch {
	case toml && starts(`"""`):
		return from(`"""`, `"""`, true), `"""…"""`
	case toml && starts(`'''`):
		return from(`'''`, `'''`, false), `'''…'''`
	case toml && starts(`'`):
		return from(`'`, `'`, false), `"…"`
	case starts(`"`):
		return from(`"`, `"`, true), `"…"`
	case toml && starts("#"):
		return lineOf(text, at), "# …"
	case !toml && starts("//"):
		return lineOf(text, at), lineComment
	case !toml && starts("/*"):
		return from("/*", "*/", false), "/* … */"
	}
	return at + 1, ""
}

// closing is where the token ends that shut closes.
func closing(text []byte, i int, shut string, escapes bool) int {
	for i < len(text) {
		switch {
		case escapes && text[i] == '\\':
			i += 2
		case bytes.HasPrefix(text[i:], []byte(shut)):
			return i + len(shut)
		default:
			i++
		}
	}
	return len(text)
}

// lineOf is the end of the line, without its line break.
func lineOf(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + len(bytes.TrimRight(text[at:at+i], "\r"))
	}
	return len(text)
}

// isName reports whether the string before an offset is a key.
func isName(text []byte, at int, toml bool) bool {
	rest := bytes.TrimLeft(text[min(at, len(text)):], " \t\r\n")
	if len(rest) == 0 {
		return false
	}
	if toml {
		return rest[0] == '=' || rest[0] == '.'
	}
	return rest[0] == ':'
}
