package sqlguard

import "slices"

// Names lists every identifier chain and every string literal of any
// statement, also of one that is no read: what it may touch. It never fails;
// what cannot be tokenized gives nil, false.
//
// A string is one part as it is, and is listed again as a chain if it holds
// one. Keywords that cannot be names stay out; other keywords do not, because
// SQL lets nearly every one be a name.
func Names(src string) (names []Name, ok bool) {
	var err error
	func() {
		defer caught(&err)
		names = namesOf(src)
	}()
	if err != nil {
		return nil, false
	}
	return distinct(names), true
}

func namesOf(src string) (names []Name) {
	toks := tokenize(src)
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		switch {
		case t.kind == text || t.kind == doubleQuoted:
			value := unescape(src, t)
			names = append(names, Name{value})
			if n := parseName(value); len(n) > 1 || len(n) == 1 && n[0] != value {
				names = append(names, n)
			}
			if t.kind == text {
				continue
			}
			fallthrough // "a"."b" is a chain in ANSI mode
		case t.kind == quoted || t.kind == word && !reserved(t.word):
			n := Name{namePart(src, t)}
			for i+2 < len(toks) && toks[i+1].word == "." && isPart(toks[i+2].kind) {
				n = append(n, namePart(src, toks[i+2]))
				i += 2
			}
			names = append(names, n)
			if plain, found := withoutVersion(n[len(n)-1]); found {
				names = append(names, append(slices.Clone(n[:len(n)-1]), plain))
			}
		}
	}
	return names
}

func isPart(k kind) bool { return k == word || k == quoted || k == doubleQuoted }
