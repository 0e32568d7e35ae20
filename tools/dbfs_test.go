package tools

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// dbfs is a workspace with one DBFS file.
type dbfs struct {
	content  []byte
	handle   string // of the open file
	blocks   []int
	puts     int
	closed   int
	failAt   int // the add-block call that fails, from 1
	failWith error
	closeErr error
	noStatus bool
}

func (d *dbfs) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	const handle = "9007199254740993" // above 2^53
	bytesOf := func(name string) []byte {
		content, err := base64.StdEncoding.DecodeString(gjson.GetBytes(call.Body, name).Str)
		if err != nil || len(content) > 1<<20 {
			panic(fmt.Sprintf("%d bytes of %s: %v", len(content), name, err))
		}
		return content
	}
	answer := `{}`
	switch call.Row {
	case &catalog.PutDBFS.Row:
		d.puts++
		d.content = bytesOf("contents")
	case &catalog.CreateDBFS.Row:
		d.content, d.handle = nil, handle
		answer = `{"handle":` + handle + `}`
	case &catalog.AddDBFSBlock.Row:
		if gjson.GetBytes(call.Body, "handle").Raw != d.handle {
			return nil, fmt.Errorf("handle in %.60s", call.Body)
		}
		d.blocks = append(d.blocks, len(bytesOf("data")))
		if len(d.blocks) == d.failAt {
			return nil, d.failWith
		}
		d.content = append(d.content, bytesOf("data")...)
	case &catalog.CloseDBFS.Row:
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		d.closed, d.handle = d.closed+1, ""
		return &catalog.Answer{Body: []byte(answer)}, d.closeErr
	case &catalog.GetDBFSStatus.Row:
		if d.noStatus {
			return nil, &catalog.Error{Kind: catalog.Down, Message: "down"}
		}
		answer = fmt.Sprintf(`{"file_size":%d}`, len(d.content))
	case &catalog.ReadDBFS.Row:
		var offset, length int
		if _, err := fmt.Sscanf(call.Query, "length=%d&offset=%d", &length, &offset); err != nil || length > 1<<20 {
			return nil, fmt.Errorf("query %s: %v", call.Query, err)
		}
		offset = min(offset, len(d.content))
		part := d.content[offset:min(offset+length, len(d.content))]
		answer = fmt.Sprintf(`{"bytes_read":%d,"data":%q}`, len(part), base64.StdEncoding.EncodeToString(part))
	}
	return &catalog.Answer{Body: []byte(answer), Status: 200, RequestID: "req-1"}, nil
}

// TestPutDBFS: one call up to 1 MB exactly, blocks of 1 MB above.
func TestPutDBFS(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		size   int
		blocks []int
	}{{0, nil}, {5, nil}, {1 << 20, nil}, {1<<20 + 1, []int{1 << 20, 1}}, {2 << 20, []int{1 << 20, 1 << 20}}, {5 << 19, []int{1 << 20, 1 << 20, 1 << 19}}} {
		content := bytes.Repeat([]byte("abc\x00d"), c.size/5+1)[:c.size]
		path := filepath.Join(dir, "in")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, from := range []string{fmt.Sprintf(`"local_path":%q`, path), fmt.Sprintf(`"contents_base64":%q`, base64.StdEncoding.EncodeToString(content))} {
			d := &dbfs{}
			got := succeed(t, volumeServer(t, d, 0, dir), "dbfs_put", `{"path":"/f","overwrite":true,`+from+`}`)
			if want := fmt.Sprintf(`{"path":"/f","size":%d}`, c.size); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if !bytes.Equal(d.content, content) || fmt.Sprint(d.blocks) != fmt.Sprint(c.blocks) || (d.puts == 1) == (len(c.blocks) > 0) || d.closed != min(len(c.blocks), 1) {
				t.Errorf("%d bytes: %d stored, blocks %v, %d puts, %d closed", c.size, len(d.content), d.blocks, d.puts, d.closed)
			}
		}
	}
}

// TestPutDBFSBreaks: what is left behind is said, and the handle is closed.
func TestPutDBFSBreaks(t *testing.T) {
	content := fmt.Sprintf(`{"path":"/f","contents":%q}`, strings.Repeat("x", 3<<20))
	for _, kind := range []catalog.Kind{catalog.UnknownFate, catalog.Down, catalog.Internal} {
		var cause error = errors.New("odd")
		if kind != catalog.Internal {
			cause = &catalog.Error{Kind: kind, Message: "block failed", RequestID: "req-9", Status: 503}
		}
		d := &dbfs{failAt: 2, failWith: cause}
		wantError(t, volumeServer(t, d, 0), "dbfs_put", content, kind, "after 1048576 of 3145728 bytes", "incomplete", "overwrite=true", "DBFS file /f")
		if d.closed != 1 || len(d.blocks) != 2 {
			t.Errorf("%d closed, blocks %v", d.closed, d.blocks)
		}
	}
	d := &dbfs{closeErr: &catalog.Error{Kind: catalog.Down, Message: "close failed"}}
	wantError(t, volumeServer(t, d, 0), "dbfs_put", content, catalog.Down, "all 3145728 bytes were sent", "dbfs_read")

	// Also a call that its client gives up closes its handle.
	ctx, cancel := context.WithCancel(t.Context())
	d = &dbfs{}
	api := calling(func(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
		if call.Row == &catalog.AddDBFSBlock.Row {
			cancel()
			return nil, ctx.Err()
		}
		return d.Do(ctx, call)
	})
	if text, failed := askWith(ctx, t, volumeServer(t, api, 0), "dbfs_put", content); !failed || d.closed != 1 {
		t.Errorf("%d closed: %s", d.closed, text)
	}
}

func TestPutDBFSLocalFileChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/in", "x")
	s := volumeServer(t, &dbfs{}, 0, dir)
	call, err := catalog.PutDBFS.Bind([]byte(fmt.Sprintf(`{"path":"/f","local_path":%q}`, dir+"/in")))
	if err != nil {
		t.Fatal(err)
	}
	src, err := s.source(call, "contents", "contents_base64")
	if err != nil {
		t.Fatal(err)
	}
	defer src.close()
	_, err = s.putBlocks(t.Context(), call, "/f", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), failing{errors.New("disk gone")}), src)
	if err == nil || !strings.Contains(err.Error(), "disk gone") || !strings.Contains(err.Error(), "after 1048576") {
		t.Errorf("got %v", err)
	}
}

// TestReadDBFS: next_offset leads through any file.
func TestReadDBFS(t *testing.T) {
	binary := make([]byte, 2000)
	for i := range binary {
		binary[i] = byte(i)
	}
	for name, content := range map[string][]byte{"text": []byte(strings.Repeat("größe\t€\n", 300)), "binary": binary, "empty": nil} {
		for _, noStatus := range []bool{false, true} {
			s := volumeServer(t, &dbfs{content: content, noStatus: noStatus}, 150)
			var got []byte
			for offset, rounds := int64(0), 0; rounds < 1000; rounds++ {
				out := succeed(t, s, "dbfs_read", fmt.Sprintf(`{"path":"/f","offset":%d}`, offset))
				if len(out) > 150*4+300 {
					t.Fatalf("%d bytes", len(out))
				}
				part := []byte(gjson.Get(out, "contents").Str)
				if encoded := gjson.Get(out, "contents_base64"); encoded.Exists() {
					part, _ = base64.StdEncoding.DecodeString(encoded.Str)
				}
				got = append(got, part...)
				if !gjson.Get(out, "truncated").Bool() {
					break
				}
				offset = gjson.Get(out, "next_offset").Int()
			}
			if !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes of %d", name, len(got), len(content))
			}
		}
	}
}

func TestReadDBFSRange(t *testing.T) {
	s := volumeServer(t, &dbfs{content: []byte("0123456789")}, 0)
	for _, c := range []struct{ arguments, want string }{
		{`"offset":2,"length":3`, `{"untrusted":["contents"],"contents":"234","size":10,"truncated":true,"next_offset":5}`},
		{`"offset":7,"length":3`, `{"untrusted":["contents"],"contents":"789","size":10,"truncated":false}`},
		{`"length":0`, `{"untrusted":["contents"],"contents":"0123456789","size":10,"truncated":false}`},
		{`"offset":10`, `{"untrusted":["contents"],"contents":"","size":10,"truncated":false}`},
		{`"offset":1000`, `{"untrusted":["contents"],"contents":"","size":10,"truncated":false}`},
	} {
		if got := succeed(t, s, "dbfs_read", `{"path":"/f",`+c.arguments+`}`); got != c.want {
			t.Errorf("%s: got %s, want %s", c.arguments, got, c.want)
		}
	}
	wantError(t, s, "dbfs_read", `{"path":"/f","length":1048577}`, catalog.Invalid, "length")
	wantError(t, newServer(t, answering(`{"data":"***"}`), nil), "dbfs_read", `{"path":"/f"}`, catalog.Down, "data", "not base64", "req-1")
	// The smallest budget still reads on.
	if got := succeed(t, volumeServer(t, &dbfs{content: []byte("0123456789")}, 1), "dbfs_read", `{"path":"/f"}`); gjson.Get(got, "contents").Str != "0123456789" {
		t.Errorf("got %s", got)
	}
}

func TestImportWorkspace(t *testing.T) {
	for _, c := range []struct{ arguments, encoded string }{
		{`"content":"print(\"ü\")\n"`, base64.StdEncoding.EncodeToString([]byte("print(\"ü\")\n"))}, {`"content":""`, ""}, {`"content_base64":"AP8="`, "AP8="},
	} {
		api := answering(`{"object_id":9223372036854775807}`)
		got := succeed(t, newServer(t, api, nil), "workspace_import", `{"path":"/a","format":"SOURCE","language":"PYTHON",`+c.arguments+`}`)
		_, body, _ := strings.Cut(api.seen()[0], "import ")
		if got != `{"object_id":"9223372036854775807"}` || gjson.Get(body, "content").Str != c.encoded || gjson.Get(body, "content_base64").Exists() || gjson.Get(body, "language").Str != "PYTHON" {
			t.Errorf("%s: %s, sent %s", c.arguments, got, body)
		}
	}
	if got := succeed(t, newServer(t, answering(`{}`), nil), "workspace_import", `{"path":"/a","content":"x"}`); got != `{"ok":true}` {
		t.Errorf("got %s", got)
	}
	api := answering()
	arguments, err := sjson.Set(`{"path":"/a"}`, "content", strings.Repeat("x", maxImport+1))
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, newServer(t, api, nil), "workspace_import", arguments, catalog.Invalid, "10 MB", "10485761", "files_upload", "Nothing was sent")
	if len(api.seen()) > 0 {
		t.Error("it was sent")
	}
}

func TestExportWorkspace(t *testing.T) {
	export := func(content string) *fake {
		return &fake{do: func(context.Context, *catalog.Call) (string, error) {
			return fmt.Sprintf(`{"content":%q,"file_type":"py"}`, base64.StdEncoding.EncodeToString([]byte(content))), nil
		}}
	}
	for _, c := range []struct{ content, arguments, want string }{
		{"x = 1\n", ``, `{"file_type":"py","untrusted":["contents"],"contents":"x = 1\n","size":6,"truncated":false}`},
		{"", ``, `{"file_type":"py","untrusted":["contents"],"contents":"","size":0,"truncated":false}`},
		{"PK\x03\x04\x00\xff", ``, `{"file_type":"py","untrusted":["contents_base64"],"contents_base64":"UEsDBAD/","size":6,"truncated":false}`},
		{"0123456789", `,"offset":2,"length":3`, `{"file_type":"py","untrusted":["contents"],"contents":"234","size":10,"truncated":true,"next_offset":5}`},
		{"0123456789", `,"offset":10`, `{"file_type":"py","untrusted":["contents"],"contents":"","size":10,"truncated":false}`},
		{"aüb", `,"length":2`, `{"file_type":"py","untrusted":["contents"],"contents":"a","size":4,"truncated":true,"next_offset":1}`},
	} {
		if got := succeed(t, newServer(t, export(c.content), nil), "workspace_export", `{"path":"/a"`+c.arguments+`}`); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	wantError(t, newServer(t, export("ab"), nil), "workspace_export", `{"path":"/a","offset":3}`, catalog.Invalid, "offset 3", "byte 2")
	long := strings.Repeat("# größe \"x\"\n", 9000)
	s, got := newServer(t, export(long), nil), ""
	for offset, rounds := int64(0), 0; rounds < 100; rounds++ {
		out := succeed(t, s, "workspace_export", fmt.Sprintf(`{"path":"/a","offset":%d}`, offset))
		if got += gjson.Get(out, "contents").Str; len(out) > 8000*4+300 {
			t.Fatalf("%d bytes", len(out))
		}
		if offset = gjson.Get(out, "next_offset").Int(); offset == 0 {
			break
		}
	}
	if got != long {
		t.Errorf("%d bytes of %d", len(got), len(long))
	}
}
