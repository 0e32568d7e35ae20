package sqlguard

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite what the cases of testdata expect")

// A caseFile is a series of blocks between blank lines:
//
//	# where the case is from
//	the statement (or = and a Go string, for characters that show badly)
//	---
//	what is expected
//
// The name of the file says whether its statements are accepted or refused,
// which -update does not change.
type testCase struct{ comment, source, text, want string }

func readCases(t testing.TB, pattern string) []testCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	var all []testCase
	for _, f := range files {
		all = append(all, parseCases(t, f)...)
	}
	return all
}

func parseCases(t testing.TB, file string) []testCase {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	for _, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
		var c testCase
		for strings.HasPrefix(block, "# ") {
			line, rest, _ := strings.Cut(block, "\n")
			c.comment += line + "\n"
			block = rest
		}
		c.source, c.want, _ = strings.Cut(block, "\n---")
		c.want = strings.TrimSpace(c.want)
		c.text = c.source
		if quoted, ok := strings.CutPrefix(c.source, "= "); ok {
			if c.text, err = strconv.Unquote(quoted); err != nil {
				t.Fatalf("%s: %s: %v", file, quoted, err)
			}
		}
		if c.source != "" {
			cases = append(cases, c)
		}
	}
	return cases
}

// describe is the outcome of a read in one line.
func describe(q *Query, err error) string {
	var refusal *Refusal
	if errors.As(err, &refusal) {
		return fmt.Sprintf("%d:%d %q %s. %s", refusal.Line, refusal.Column, refusal.Token, refusal.Reason, refusal.Instead)
	}
	if err != nil {
		return "error " + err.Error()
	}
	var b strings.Builder
	b.WriteString(q.Kind)
	names := func(label string, list []Name) {
		for i, n := range list {
			if i == 0 {
				b.WriteString(" " + label + ":")
			}
			b.WriteString(" " + n.String())
		}
	}
	names("tables", q.Tables)
	names("containers", q.Containers)
	names("functions", q.Functions)
	if len(q.Paths) > 0 {
		b.WriteString(" paths: " + strings.Join(q.Paths, " "))
	}
	if len(q.Parameters) > 0 {
		b.WriteString(" parameters: " + strings.Join(q.Parameters, " "))
	}
	if q.Opaque {
		b.WriteString(" opaque")
	}
	return b.String()
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	accepted, refused := 0, 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			accepts := strings.HasPrefix(filepath.Base(file), "accept")
			var out strings.Builder
			for _, c := range parseCases(t, file) {
				q, err := Read(c.text, Options{})
				got := describe(q, err)
				switch {
				case accepts && err != nil:
					t.Errorf("refused: %s\n%s", c.source, got)
				case !accepts && err == nil:
					t.Errorf("accepted: %s\n%s", c.source, got)
				case got != c.want && !*update:
					t.Errorf("%s\n got %s\nwant %s", c.source, got, c.want)
				}
				if accepts {
					accepted++
				} else {
					refused++
				}
				fmt.Fprintf(&out, "%s%s\n---\n%s\n\n", c.comment, c.source, got)
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimSpace(out.String())+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if accepted < 150 || refused < 200 {
		t.Errorf("only %d cases are accepted and %d refused", accepted, refused)
	}
	t.Logf("%d accepted, %d refused", accepted, refused)
}
