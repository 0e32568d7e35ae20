package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// makeLog writes ten lines, the first five of which are in a rotated file,
// and returns both files, oldest first.
func makeLog(t *testing.T) (old, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLog(t, path, nil)
	for i := range 10 {
		if i == 5 {
			l.rotateAt = 1
		}
		write(t, l, fmt.Sprint("line ", i))
	}
	must(t, l.Close())
	r := wantWhole(t, path, 10)
	if len(r.Files) != 2 || len(r.Notes) > 0 {
		t.Fatalf("files %v, notes %v", r.Files, r.Notes)
	}
	return r.Files[0], path
}

func edit(t *testing.T, path string, change func(lines [][]byte) [][]byte) {
	t.Helper()
	content, err := os.ReadFile(path)
	must(t, err)
	lines := bytes.SplitAfter(content, []byte("\n"))
	must(t, os.WriteFile(path, bytes.Join(change(lines[:len(lines)-1]), nil), 0o600))
}

// forge is a line with another sentence and a hash that goes with it.
func forge(line []byte, say string) []byte {
	s, _ := unseal(bytes.TrimSuffix(line, []byte("\n")), sha256.New())
	b, _ := seal(appendLine(nil, &Line{Time: morning, Event: "call", Say: say}), &s.prev, sha256.New())
	return append(b, '\n')
}

func TestVerifyFinds(t *testing.T) {
	both := func(which int, change func([][]byte) [][]byte) func(t *testing.T, old, path string) {
		return func(t *testing.T, old, path string) { edit(t, []string{old, path}[which], change) }
	}
	tests := []struct {
		name   string
		tamper func(t *testing.T, old, path string)
		want   string // with OLD and LOG for the names of the files
	}{
		{"a letter changed", both(0, func(l [][]byte) [][]byte { l[2] = bytes.Replace(l[2], []byte("line 2"), []byte("line X"), 1); return l }),
			"OLD, line 3: it was changed"},
		{"a hash changed", both(1, func(l [][]byte) [][]byte { i := bytes.Index(l[2], []byte(`"hash":"`)) + 8; l[2][i] ^= 1; return l }),
			"LOG, line 3: it was changed"},
		{"replaced with its hash", both(1, func(l [][]byte) [][]byte { l[2] = forge(l[2], "nothing"); return l }),
			"LOG, line 4: it does not follow LOG, line 3: lines between them were cut, or that line was replaced"},
		{"one cut", both(0, func(l [][]byte) [][]byte { return slices.Delete(l, 2, 3) }),
			"OLD, line 3: it does not follow OLD, line 2: lines between them were cut"},
		{"cut where the files meet", both(1, func(l [][]byte) [][]byte { return l[2:] }),
			"LOG, line 1: it does not follow OLD, line 5: lines between them were cut"},
		{"a copy inserted", both(0, func(l [][]byte) [][]byte { return slices.Insert(l, 3, l[1]) }),
			"OLD, line 4: it follows OLD, line 1"},
		{"a forged one inserted", both(0, func(l [][]byte) [][]byte { return slices.Insert(l, 3, forge(l[3], "more")) }),
			"OLD, line 5: it follows OLD, line 3: the lines between them were inserted or moved here"},
		{"another's line inserted", both(0, func(l [][]byte) [][]byte { return slices.Insert(l, 3, []byte("{\"time\":\"x\"}\n")) }),
			"OLD, line 4: it is not of this log: it was inserted"},
		{"two swapped", both(1, func(l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l }),
			"LOG, line 2: it follows LOG, line 3, which stands behind it: the lines were put in another order"},
		{"half a line", both(1, func(l [][]byte) [][]byte { l[1] = append(l[1][:20:20], '\n'); return l }),
			"LOG, line 2: it is not a whole line: it was inserted, cut or changed"},
		{"the end cut", both(1, func(l [][]byte) [][]byte { return l[:3] }),
			"LOG, line 3: the end was cut: 2 lines are missing after it"},
		{"the end cut in a line", both(1, func(l [][]byte) [][]byte { l[4] = l[4][:9]; return l }),
			"LOG, line 4: the end was cut: 1 line is missing after it"},
		{"the last line replaced", both(1, func(l [][]byte) [][]byte { l[4] = forge(l[4], "nothing"); return l }),
			"LOG, line 5: the end was cut or changed: the last line that was written, with the hash"},
		{"all of it cut", both(1, func([][]byte) [][]byte { return nil }), "OLD, line 5: the end was cut: 5 lines are missing"},
		{"the log removed", func(t *testing.T, _, path string) { must(t, os.Remove(path)) }, "OLD, line 5: the end was cut: 5 lines are missing"},
		{"the rotated file removed", func(t *testing.T, old, _ string) { must(t, os.Remove(old)) }, "LOG, line 1: the beginning of the log is missing"},
		{"the files exchanged", func(t *testing.T, old, path string) {
			must(t, os.Rename(old, old+".x"))
			must(t, os.Rename(path, old))
			must(t, os.Rename(old+".x", path))
		}, "OLD, line 1: the first line follows LOG, line 5: the lines were put in another order"},
		{"the head removed", func(t *testing.T, _, path string) { must(t, os.Remove(headPath(path))) }, "LOG.head: it is missing or was changed"},
		{"the head damaged", func(t *testing.T, _, path string) { must(t, os.WriteFile(headPath(path), []byte("x"), 0o600)) }, "LOG.head: it is missing or was changed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			old, path := makeLog(t)
			test.tamper(t, old, path)
			found := func() string {
				var all []string
				for _, p := range verify(t, path).Problems {
					all = append(all, p.String())
				}
				short := strings.ReplaceAll(strings.Join(all, "\n"), filepath.Dir(path)+string(filepath.Separator), "")
				return strings.NewReplacer(filepath.Base(old), "OLD", filepath.Base(path), "LOG").Replace(short)
			}
			if got := found(); !strings.Contains(got, test.want) {
				t.Fatalf("got\n%s\nwant %q", got, test.want)
			}
			// A server that goes on writing must not heal it; of a head that was
			// lost it tells itself.
			write(t, newLog(t, path, nil), "more", "and more")
			if r := verify(t, path); r.OK() && !(strings.HasPrefix(test.name, "the head") && len(r.Notes) == 1) {
				t.Errorf("healed: %+v", r)
			}
		})
	}
}

// TestVerifyEveryByte: no byte of a log can be changed.
func TestVerifyEveryByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, newLog(t, path, nil), "one", "two", "three")
	content, err := os.ReadFile(path)
	must(t, err)
	for i := range content {
		content[i] ^= 1
		must(t, os.WriteFile(path, content, 0o600))
		if r := verify(t, path); r.OK() {
			t.Errorf("byte %d: %q was not noticed", i, content[max(0, i-10):min(len(content), i+10)])
		}
		content[i] ^= 1
	}
	must(t, os.WriteFile(path, content, 0o600))
	wantWhole(t, path, 3)
	for size := range content {
		must(t, os.WriteFile(path, content[:size], 0o600))
		if r := verify(t, path); r.OK() && size != len(content)-1 { // without the last newline nothing is missing
			t.Errorf("cut to %d bytes: not noticed", size)
		}
	}
}

func TestVerifyNothing(t *testing.T) {
	if _, err := Verify(filepath.Join(t.TempDir(), "audit.jsonl")); !os.IsNotExist(err) && !strings.Contains(fmt.Sprint(err), "cannot be read") {
		t.Errorf("got %v", err)
	}
}
