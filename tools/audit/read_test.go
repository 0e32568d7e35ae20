package audit

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFilter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLog(t, path, func(c *Config) { c.MaxBytes = 1 }) // a file each
	for _, line := range []Line{
		{Event: "start", Say: "start"},
		{Event: "call", Say: "ana lists", User: "ana@example.com", Tool: "jobs_list", Decision: "allow"},
		{Event: "denied", Say: "ana deletes", User: "Ana@example.com", Tool: "jobs_delete", Decision: "deny"},
		{Event: "call", Say: "bo deletes", User: "bo@example.com", Tool: "jobs_delete", Decision: "would deny"},
	} {
		must(t, l.Write(&line))
	}
	tests := []struct {
		filter Filter
		want   string
	}{
		{Filter{}, "start, ana lists, ana deletes, bo deletes"},
		{Filter{User: "ana@example.com"}, "ana lists, ana deletes"},
		{Filter{User: "*@EXAMPLE.com", Tool: "jobs_delete"}, "ana deletes, bo deletes"},
		{Filter{Tool: "jobs_*", Denied: true}, "ana deletes, bo deletes"},
		{Filter{User: "ana"}, ""},
		{Filter{User: "["}, ""},
		{Filter{Since: morning.Add(3 * time.Second)}, "ana deletes, bo deletes"},
		{Filter{Since: morning.Add(time.Hour)}, ""},
	}
	for _, test := range tests {
		if got := strings.Join(says(t, path, test.filter), ", "); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.filter, got, test.want)
		}
	}
}

func TestReadNothing(t *testing.T) {
	for _, err := range Read(filepath.Join(t.TempDir(), "audit.jsonl"), Filter{}) {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "cannot be read") {
			t.Errorf("got %v", err)
		}
		return
	}
	t.Error("no error")
}

// TestReader goes on over rotations, whatever it had read by then.
func TestReader(t *testing.T) {
	for before := range 4 { // lines read before the rotations
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		l := newLog(t, path, nil)
		r := NewReader(path, Filter{})
		write(t, l, "1", "2", "3")
		var got []string
		read := func(most int) {
			for ; most != 0; most-- {
				e, err := r.Next()
				if err == io.EOF {
					return
				}
				must(t, err)
				got = append(got, e.Say)
			}
		}
		read(before)
		if before == 3 {
			read(-1)
		}
		write(t, l, "4")
		for _, say := range []string{"5", "6", "7"} {
			l.rotateAt = 1
			write(t, l, say)
		}
		read(-1)
		write(t, l, "8")
		read(-1)
		if want := []string{"1", "2", "3", "4", "5", "6", "7", "8"}; !slices.Equal(got, want) {
			t.Errorf("%d before: read %v", before, got)
		}
		must(t, r.Close())
	}
}

func TestReaderHalfLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	write(t, newLog(t, path, nil), "one")
	line := next(t, path, "two")
	appendTo(t, path, line[:30])
	r := NewReader(path, Filter{})
	defer r.Close()
	if e, err := r.Next(); err != nil || e.Say != "one" {
		t.Fatal(e, err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
	appendTo(t, path, append(line[30:], "no line\n"...))
	if e, err := r.Next(); err != nil || e.Say != "two" || e.Number != 2 {
		t.Fatal(e, err)
	}
	var bad *Unreadable
	if _, err := r.Next(); !errors.As(err, &bad) || bad.Number != 3 {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Fatal(err)
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "audit.jsonl")
	synctest.Test(t, func(t *testing.T) {
		l := New(Config{Path: path, MaxBytes: 400}) // a line or two each
		defer l.Close()
		ctx, cancel := context.WithCancel(t.Context())
		var got []string
		done := make(chan error, 1)
		go func() {
			for e, err := range Follow(ctx, path, Filter{}, -1, time.Second) {
				if err != nil {
					done <- err
					return
				}
				got = append(got, e.Say)
			}
			done <- nil
		}()
		var want []string
		for _, say := range []string{"1", "2", "3", "4", "5", "6"} {
			time.Sleep(2500 * time.Millisecond) // of the clock in the bubble
			synctest.Wait()
			if !slices.Equal(got, want) {
				t.Errorf("before %s it read %v", say, got)
			}
			write(t, l, say)
			want = append(want, say)
		}
		time.Sleep(2 * time.Second)
		cancel()
		if err := <-done; err != nil || !slices.Equal(got, want) {
			t.Errorf("read %v, %v", got, err)
		}
	})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) < 4 {
		t.Errorf("%v, %v: nothing was rotated", entries, err)
	}
}

func TestFollowFromTheEnd(t *testing.T) {
	for last, want := range map[int]string{0: "new", 2: "3 4 new", 9: "1 2 3 4 new"} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		synctest.Test(t, func(t *testing.T) {
			l := New(Config{Path: path, MaxBytes: 1})
			defer l.Close()
			write(t, l, "1", "2", "3", "4")
			must(t, l.Write(&Line{Event: EventBegin, Say: "begin"}))
			go func() {
				time.Sleep(1500 * time.Millisecond)
				write(t, l, "new")
			}()
			var got []string
			for e, err := range Follow(t.Context(), path, Filter{Ended: true}, last, time.Second) {
				must(t, err)
				got = append(got, e.Say)
				if e.Say == "new" {
					break
				}
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("last %d: read %q, want %q", last, got, want)
			}
		})
	}
}
