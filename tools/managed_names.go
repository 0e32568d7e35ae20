package tools

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// maxName is what many clients allow for the name of a tool.
	maxName = 64
	// hashDigits of the full name stand at the end of one that was cut.
	hashDigits = 8
)

// managedName is the name under which a tool of the server is shown: its own behind
// the prefix, in the characters and within the length that clients allow. Whatever
// is lost on the way is made up for by a hash, so that two tools stay two.
func (m ManagedServer) managedName(tool string) string {
	short := tool
	if m.Kind == "genie" && m.Name != "" {
		short = strings.TrimSuffix(strings.TrimSuffix(tool, "_"+m.Name), "_space")
		if short == "" {
			short = tool
		}
	}
	name := m.Prefix + "_" + short
	if allowedName(name) {
		return name
	}
	// catalog__schema__function: the last part says most.
	if i := strings.LastIndex(short, "__"); i > 0 && strings.Count(short, "__") == 2 {
		if name := m.Prefix + "_" + short[i+2:]; short[i+2:] != "" && allowedName(name) {
			return name
		}
	}
	return m.hashedName(tool)
}

// hashedName is a name that no other tool of the server has.
func (m ManagedServer) hashedName(tool string) string {
	sum := sha256.Sum256([]byte(tool))
	hash := "_" + hex.EncodeToString(sum[:hashDigits/2])
	plain := strings.Map(func(r rune) rune {
		if allowedRune(r) {
			return r
		}
		return '_'
	}, tool)
	room := maxName - len(m.Prefix) - 1 - len(hash)
	return m.Prefix + "_" + plain[:min(len(plain), room)] + hash
}

func allowedName(name string) bool {
	return len(name) <= maxName && strings.IndexFunc(name, func(r rune) bool { return !allowedRune(r) }) < 0
}

func allowedRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}
