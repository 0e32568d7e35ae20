package audit

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func appendTo(t *testing.T, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.Write(b)
	must(t, err)
	must(t, f.Close())
}

// next is the line that a process would write now.
func next(t *testing.T, path, say string) []byte {
	t.Helper()
	text, err := os.ReadFile(headPath(path))
	must(t, err)
	h, ok := decodeHead(text)
	if !ok {
		t.Fatalf("head is %q", text)
	}
	l := New(Config{})
	b, _ := seal(appendLine(nil, &Line{Time: morning, Event: "call", Say: say}), &h.hash, l.hash)
	return append(b, '\n')
}

// TestKilledAnywhere: a process that is killed after any byte of its line, or
// before it could tell the head, leaves a log that goes on and is whole.
func TestKilledAnywhere(t *testing.T) {
	whole := 0
	for size := 1; ; size++ {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l := newLog(t, path, nil)
		write(t, l, "one", "two")
		line := next(t, path, "killed")
		if size > len(line) {
			break
		}
		appendTo(t, path, line[:size])
		if r := verify(t, path); !r.OK() || len(r.Notes) != 1 {
			t.Fatalf("%d bytes, before anything is written: problems %v, notes %v", size, r.Problems, r.Notes)
		}
		write(t, l, "three") // by one that was there
		write(t, newLog(t, path, nil), "four")
		r := verify(t, path)
		if !r.OK() {
			t.Fatalf("%d bytes: problems %v", size, r.Problems)
		}
		if size >= len(line)-1 { // nothing but its newline is missing
			whole++
			if r.Lines != 5 || len(r.Notes) != 0 {
				t.Errorf("%d bytes: %d lines, notes %v", size, r.Lines, r.Notes)
			}
			continue
		}
		if r.Lines != 5 || len(r.Notes) != 2 || r.Notes[0].Line != 3 || !strings.Contains(r.Notes[0].What, "left unfinished") {
			t.Errorf("%d bytes: %d lines, notes %v", size, r.Lines, r.Notes)
		}
		// What tells of it cannot be taken back, nor what it tells of.
		content, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, bytes.Replace(content, append([]byte("\n"), line[:size]...), []byte("\n"), 1), 0o600))
		if r := verify(t, path); r.OK() {
			t.Errorf("%d bytes: that the torn line was taken out went unnoticed", size)
		}
	}
	if whole != 2 {
		t.Errorf("%d cases were whole", whole)
	}
}

// TestKilledInRepair: the line about a torn line may be torn itself.
func TestKilledInRepair(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, newLog(t, path, nil), "one")
	appendTo(t, path, []byte("{\"time\":\"2026\n{\"time\":\"2026-03-01T08:00:00.000000Z\",\"event\":\"repair\",\"say\":\"A"))
	write(t, newLog(t, path, nil), "two")
	r := wantWhole(t, path, 3)
	if len(r.Notes) != 2 {
		t.Errorf("notes %v", r.Notes)
	}
	if got := readable(t, path); got != 3 {
		t.Errorf("%d lines can be read", got)
	}
}

func readable(t *testing.T, path string) (n int) {
	t.Helper()
	for _, err := range Read(path, Filter{}) {
		if err == nil {
			n++
		} else if _, ok := err.(*Unreadable); !ok {
			t.Fatal(err)
		}
	}
	return n
}

// TestForeignLines: what somebody puts at the end while no server runs does
// not become part of the log.
func TestForeignLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, newLog(t, path, nil), "one")
	appendTo(t, path, []byte("{\"time\":\"2026-03-01T08:00:00.000000Z\",\"event\":\"call\",\"say\":\"Nothing happened.\"}\n"))
	write(t, newLog(t, path, nil), "two")
	r := verify(t, path)
	if len(r.Problems) != 1 || r.Problems[0].Line != 2 || !strings.Contains(r.Problems[0].What, "inserted") {
		t.Errorf("problems %v", r.Problems)
	}
}

func TestKilledInRotation(t *testing.T) {
	steps := map[string]func(t *testing.T, l *Log, path string){
		"before the new file": func(t *testing.T, _ *Log, path string) {},
		"before the head is told": func(t *testing.T, _ *Log, path string) {
			must(t, os.WriteFile(path, nil, 0o600))
		},
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.jsonl")
			l := newLog(t, path, nil)
			write(t, l, "one", "two")
			must(t, os.Rename(path, rotatedName(path, morning)))
			step(t, l, path)
			if r := wantWhole(t, path, 2); len(r.Notes) > 0 {
				t.Errorf("notes %v", r.Notes)
			}
			write(t, l, "three")
			write(t, newLog(t, path, nil), "four")
			if r := wantWhole(t, path, 4); len(r.Notes) > 0 {
				t.Errorf("notes %v", r.Notes)
			}
			if got := strings.Join(says(t, path, Filter{}), " "); got != "one two three four" {
				t.Errorf("read %q", got)
			}
		})
	}
}

// TestRemovedWhileOpen: lines must not go into a file that has no name.
func TestRemovedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l, beside := newLog(t, path, nil), newLog(t, path, nil)
	write(t, l, "one")
	write(t, beside, "two")
	must(t, os.Remove(path))
	write(t, l, "three")
	r := verify(t, path)
	if r.OK() || r.Lines != 2 || len(r.Notes) != 1 {
		t.Errorf("%+v", r)
	}
	// All of it removed: a new log begins, and both find the same one.
	must(t, os.Remove(path))
	must(t, os.Remove(headPath(path)))
	write(t, beside, "four")
	write(t, l, "five")
	write(t, beside, "six")
	wantWhole(t, path, 3)
}

func TestHeadLost(t *testing.T) {
	old, path := makeLog(t)
	must(t, os.Remove(headPath(path)))
	write(t, newLog(t, path, nil), "more")
	r := wantWhole(t, path, 12)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0].What, "head file of the audit log was missing") {
		t.Errorf("notes %v", r.Notes)
	}
	// The log itself is gone too, and the rotated file is not.
	must(t, os.Remove(headPath(path)))
	must(t, os.Remove(path))
	write(t, newLog(t, path, nil), "again")
	if r := wantWhole(t, path, 7); len(r.Notes) != 1 || r.Files[0] != old {
		t.Errorf("%+v", r)
	}
}

func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLog(t, path, func(c *Config) { c.MaxBytes, c.Keep = 1, 2 })
	write(t, l, "1", "2", "3", "4", "5", "6")
	r := verify(t, path)
	if !r.OK() || len(r.Files) != 3 {
		t.Fatalf("%+v", r)
	}
	must(t, os.Remove(r.Files[0])) // by hand
	if r := verify(t, path); r.OK() {
		t.Error("that a file was removed by hand went unnoticed")
	}
}

func TestRotatedNames(t *testing.T) {
	tests := map[string]bool{
		"audit-2026-03-01T08-00-00.000000Z.jsonl": true,
		"audit-2026-03-01T08-00-00Z.jsonl":        false,
		"audit-old.jsonl":                         false,
		"audit.jsonl":                             false,
		"audit.jsonl.head":                        false,
		"audit-2026-03-01T08-00-00.000000Z.json":  false,
	}
	for name, want := range tests {
		if _, got := rotatedAt("/state/audit.jsonl", name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	// A clock that stands still or goes back.
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLog(t, path, func(c *Config) { c.MaxBytes = 1 })
	now := morning
	l.cfg.Now = func() (at time.Time) { at, now = now, now.Add(-time.Hour); return at }
	write(t, l, "1", "2", "3", "4")
	if got := strings.Join(says(t, path, Filter{}), ""); got != "1234" {
		t.Errorf("read %s", got)
	}
	wantWhole(t, path, 4)
}

func TestHeadForm(t *testing.T) {
	h := head{bytes: 33554431, lines: 9007199254740993, hash: genesis}
	b := h.encode(nil)
	got, ok := decodeHead(b)
	if !ok || got != h || len(b) != headLength || !json.Valid(b) {
		t.Errorf("%q: %v %v", b, got, ok)
	}
	for i := range b {
		short := b[:i]
		if _, ok := decodeHead(short); ok {
			t.Errorf("%q is taken for a head", short)
		}
	}
}
