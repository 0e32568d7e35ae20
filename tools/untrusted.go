package tools

import "brickmcp/catalog"

// untrusted names members of the object whose texts people outside of this
// conversation wrote. It stands before them: who reads on knows.
func (o *object) untrusted(members ...string) { o.texts("untrusted", members) }

// removedCharacters tells how many were: such a text is not exact.
const removedCharacters = "removed_characters"

// cleaned is the answer without what nobody sees in its texts. Every result passes
// here, so that no tool has to think of it.
func cleaned(answer []byte) []byte {
	clean, removed := catalog.CleanJSON(answer)
	if removed == 0 || clean[len(clean)-1] != '}' {
		return clean
	}
	o := object{buf: clean[:len(clean)-1]}
	o.integer(removedCharacters, int64(removed))
	return o.bytes()
}
