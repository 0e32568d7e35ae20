package auth

import (
	"sort"
	"strings"
)

// nearest returns up to three of names that a person may have meant, best
// first: those that differ in case only, then by edit distance up to a third
// of the length.
func nearest(want string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	w := strings.ToLower(want)
	for _, n := range names {
		l := strings.ToLower(n)
		d := editDistance(w, l)
		if d <= max(1, max(len(w), len(l))/3) {
			found = append(found, candidate{n, d})
		} else if len(w) >= 3 && (strings.Contains(l, w) || strings.Contains(w, l) && len(l) >= 3) {
			found = append(found, candidate{n, d})
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].distance < found[j].distance })
	out := make([]string, 0, 3)
	for _, c := range found[:min(3, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// editDistance counts the bytes to insert, delete, change or swap with their
// neighbour (optimal string alignment).
func editDistance(a, b string) int {
	const limit = 128 // longer names than any profile or domain: no need to be exact
	a, b = a[:min(len(a), limit)], b[:min(len(b), limit)]
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
