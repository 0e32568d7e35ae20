package serve

import "bytes"

// maxValues bounds the values of a message over HTTP. Decoded, each takes a hundred
// bytes, however short it is written, so that 4 MiB of brackets would be 180 MiB. The
// largest message with a meaning is a job: 1,000 tasks of some fifty values.
const maxValues = 100_000

// manyValues reports whether JSON has more values than that. It decodes nothing, and
// counts about one for each value and each key.
func manyValues(text []byte) bool {
	if len(text) <= maxValues { // each takes a byte
		return false
	}
	n := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '[', '{', ',', ':':
			if n++; n > maxValues {
				return true
			}
		case '"':
			end := quoteEnd(text[i+1:])
			if end < 0 {
				return false // no JSON: whoever parses it says so
			}
			i += 1 + end
		}
	}
	return false
}

// quoteEnd is where a string ends whose inside text begins with; -1: nowhere.
func quoteEnd(text []byte) int {
	for from := 0; ; {
		quote := bytes.IndexByte(text[from:], '"')
		if quote < 0 {
			return -1
		}
		quote += from
		escapes := 0
		for quote-escapes > from && text[quote-escapes-1] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return quote
		}
		from = quote + 1
	}
}
