package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// FuzzStatement feeds any text to the whole way: it must come back, with an
// *Error or a result, and never show SQLite.
func FuzzStatement(f *testing.F) {
	files, err := filepath.Glob("testdata/*.sql")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, block := range strings.Split(string(b), "\n\n") {
			text, _, _ := strings.Cut(block, "\n----")
			f.Add(text)
		}
	}
	for _, s := range []string{"SELECT " + strings.Repeat("(", 500), "SELECT " + strings.Repeat("-", 500) + "1", "SELECT " + strings.Repeat("NOT ", 500) + "1", strings.Repeat("/*", 500),
		"SELECT 1" + strings.Repeat("+1", 2000), "SELECT CAST(1 AS " + strings.Repeat("ARRAY<", 500), "\x00", "SELECT '\xff'", "SELECT `", "SELECT :", "SELECT a.b.c.d.e.f FROM t", "SELECT ? ? ?",
		"SELECT 0 FROM system.information_schema.columns a(a)"} {
		f.Add(s)
	}
	e, _ := open(f)
	f.Fuzz(func(t *testing.T, text string) {
		toks, err := tokenize(text)
		for i := 1; err == nil && i < len(toks); i++ {
			if toks[i].pos < toks[i-1].end {
				t.Fatalf("tokens overlap: %v %v", toks[i-1], toks[i])
			}
		}
		stmt, err := parse(text)
		if err == nil {
			if _, query := stmt.(*selectStmt); !query {
				return // the engine is shared: leave its tables alone
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			err = e.Run(ctx, session, text, &result{})
		}
		var known *Error
		if err != nil && !errors.As(err, &known) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%q: %T %v", text, err, err)
		}
		if known != nil && (strings.Contains(strings.ToLower(known.Message), "sqlite") || strings.Contains(known.Message, "SQL logic error")) {
			t.Fatalf("%q shows the storage: %s", text, known.Message)
		}
	})
}
