package catalog

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest is the one of names that a misspelt one probably means; empty when none
// is near.
func Nearest(misspelt string, names []string) string {
	if len(misspelt) > 64 {
		return ""
	}
	best, distance := "", max(2, len(misspelt)/3)+1
	for _, name := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(misspelt), strings.ToLower(name)); d < distance {
			best, distance = name, d
		}
	}
	return best
}
