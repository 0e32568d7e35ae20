package audit

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestVerifyEnd(t *testing.T) {
	if f, err := VerifyEnd(filepath.Join(t.TempDir(), "none", "audit.jsonl")); f != nil || err != nil {
		t.Errorf("no log yet: %v, %v", f, err)
	}
	change := func(do func([][]byte) [][]byte) func(*testing.T, string) {
		return func(t *testing.T, path string) { edit(t, path, do) }
	}
	for name, c := range map[string]struct {
		tamper func(*testing.T, string)
		want   string // "": nothing is found
	}{
		"whole":        {func(*testing.T, string) {}, ""},
		"last cut":     {change(func(l [][]byte) [][]byte { return l[:len(l)-1] }), "the last line that was written is not there"},
		"one cut":      {change(func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) }), "does not follow the one before"},
		"changed":      {change(func(l [][]byte) [][]byte { l[3] = bytes.Replace(l[3], []byte("line"), []byte("LINE"), 1); return l }), "was changed"},
		"emptied":      {change(func([][]byte) [][]byte { return nil }), "emptied or removed"},
		"removed":      {func(t *testing.T, path string) { must(t, os.Remove(path)) }, "emptied or removed"},
		"head removed": {func(t *testing.T, path string) { must(t, os.Remove(headPath(path))) }, "head file is missing"},
		"torn by a kill": {func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteString(`{"time":"2026`)
			must(t, err)
			must(t, f.Close())
		}, ""},
		"a head from before the last line": {func(t *testing.T, path string) {
			before, err := os.ReadFile(headPath(path))
			must(t, err)
			l := New(Config{Path: path})
			write(t, l, "more")
			must(t, l.Close())
			must(t, os.WriteFile(headPath(path), before, 0o600))
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, path := makeLog(t)
			c.tamper(t, path)
			f, err := VerifyEnd(path)
			if err != nil || c.want == "" && f != nil || c.want != "" && (f == nil || !strings.Contains(f.What, c.want)) {
				t.Errorf("got %v, %v; want %q", f, err, c.want)
			}
		})
	}
}

// The size of a log does not matter, nor where the part that is read begins.
func TestVerifyEndOfALongLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := New(Config{Path: path})
	for range 300 {
		write(t, l, strings.Repeat("long ", 300))
	}
	if f, err := VerifyEnd(path); f != nil || err != nil {
		t.Errorf("many lines: %v, %v", f, err)
	}
	write(t, l, strings.Repeat("x", 2*tail))
	if f, err := VerifyEnd(path); f != nil || err != nil {
		t.Errorf("a line longer than what is read: %v, %v", f, err)
	}
	must(t, l.Close())
}
