package sqlguard

// harmlessHint reports whether the inside of /*+ … */ is a list of known hints
// with names and numbers as arguments. Spark reads a hint as tokens: a quote or
// a -- within could move its end.
func harmlessHint(hint string) bool {
	name, depth, hints := 0, 0, 0
	for i := 0; i <= len(hint); i++ {
		var c byte = ' '
		if i < len(hint) {
			c = hint[i]
		}
		if isWord(c) {
			continue
		}
		if depth == 0 && i > name {
			if !isHint(upperASCII(hint[name:i])) {
				return false
			}
			hints++
		}
		switch c {
		case ' ', '\t', '\n', '\r', ',', '.':
		case '(':
			depth++
		case ')':
			depth--
		default:
			return false
		}
		if depth < 0 || depth > 1 {
			return false
		}
		name = i + 1
	}
	return depth == 0 && hints > 0
}

func isHint(w string) bool {
	switch w {
	case "BROADCAST", "BROADCASTJOIN", "MAPJOIN",
		"MERGE", "SHUFFLEMERGE", "MERGEJOIN",
		"SHUFFLE_HASH", "SHUFFLE_REPLICATE_NL",
		"COALESCE", "REPARTITION", "REPARTITION_BY_RANGE", "REBALANCE",
		"SKEW", "RANGE_JOIN":
		return true
	}
	return false
}
