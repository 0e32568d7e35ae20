package tools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

func saveTo(path, more string) string {
	return fmt.Sprintf(download, fmt.Sprintf(`,"local_path":%q%s`, path, more))
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s has %q (%v), want %q", filepath.Base(path), got, err, want)
	}
}

func wantNoFile(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is there (%v)", filepath.Base(path), err)
	}
}

func TestSave(t *testing.T) {
	for _, noSize := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "f")
		v := &volume{content: []byte("0123456789"), noSize: noSize}
		want := fmt.Sprintf(`{"local_path":%q,"saved":10,"size":10,"truncated":false}`, path)
		if got := succeed(t, volumeServer(t, v, 0, filepath.Dir(path)), "files_download", saveTo(path, "")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		wantFile(t, path, "0123456789")
		wantNoFile(t, path+".part")
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if got := succeed(t, volumeServer(t, &volume{}, 0, filepath.Dir(empty)), "files_download", saveTo(empty, "")); gjson.Get(got, "size").Int() != 0 || gjson.Get(got, "truncated").Bool() {
		t.Errorf("got %s", got)
	}
	wantFile(t, empty, "")
}

// TestSaveResumes: a download that breaks off goes on at next_offset, whether or
// not the server can do ranges, and takes its name when it is complete.
func TestSaveResumes(t *testing.T) {
	for _, noRange := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "f")
		v := &volume{content: []byte("0123456789"), noRange: noRange, breakAt: 4, breakWith: io.ErrUnexpectedEOF, modified: "Sun, 29 Jun 2025 00:00:00 GMT"}
		s := volumeServer(t, v, 0, filepath.Dir(path))
		want := fmt.Sprintf(`{"local_path":%q,"saved":4,"size":10,"truncated":true,"next_offset":4}`, path)
		if got := succeed(t, s, "files_download", saveTo(path, "")); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		wantNoFile(t, path)
		wantFile(t, path+".part", "0123")
		// A break without a byte more says so, and loses nothing.
		if !noRange {
			wantError(t, s, "files_download", saveTo(path, `,"offset":4`), catalog.Down, "offset=4")
			wantFile(t, path+".part", "0123")
		}
		v.breakAt = 0
		want = fmt.Sprintf(`{"local_path":%q,"saved":7,"size":10,"truncated":false}`, path)
		if got := succeed(t, s, "files_download", saveTo(path, `,"offset":3`)); got != want { // a little earlier is allowed
			t.Errorf("got %s, want %s", got, want)
		}
		wantFile(t, path, "0123456789")
		wantNoFile(t, path+".part")
		if v.open != 0 {
			t.Errorf("%d streams are left open", v.open)
		}
	}
}

// TestSaveBreaksBehindTheLastByte: everything is there; there is nothing to go on
// with.
func TestSaveBreaksBehindTheLastByte(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	v := &lateBreak{volume{content: []byte("0123")}}
	if got := succeed(t, volumeServer(t, v, 0, filepath.Dir(path)), "files_download", saveTo(path, "")); gjson.Get(got, "truncated").Bool() {
		t.Errorf("got %s", got)
	}
	wantFile(t, path, "0123")
}

type lateBreak struct{ volume }

func (l *lateBreak) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	answer, err := l.volume.Do(ctx, call)
	if err == nil {
		answer.Stream = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(answer.Stream, failing{context.DeadlineExceeded}), answer.Stream}
	}
	return answer, err
}

// TestSaveByLength: a bounded call makes a file of that length, and may go on.
func TestSaveByLength(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	s := volumeServer(t, &volume{content: []byte("0123456789")}, 0, filepath.Dir(path))
	for _, c := range []struct {
		more, want string
		next       int64
	}{{`,"length":4`, "0123", 4}, {`,"offset":4,"length":4`, "01234567", 8}, {`,"offset":8,"length":4`, "0123456789", 0}} {
		got := succeed(t, s, "files_download", saveTo(path, c.more))
		if gjson.Get(got, "next_offset").Int() != c.next || gjson.Get(got, "truncated").Bool() != (c.next > 0) {
			t.Errorf("%s: %s", c.more, got)
		}
		wantFile(t, path, c.want)
		wantNoFile(t, path+".part")
	}
}

func TestSaveRefusals(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	v := &volume{content: []byte("0123456789")}
	s := volumeServer(t, v, 0, dir)
	wantError(t, s, "files_download", saveTo(path, `,"offset":4`), catalog.Invalid, "nothing of an earlier call", "start over")
	wantNoFile(t, path+".part")
	write(t, path, "mine")
	wantError(t, s, "files_download", saveTo(path, `,"offset":3`), catalog.Invalid, "nothing of an earlier call")
	wantFile(t, path, "mine")
	write(t, path+".part", "01")
	wantError(t, s, "files_download", saveTo(path, `,"offset":4`), catalog.Invalid, "has 2 bytes", "Go on at offset 2")
	wantFile(t, path+".part", "01")
	if len(v.ranges) != 0 {
		t.Errorf("%d requests were sent", len(v.ranges))
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	wantError(t, s, "files_download", saveTo(dir+"/sub", ""), catalog.Invalid, "not a regular file")
	wantError(t, s, "files_download", saveTo(dir+"/none/f", ""), catalog.Missing, "directory must exist")
	// A request that fails leaves no empty file behind.
	failed := volumeServer(t, answeringError(&catalog.Error{Kind: catalog.Missing, Message: "no such file"}), 0, dir)
	wantError(t, failed, "files_download", saveTo(dir+"/g", ""), catalog.Missing, "no such file")
	wantNoFile(t, dir+"/g.part")
	broken := volumeServer(t, &volume{content: []byte("01"), hold: make(chan struct{}), breakAt: 1, breakWith: io.ErrUnexpectedEOF}, 0, dir)
	close(broken.api.(*volume).hold)
	if got := succeed(t, broken, "files_download", saveTo(dir+"/h", "")); gjson.Get(got, "next_offset").Int() != 1 {
		t.Errorf("got %s", got)
	}
}

func answeringError(err error) *fake {
	return &fake{do: func(context.Context, *catalog.Call) (string, error) { return "", err }}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestSaveNoticesChange: the end of a new file is not put behind the beginning of
// an old one.
func TestSaveNoticesChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	v := &volume{content: []byte("0123456789"), breakAt: 4, breakWith: io.ErrUnexpectedEOF, modified: "Sun, 29 Jun 2025 00:00:00 GMT"}
	s := volumeServer(t, v, 0, filepath.Dir(path))
	succeed(t, s, "files_download", saveTo(path, ""))
	modified, _ := http.ParseTime(v.modified)
	if info, err := os.Stat(path + ".part"); err != nil || !info.ModTime().Equal(modified) {
		t.Errorf("the part is dated %v, %v", info.ModTime(), err)
	}
	v.content, v.breakAt, v.modified = []byte("abcdefghij"), 0, modified.Add(time.Hour).Format(http.TimeFormat)
	wantError(t, s, "files_download", saveTo(path, `,"offset":4`), catalog.Conflict, "changed", "start over")
	wantFile(t, path+".part", "0123")
	succeed(t, s, "files_download", saveTo(path, ""))
	wantFile(t, path, "abcdefghij")
}

// TestSaveOneAtATime: two calls never write the same file, by whatever name.
func TestSaveOneAtATime(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
	v := &volume{content: []byte("0123456789"), hold: make(chan struct{})}
	s := volumeServer(t, v, 0, dir, link)
	began, done := make(chan struct{}), make(chan string)
	s.api = calling(func(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
		defer close(began)
		return v.Do(ctx, call)
	})
	go func() {
		text, _ := ask(t, s, "files_download", saveTo(dir+"/f", ""))
		done <- text
	}()
	<-began
	wantError(t, s, "files_download", saveTo(dir+"/f", ""), catalog.Busy, "another call")
	wantError(t, s, "files_download", saveTo(link+"/f", `,"offset":4`), catalog.Busy, "another call")
	close(v.hold)
	if text := <-done; gjson.Get(text, "size").Int() != 10 {
		t.Errorf("got %s", text)
	}
	wantFile(t, dir+"/f", "0123456789")
	s.api = v
	succeed(t, s, "files_download", saveTo(dir+"/f", "")) // free again
}

type calling func(context.Context, *catalog.Call) (*catalog.Answer, error)

func (c calling) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	return c(ctx, call)
}

// TestLargeDownloadIsStreamed: a file never stands in memory.
func TestLargeDownloadIsStreamed(t *testing.T) {
	const size = 128 << 20
	path := filepath.Join(t.TempDir(), "f")
	api := calling(func(context.Context, *catalog.Call) (*catalog.Answer, error) {
		return &catalog.Answer{Status: 200, Header: http.Header{"Content-Length": {fmt.Sprint(size)}}, Stream: io.NopCloser(io.LimitReader(zeros{}, size))}, nil
	})
	s := volumeServer(t, api, 0, filepath.Dir(path))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got := succeed(t, s, "files_download", saveTo(path, ""))
	piece := succeed(t, s, "files_download", fmt.Sprintf(download, ""))
	runtime.ReadMemStats(&after)
	if gjson.Get(got, "saved").Int() != size || gjson.Get(piece, "size").Int() != size {
		t.Errorf("got %s, %.100s", got, piece)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
		t.Errorf("%d KiB were allocated for a file of %d MiB", used>>10, size>>20)
	}
}

// zeros is endless.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLocalPaths: nothing outside of the allowed directories is read or written.
func TestLocalPaths(t *testing.T) {
	base := t.TempDir()
	allowed, outside := filepath.Join(base, "allowed"), filepath.Join(base, "outside")
	for _, dir := range []string{allowed, outside, filepath.Join(allowed, "sub"), filepath.Join(base, "allowed-not")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, outside+"/secret", "secret")
	write(t, allowed+"/ok", "ok")
	for link, target := range map[string]string{
		allowed + "/out": outside, allowed + "/secret": outside + "/secret", allowed + "/rel": "../outside/secret", allowed + "/in": "sub",
		allowed + "/absin": allowed + "/ok", allowed + "/new.part": outside + "/new", allowed + "/loop": "loop", base + "/link": allowed,
	} {
		if err := os.Symlink(target, link); err != nil {
			t.Skipf("no symlinks here: %v", err)
		}
	}
	v := &volume{content: []byte("data")}
	s := volumeServer(t, v, 0, allowed, filepath.Join(base, "link"))
	for _, c := range []struct {
		path  string
		kind  catalog.Kind
		parts []string
	}{
		{outside + "/secret", catalog.Denied, []string{"outside the allowed", allowed}},
		{allowed + "/../outside/secret", catalog.Denied, []string{"outside the allowed"}},
		{base + "/allowed-not/f", catalog.Denied, []string{"outside the allowed"}},
		{"ok", catalog.Denied, []string{"not absolute", allowed}},
		{"../outside/secret", catalog.Denied, []string{"not absolute"}},
		{"", catalog.Denied, []string{"not absolute"}},
		{allowed, catalog.Denied, []string{"is an allowed directory itself"}},
		{allowed + "/sub/..", catalog.Denied, []string{"is an allowed directory itself"}},
		{allowed + "/secret", catalog.Denied, []string{"leads out"}},
		{allowed + "/rel", catalog.Denied, []string{"leads out"}},
		{allowed + "/out/secret", catalog.Denied, []string{"leads out"}},
		{allowed + "/out/../../outside/secret", catalog.Denied, []string{"outside the allowed"}},
	} {
		wantError(t, s, "files_upload", saveTo(c.path, ""), c.kind, c.parts...)
		if strings.HasSuffix(c.path, "/secret") || strings.HasSuffix(c.path, "/rel") {
			// A download may replace a link, but never what it leads to.
			_, _ = ask(t, s, "files_download", saveTo(c.path, ""))
			wantFile(t, outside+"/secret", "secret")
		}
	}
	wantError(t, s, "files_upload", saveTo(allowed+"/sub", ""), catalog.Invalid, "not a regular file")
	wantError(t, s, "files_upload", saveTo(allowed+"/loop", ""), catalog.Invalid, "loop")
	wantError(t, s, "files_download", saveTo(allowed+"/new", ""), catalog.Denied, "leads out")
	wantNoFile(t, outside+"/new")
	succeed(t, s, "files_upload", saveTo(allowed+"/ok", ""))
	succeed(t, s, "files_download", saveTo(allowed+"/in/f", ""))
	wantFile(t, allowed+"/sub/f", "data")
	succeed(t, s, "files_download", saveTo(base+"/link/g", "")) // an allowed directory may be a link itself
	wantFile(t, allowed+"/g", "data")

	wantError(t, volumeServer(t, v, 0), "files_upload", saveTo(allowed+"/ok", ""), catalog.Denied, "no directory is", "--allow-dir")
	wantError(t, volumeServer(t, v, 0, base+"/gone"), "files_upload", saveTo(base+"/gone/f", ""), catalog.Denied, "cannot be opened", "--allow-dir")
	if bytes.Contains(v.received, []byte("secret")) {
		t.Error("a file outside was sent")
	}
}
