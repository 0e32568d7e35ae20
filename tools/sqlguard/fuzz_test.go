package sqlguard

import (
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// inQuotes is what a reader without any grammar takes out of a statement. It
// shares nothing with the tokenizer.
var inQuotes = regexp.MustCompile(`(?s)'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|` + "`(?:[^`]|``)*`" + `|--[^\n]*|/\*.*?\*/`)

// writes is a word that begins a write: at the start, or wherever it stands
// and is no field. Spark's grammar has no write in a query without one of the
// four.
var writes = regexp.MustCompile(`(?i)^\s*(truncate|create|drop|alter|grant|revoke|call|execute|optimize|vacuum|copy|use|set|refresh|cache|analyze|begin|declare)\b|(?:^|[^.:\w\s])\s*\b(insert|delete|update|merge)\b|\w\s+(insert|delete|update|merge)\b`)

// acts is a call that no query may make.
var acts = regexp.MustCompile(`(?i)\b(secret|try_secret|http_request|remote_query|ai_\w+|reflect|java_method|try_reflect)\s*\(`)

var runs = regexp.MustCompile(`(?i)\busing\s*[^\s(]`)

// tails are put behind whatever was accepted: none may be accepted with it.
var tails = []string{
	"\n; DROP TABLE t", "\n;\nDELETE FROM t", "\n;;", "\n; SELECT 1", "\nINSERT INTO t SELECT 1", "\nDELETE FROM t", "\nUPDATE t SET a = 1",
	"\nMERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", "\nINTO t", "\n; CALL p()", "\nUSING 'cat'", "\n'", "\n`", "\n/*", "\n)", "\n(", "\nsecret('a', 'b')",
	"\n|> INSERT INTO t", "\nUNION SELECT secret('a', 'b')", "\nINSERT OVERWRITE DIRECTORY '/x' SELECT 1",
}

// frames stand around whatever was accepted.
var frames = [][2]string{
	{"WITH zz AS (", "\n) DELETE FROM t"}, {"WITH zz AS (", "\n) INSERT INTO t SELECT * FROM zz"}, {"INSERT INTO t ", ""}, {"CREATE TABLE t AS ", ""},
	{"CACHE ", ""}, {"EXPLAIN ANALYZE DELETE FROM t; ", ""}, {"SELECT secret('a', 'b'), (", "\n)"}, {"FROM (", "\n) INSERT INTO t SELECT *"}, {"EXECUTE IMMEDIATE ", ""},
}

func FuzzRead(f *testing.F) {
	for _, c := range readCases(f, "*.txt") {
		f.Add(c.text)
	}
	for _, s := range []string{"SELECT " + strings.Repeat("(", 500), strings.Repeat("/*", 500), "SELECT " + strings.Repeat("-", 500), "SELECT '\\", "SELECT r'\\\\'", "SELECT 1e", "SELECT .1e+", "SELECT a@v1 FROM b@v1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		start := time.Now()
		q, err := Read(src, Options{})
		if took := time.Since(start); took > time.Second+time.Duration(len(src))*10*time.Microsecond {
			t.Fatalf("%d bytes took %v", len(src), took)
		}
		var refusal *Refusal
		if err != nil {
			if !errors.As(err, &refusal) || q != nil {
				t.Fatalf("%q: %v %T %v", src, q, err, err)
			}
			if refusal.Reason == "" || refusal.Instead == "" || refusal.Line < 1 || refusal.Column < 1 || len(refusal.Token) > 64 {
				t.Fatalf("%q: a poor refusal: %#v", src, refusal)
			}
			Names(src)
			return
		}
		accepted(t, src, q)
	})
}

// accepted holds an accepted text against what must be true of every one.
func accepted(t *testing.T, src string, q *Query) {
	bare := inQuotes.ReplaceAllStringFunc(src, func(s string) string {
		if strings.ContainsAny(s[:1], "'\"`") {
			return "'q'"
		}
		return " "
	})
	body := strings.TrimSuffix(strings.TrimSpace(bare), ";")
	if strings.Contains(body, ";") {
		t.Fatalf("%q holds two statements: %q", src, bare)
	}
	if m := writes.FindString(body); m != "" {
		t.Fatalf("%q writes: %q", src, m)
	}
	if m := acts.FindString(body); m != "" && !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(body)), "DESC") {
		t.Fatalf("%q acts: %q", src, m)
	}
	if m := runs.FindString(body); m != "" && strings.Contains(m, "'") {
		t.Fatalf("%q runs a program: %q", src, m)
	}

	base := src
	if i := strings.LastIndex(bare, ";"); i >= 0 { // without the last ;
		toks := tokenize(src)
		base = src[:toks[len(toks)-2].pos] + " " + src[toks[len(toks)-2].end:]
	}
	for _, tail := range tails {
		if _, err := Read(base+tail, Options{}); err == nil {
			t.Fatalf("accepted %q", base+tail)
		}
	}
	for _, frame := range frames {
		if _, err := Read(frame[0]+base+frame[1], Options{}); err == nil {
			t.Fatalf("accepted %q", frame[0]+base+frame[1])
		}
	}
	respelled(t, src, q)

	names, ok := Names(src)
	if !ok {
		t.Fatalf("%q: no names", src)
	}
	for _, table := range q.Tables {
		// SHOW COLUMNS IN t IN s puts a name together.
		if !slices.ContainsFunc(names, func(n Name) bool {
			return strings.HasSuffix(strings.ToLower(table.String()), strings.ToLower(n.String()))
		}) {
			t.Fatalf("%q: the table %s is not among the names %v", src, table, names)
		}
	}
}

// respelled spells the tokens of an accepted text with comments between them:
// it must read the same.
func respelled(t *testing.T, src string, q *Query) {
	toks := tokenize(src)
	var b strings.Builder
	for _, tok := range toks {
		if tok.word == "@" || strings.Contains(src, "@") {
			return // what follows @ must touch it
		}
		b.WriteString(src[tok.pos:tok.end] + " /* ; ' */ ")
	}
	again, err := Read(b.String(), Options{})
	if err != nil || !reflect.DeepEqual(q, again) {
		t.Fatalf("%q\nreads %+v, and respelled as %q\n%+v %v", src, q, b.String(), again, err)
	}
}
