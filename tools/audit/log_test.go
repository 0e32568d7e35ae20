package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

var morning = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)

// newLog is a Log with a clock that goes on by a second with every look.
func newLog(t testing.TB, path string, change func(*Config)) *Log {
	t.Helper()
	var mu sync.Mutex
	now := morning
	cfg := Config{Path: path, Now: func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}}
	if change != nil {
		change(&cfg)
	}
	l := New(cfg)
	t.Cleanup(func() { l.Close() })
	return l
}

func write(t testing.TB, l *Log, says ...string) {
	t.Helper()
	for _, say := range says {
		if err := l.Write(&Line{Event: "call", Say: say}); err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t testing.TB, path string) Report {
	t.Helper()
	r, err := Verify(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantWhole fails unless the log holds so many lines and no problem.
func wantWhole(t testing.TB, path string, lines int64) Report {
	t.Helper()
	r := verify(t, path)
	if !r.OK() || r.Lines != lines {
		t.Fatalf("want %d lines and no problem, got %d lines, problems %v, notes %v", lines, r.Lines, r.Problems, r.Notes)
	}
	return r
}

func says(t testing.TB, path string, f Filter) []string {
	t.Helper()
	var out []string
	for e, err := range Read(path, f) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Say)
	}
	return out
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "brickmcp", "audit.jsonl")
	var exported []string
	l := newLog(t, path, func(c *Config) { c.Export = func(line []byte) { exported = append(exported, string(line)) } })
	if _, err := os.Stat(filepath.Dir(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("New touched the disk")
	}
	line := exampleLine()
	line.Before = json.RawMessage("{\n  \"name\": \"nightly\"\n}")
	if err := l.Write(line); err != nil {
		t.Fatal(err)
	}
	write(t, l, "two")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(exported, "\n") + "\n"; got != string(content) {
		t.Errorf("exported\n%s\nwritten\n%s", got, content)
	}
	want := `{"time":"2026-03-01T08:00:01.000000Z","event":"call","say":"Claude Desktop, for ana@example.com, started job 42 'nightly' in dbc-1; allowed by jobs=full; run 1001 began.",` +
		`"call":"c-8f2e","user":"ana@example.com","auth_type":"databricks-cli","client":"claude-desktop 1.2.3","tool":"jobs_run_now","group":"jobs","effect":"run",` +
		`"endpoint":"POST /api/2.2/jobs/run-now","workspace":"https://dbc-1.cloud.databricks.com","object":"job 42","decision":"allow","rule":"jobs=full","outcome":"ok",` +
		`"request_ids":["0f2c9a9e-6d0b-4b38-8d3f-1f0a35cbe3a1"],"duration_ms":123.456,"rows":1,"bytes":512,"arguments":{"job_id":"42","job_parameters":{"day":"2026-01-01"}},` +
		`"before":{  "name": "nightly"},"hash":"`
	if !strings.HasPrefix(string(content), want) {
		t.Errorf("got\n%s\nwant\n%s", content, want)
	}
	for e, err := range Read(path, Filter{Tool: "jobs_run_now"}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.RequestIDs[0] != line.RequestIDs[0] || e.DurationMS != 123.456 || !e.Time.Equal(morning.Add(time.Second)) || e.Number != 1 {
			t.Errorf("read back %+v", e)
		}
	}
	if runtime.GOOS != "windows" {
		for name, want := range map[string]fs.FileMode{path: 0o600, headPath(path): 0o600, filepath.Dir(path): 0o700 | fs.ModeDir} {
			if info, err := os.Stat(name); err != nil || info.Mode() != want {
				t.Errorf("%s: %v %v, want %v", name, info.Mode(), err, want)
			}
		}
	}
	wantWhole(t, path, 2)
}

// TestRule checks the chain by the rule in the package comment, without the
// code of the package.
func TestRule(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLog(t, path, nil)
	for i := range 5 {
		write(t, l, fmt.Sprintf("line \x1b[31m %d \"quoted\" é 😀", i))
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	prev := strings.Repeat("0", 64)
	for line := range strings.Lines(string(content)) {
		line = strings.TrimSuffix(line, "\n")
		if got := line[len(line)-66 : len(line)-2]; got != prev {
			t.Fatalf("prev is %s, want %s", got, prev)
		}
		prev = line[len(line)-140 : len(line)-76]
		sum := sha256.Sum256([]byte(line[:len(line)-148] + line[len(line)-74:]))
		if hex.EncodeToString(sum[:]) != prev {
			t.Fatalf("the hash of %s is wrong", line)
		}
		var fields struct{ Say, Hash string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields.Hash != prev || !strings.HasSuffix(fields.Say, `"quoted" é 😀`) {
			t.Fatalf("%s: %v", line, err)
		}
	}
}

// TestConcurrent: a thousand writers in two Logs, as two processes have them,
// over several rotations lose nothing.
func TestConcurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	small := func(c *Config) { c.MaxBytes = 64 << 10 }
	logs := []*Log{newLog(t, path, small), newLog(t, path, small)}
	const writers, each = 1000, 3
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				line := exampleLine()
				line.Call = fmt.Sprintf("%d-%d", w, i)
				if err := logs[w%2].Write(line); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	r := wantWhole(t, path, writers*each)
	if len(r.Files) < 10 || len(r.Notes) > 0 {
		t.Errorf("%d files, notes %v", len(r.Files), r.Notes)
	}
	for _, name := range r.Files {
		if info, err := os.Stat(name); err != nil || info.Size() > 64<<10 || info.Size() < 60<<10 && name != path {
			t.Errorf("%s has %d bytes: rotated more than once at a time?", name, info.Size())
		}
	}
	found := map[string]bool{}
	for e, err := range Read(path, Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		found[e.Call] = true
	}
	if len(found) != writers*each {
		t.Errorf("found %d of %d lines", len(found), writers*each)
	}
}

func TestFailures(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other permissions and links")
	}
	tests := []struct {
		name        string
		break_, fix func(t *testing.T, path string)
		root        bool // root may do it all the same
		want        string
	}{
		{"a directory in its place", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) },
			func(t *testing.T, path string) { must(t, os.Remove(path)) }, true, "is a directory or a device"},
		{"a symbolic link", func(t *testing.T, path string) {
			must(t, os.WriteFile(path+".other", nil, 0o600))
			must(t, os.Symlink(path+".other", path))
		}, func(t *testing.T, path string) { must(t, os.Remove(path)) }, true, "is a symbolic link. Links are not followed"},
		{"a symbolic link for the head", func(t *testing.T, path string) { must(t, os.Symlink(path+".other", headPath(path))) },
			func(t *testing.T, path string) { must(t, os.Remove(headPath(path))) }, true, "audit.jsonl.head cannot be opened: it is a symbolic link"},
		{"a file in place of the directory", func(t *testing.T, path string) {
			must(t, os.Remove(filepath.Dir(path)))
			must(t, os.WriteFile(filepath.Dir(path), nil, 0o600))
		}, func(t *testing.T, path string) { must(t, os.Remove(filepath.Dir(path))) }, true, "not a directory"},
		{"a directory that cannot be written", func(t *testing.T, path string) { must(t, os.Chmod(filepath.Dir(path), 0o500)) },
			func(t *testing.T, path string) { must(t, os.Chmod(filepath.Dir(path), 0o700)) }, false, "permission denied. Let this user write"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if !test.root && os.Geteuid() == 0 {
				t.Skip("root may write everywhere")
			}
			dir := filepath.Join(t.TempDir(), "state")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, "audit.jsonl")
			l := newLog(t, path, nil)
			test.break_(t, path)
			for range 2 { // each time
				err := l.Write(&Line{Event: "call"})
				var f *Failure
				if !errors.As(err, &f) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) || l.Err() != err {
					t.Fatalf("got %v, want %q", err, test.want)
				}
			}
			test.fix(t, path)
			write(t, l, "well again")
			if l.Err() != nil {
				t.Error(l.Err())
			}
			wantWhole(t, path, 1)
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestHangingProcess: a process that is stopped while it holds the lock makes
// writes fail, not hang, and only the first one waits for long.
func TestHangingProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLog(t, path, nil)
	write(t, l, "one")
	l.patience = time.Millisecond
	other := newLog(t, path, nil)
	must(t, other.lock())
	err := l.Write(&Line{Event: "call"})
	if !errors.Is(err, errBusy) || !strings.Contains(err.Error(), "hanging brickmcp process") {
		t.Fatalf("got %v", err)
	}
	if l.patience != impatience {
		t.Errorf("the next one waits for %v", l.patience)
	}
	other.letGo()
	write(t, l, "two")
	if l.patience != patience {
		t.Errorf("then it waits for %v", l.patience)
	}
	wantWhole(t, path, 2)
}

func TestBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLog(t, path, nil)
	long := bytes.Repeat([]byte("a"), maxRaw)
	must(t, l.Write(&Line{
		Event: "call", Say: strings.Repeat("é", maxString), RequestIDs: make([]string, 1000),
		Arguments: append(append([]byte{'"'}, long...), '"'), Before: json.RawMessage(`{"half":`),
	}))
	for e, err := range Read(path, Filter{}) {
		must(t, err)
		if len(e.Say) > maxString+3 || !strings.HasSuffix(e.Say, "é…") || len(e.RequestIDs) != maxRequestIDs ||
			!strings.HasPrefix(string(e.Arguments), `{"left_out":"too long for the audit log","bytes":262146,"sha256":"`) || string(e.Before) != `"{\"half\":"` {
			t.Errorf("got %s", e.Raw)
		}
	}
	wantWhole(t, path, 1)
}

// FuzzEncode: whatever the fields hold, a line is one line of JSON that says
// the same, with nothing in it that steers a terminal.
func FuzzEncode(f *testing.F) {
	f.Add("plain", []byte(`{"a": [1, 9007199254740993]}`))
	f.Add("\x1b[2J\r\n\u202e \u009b \xff \"\\", []byte("{\"a\":\n\t\"\u0085\u2028\x7f \\n\"}"))
	f.Add("\u2066😀", []byte("no JSON \x1b"))
	f.Fuzz(func(t *testing.T, say string, raw []byte) {
		if len(say) > maxString || len(raw) > maxRaw {
			return
		}
		b := appendLine(nil, &Line{Time: morning, Say: say, Arguments: raw})
		b, _ = seal(b, &genesis, sha256.New())
		for _, r := range string(b) {
			if Hidden(r) {
				t.Fatalf("%U in %q", r, b)
			}
		}
		var got Line
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%v: %q", err, b)
		}
		if utf8.ValidString(say) && got.Say != say {
			t.Errorf("say %q became %q", say, got.Say)
		}
		var want, have any
		if json.Unmarshal(raw, &want) == nil && !bytes.ContainsRune(raw, '\ufffd') {
			must(t, json.Unmarshal(got.Arguments, &have))
			if a, b := fmt.Sprint(want), fmt.Sprint(have); a != b {
				t.Errorf("arguments %s became %s", a, b)
			}
		}
		if s, ok := unseal(b, sha256.New()); !ok || !s.whole() || s.prev != genesis {
			t.Errorf("cannot be unsealed: %q", b)
		}
	})
}

func FuzzUnseal(f *testing.F) {
	b, _ := seal(appendLine(nil, exampleLine()), &genesis, sha256.New())
	f.Add(b)
	f.Add([]byte(`{"a":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if s, ok := unseal(line, sha256.New()); ok && s.whole() && bytes.Count(line, []byte(`"hash":"`)) == 0 {
			t.Errorf("%q", line)
		}
		if h, ok := decodeHead(line); ok && string(h.encode(nil)) != string(line) {
			t.Errorf("%q", line)
		}
	})
}
