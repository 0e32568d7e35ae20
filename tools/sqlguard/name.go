package sqlguard

import "strings"

// Name is an identifier chain such as main.sales.orders: its parts, unquoted.
type Name []string

// String joins the parts with dots and puts backticks around a part that needs
// them.
func (n Name) String() string {
	var b strings.Builder
	for i, part := range n {
		if i > 0 {
			b.WriteByte('.')
		}
		if plain(part) {
			b.WriteString(part)
			continue
		}
		b.WriteByte('`')
		b.WriteString(strings.ReplaceAll(part, "`", "``"))
		b.WriteByte('`')
	}
	return b.String()
}

// plain reports whether a part can stand without backticks.
func plain(part string) bool {
	if part == "" || part[0] >= '0' && part[0] <= '9' {
		return false
	}
	for i := range len(part) {
		if !isWord(part[i]) {
			return false
		}
	}
	return true
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}
