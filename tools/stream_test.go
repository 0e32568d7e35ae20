package tools

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// volume is a workspace with one file.
type volume struct {
	content   []byte
	noRange   bool // answers 200 with everything
	noSize    bool // tells no size
	shift     int  // sends a range this much too late
	breakAt   int  // breaks the stream off behind this byte of the file; 0: never
	breakWith error
	modified  string
	mu        sync.Mutex
	ranges    []string
	received  []byte // by an upload
	open      int    // streams not yet closed
	hold      chan struct{}
}

func (v *volume) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	if call.Upload != nil {
		in, err := call.Upload()
		if err != nil {
			return nil, err
		}
		defer in.Close()
		v.received, err = io.ReadAll(in)
		if err == nil && int64(len(v.received)) != call.Size {
			err = fmt.Errorf("%d bytes were announced, %d came", call.Size, len(v.received))
		}
		return &catalog.Answer{Status: 204}, err
	}
	v.mu.Lock()
	v.ranges = append(v.ranges, call.Header.Get("Range"))
	v.open++
	v.mu.Unlock()
	closed := func() { v.mu.Lock(); v.open--; v.mu.Unlock() }
	if since := call.Header.Get("If-Unmodified-Since"); since != "" && v.modified != "" {
		given, err := http.ParseTime(since)
		modified, err2 := http.ParseTime(v.modified)
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
		if modified.After(given) {
			closed()
			return nil, &catalog.Error{Kind: catalog.Conflict, Status: 412, Message: "precondition failed"}
		}
	}
	from, to, answer := 0, len(v.content), &catalog.Answer{Status: 200, Header: http.Header{}, RequestID: "req-1"}
	if r := call.Header.Get("Range"); r != "" && !v.noRange {
		if n, err := fmt.Sscanf(r, "bytes=%d-%d", &from, &to); n == 0 {
			return nil, err
		}
		from, to = from+v.shift, min(to+1, len(v.content))
		if strings.HasSuffix(r, "-") {
			to = len(v.content)
		}
		if from >= len(v.content) {
			closed()
			return nil, &catalog.Error{Kind: catalog.Invalid, Status: 416, RequestID: "req-1", Message: "range"}
		}
		answer.Status = 206
		total := fmt.Sprint(len(v.content))
		if v.noSize {
			total = "*"
		}
		answer.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%s", from, to-1, total))
	}
	if !v.noSize {
		answer.Header.Set("Content-Length", fmt.Sprint(to-from))
	}
	if v.modified != "" {
		answer.Header.Set("Last-Modified", v.modified)
	}
	part, after := v.content[from:to], io.Reader(strings.NewReader(""))
	if v.breakAt > 0 && v.breakAt < to {
		part, after = v.content[from:max(v.breakAt, from)], failing{v.breakWith}
	}
	if v.hold != nil {
		after = io.MultiReader(waiting{ctx, v.hold}, after)
	}
	answer.Stream = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(part), after), closer(closed)}
	return answer, nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// waiting is silent until it is released, or the call's time is up.
type waiting struct {
	ctx  context.Context
	hold chan struct{}
}

func (w waiting) Read([]byte) (int, error) {
	select {
	case <-w.hold:
		return 0, io.EOF
	case <-w.ctx.Done():
		return 0, w.ctx.Err()
	}
}

func volumeServer(t testing.TB, api catalog.Caller, tokens int, dirs ...string) *Server {
	return newServer(t, nil, func(c *Config) { c.Workspaces[0].API, c.ResultTokens, c.AllowDirs = api, tokens, dirs })
}

const download = `{"path":"/Volumes/c/s/v/f"%s}`

// TestDownloadInPieces: next_offset leads through any file, whatever the server
// can do.
func TestDownloadInPieces(t *testing.T) {
	text := []byte(strings.Repeat("grüße, €uro 😀 \"\n", 200))
	binary := make([]byte, 3000)
	for i := range binary {
		binary[i] = byte(i * 7)
	}
	for _, c := range []struct {
		name string
		v    *volume
	}{
		{"text", &volume{content: text}},
		{"binary", &volume{content: binary}},
		{"mixed", &volume{content: append(bytes.Clone(text), binary...)}},
		{"no ranges", &volume{content: text, noRange: true}},
		{"no size", &volume{content: text, noSize: true}},
		{"neither", &volume{content: binary, noSize: true, noRange: true}},
		{"empty", &volume{}},
		{"empty, no ranges", &volume{noRange: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := volumeServer(t, c.v, 150)
			var got []byte
			more := ""
			for rounds := 0; rounds < 1000; rounds++ {
				out := succeed(t, s, "files_download", fmt.Sprintf(download, more))
				if len(out) > 150*4+300 {
					t.Fatalf("%d bytes", len(out))
				}
				part := []byte(gjson.Get(out, "contents").Str)
				if encoded := gjson.Get(out, "contents_base64"); encoded.Exists() {
					part, _ = base64.StdEncoding.DecodeString(encoded.Str)
				}
				got = append(got, part...)
				next := gjson.Get(out, "next_offset")
				if !next.Exists() {
					break
				}
				more = fmt.Sprintf(`,"offset":%d`, next.Int())
			}
			if !bytes.Equal(got, c.v.content) {
				t.Errorf("%d bytes came of %d", len(got), len(c.v.content))
			}
			if c.v.open != 0 {
				t.Errorf("%d streams are left open", c.v.open)
			}
		})
	}
}

func TestDownloadRange(t *testing.T) {
	for _, c := range []struct {
		name      string
		v         *volume
		arguments string
		want      string
	}{
		{"range", &volume{content: []byte("0123456789")}, `,"offset":2,"length":3`, `{"untrusted":["contents"],"contents":"234","size":10,"truncated":true,"next_offset":5}`},
		{"to the end", &volume{content: []byte("0123456789")}, `,"offset":7,"length":30`, `{"untrusted":["contents"],"contents":"789","size":10,"truncated":false}`},
		{"range ignored", &volume{content: []byte("0123456789"), noRange: true}, `,"offset":2,"length":3`, `{"untrusted":["contents"],"contents":"234","size":10,"truncated":true,"next_offset":5}`},
		{"huge length", &volume{content: []byte("01")}, `,"offset":1,"length":9223372036854775807`, `{"untrusted":["contents"],"contents":"1","size":2,"truncated":false}`},
		{"a broken stream shows what came", &volume{content: []byte("0123456789"), breakAt: 6, breakWith: io.ErrUnexpectedEOF}, `,"offset":2`, `{"untrusted":["contents"],"contents":"2345","size":10,"truncated":true,"next_offset":6}`},
		{"a broken stream of unknown size", &volume{content: []byte("0123456789"), breakAt: 6, breakWith: io.ErrUnexpectedEOF, noSize: true}, `,"offset":2`, `{"untrusted":["contents"],"contents":"2345","truncated":true,"next_offset":6}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := succeed(t, volumeServer(t, c.v, 0), "files_download", fmt.Sprintf(download, c.arguments)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	ten := []byte("0123456789")
	for _, c := range []struct {
		name      string
		v         *volume
		arguments string
		kind      catalog.Kind
		parts     []string
	}{
		{"behind the end", &volume{content: ten}, `,"offset":11`, catalog.Invalid, []string{"offset 11", "nothing more"}},
		{"behind the end, range ignored", &volume{content: ten, noRange: true}, `,"offset":11`, catalog.Invalid, []string{"offset 11", "nothing more"}},
		{"largest offset", &volume{content: ten}, `,"offset":9223372036854775807`, catalog.Invalid, []string{"behind the end"}},
		{"another range", &volume{content: ten, shift: 1}, `,"offset":3`, catalog.Down, []string{"from byte 4", "not from byte 3"}},
		{"broken before the first byte", &volume{content: ten, breakAt: 3, breakWith: io.ErrUnexpectedEOF}, `,"offset":3`, catalog.Down, []string{"byte 3", "offset=3"}},
		{"broken on the way to the offset", &volume{content: ten, breakAt: 3, breakWith: io.ErrUnexpectedEOF, noRange: true}, `,"offset":5`, catalog.Down, []string{"at byte 3", "offset 5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantError(t, volumeServer(t, c.v, 0), "files_download", fmt.Sprintf(download, c.arguments), c.kind, c.parts...)
			if c.v.open != 0 {
				t.Errorf("%d streams are left open", c.v.open)
			}
		})
	}
}

func TestUpload(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/in.bin", []byte("\x00\xff"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ arguments, want string }{
		{`,"contents":"grüße\n"`, "grüße\n"}, {`,"contents":""`, ""}, {`,"contents_base64":"AP8="`, "\x00\xff"},
		{fmt.Sprintf(`,"local_path":%q`, dir+"/in.bin"), "\x00\xff"},
	} {
		v := &volume{}
		got := succeed(t, volumeServer(t, v, 0, dir), "files_upload", fmt.Sprintf(download, c.arguments))
		if want := fmt.Sprintf(`{"path":"/Volumes/c/s/v/f","size":%d}`, len(c.want)); got != want || string(v.received) != c.want {
			t.Errorf("%s: %s, the workspace has %q", c.arguments, got, v.received)
		}
	}
	wantError(t, volumeServer(t, &volume{}, 0), "files_upload", fmt.Sprintf(download, `,"contents_base64":"_-8"`), catalog.Invalid, "contents_base64", "base64", "Nothing was sent")
	wantError(t, volumeServer(t, &volume{}, 0, dir), "files_upload", fmt.Sprintf(download, fmt.Sprintf(`,"local_path":%q`, dir+"/absent")), catalog.Missing, "absent")
}

// TestDeadlineGivesNextOffset: a call that runs out of time keeps what it has.
func TestDeadlineGivesNextOffset(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		v := &volume{content: []byte("0123456789"), breakAt: 4, breakWith: io.ErrUnexpectedEOF, hold: make(chan struct{})}
		local := fmt.Sprintf(`,"local_path":%q`, dir+"/f")
		s := volumeServer(t, v, 0, dir)
		got := succeed(t, s, "files_download", fmt.Sprintf(download, local))
		if gjson.Get(got, "next_offset").Int() != 4 || gjson.Get(got, "saved").Int() != 4 || !gjson.Get(got, "truncated").Bool() {
			t.Errorf("got %s", got)
		}
		if got := succeed(t, s, "files_download", fmt.Sprintf(download, "")); gjson.Get(got, "next_offset").Int() != 4 || gjson.Get(got, "contents").Str != "0123" {
			t.Errorf("got %s", got)
		}
	})
}
