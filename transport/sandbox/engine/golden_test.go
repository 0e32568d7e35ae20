package engine

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden results")

// TestGolden runs the statements of testdata/*.sql. A file is a series of
// blocks separated by blank lines: a statement, "----", then the columns with
// their types and the rows, or the error. The statements of one file share one
// engine, in order. A first line "as ben" runs the block as a user without
// privileges of his own.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	total := 0
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			e, m := open(t)
			var out strings.Builder
			for _, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
				text, want, _ := strings.Cut(block, "\n----\n")
				text = strings.TrimSuffix(text, "\n----")
				session := Session{User: ana, Catalog: "main", Schema: "sales"}
				statement := text
				if s, ok := strings.CutPrefix(text, "as ben\n"); ok {
					session.User, session.Allowed, statement = ben, m.allowed, s
				}
				total++
				r, err := run(t, e, session, statement)
				got := r.String()
				if err != nil {
					got = "error " + strings.ReplaceAll(err.Error(), "\n", "\\n") + "\n"
				}
				out.WriteString(text + "\n----\n" + got + "\n")
				if !*update && strings.TrimSpace(got) != strings.TrimSpace(want) {
					t.Errorf("%s\ngot:\n%s\nwant:\n%s", text, got, want)
				}
			}
			if *update {
				if err := os.WriteFile(file, []byte(strings.TrimSpace(out.String())+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	if total < 150 {
		t.Errorf("only %d golden cases", total)
	}
}
