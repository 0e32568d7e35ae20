package sandbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const (
	fsFiles   = "/api/2.0/fs/files"
	fsDirs    = "/api/2.0/fs/directories"
	exports   = "/Volumes/main/retail/exports"
	benchRoot = "/Volumes/samples/bench/files"
)

func TestFilesUploadDownloadDelete(t *testing.T) {
	ana, _, clock := newCallers(t)
	const path = fsFiles + exports + "/a%20b/c%23.txt"
	if rec := ana.send("PUT", path, "first"); rec.Code != http.StatusNoContent || rec.Body.Len() != 0 {
		t.Fatalf("upload: %d %s", rec.Code, rec.Body)
	}
	ana.refused("PUT", path+"?overwrite=false", "x", 409, "ALREADY_EXISTS")
	clock.advance(time.Minute)
	ana.send("PUT", path+"?overwrite=true", "second")
	rec := ana.send("GET", path, nil)
	for name, want := range map[string]string{
		"Content-Length": "6", "Content-Type": "application/octet-stream", "Last-Modified": "Mon, 30 Jun 2025 06:01:00 GMT",
	} {
		if got := rec.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if rec.Code != 200 || rec.Body.String() != "second" {
		t.Errorf("download: %d %q", rec.Code, rec.Body)
	}
	listed := ana.get(fsDirs + exports + "/a%20b")["contents"].([]any)
	if got := names(listed, "path"); !slices.Equal(got, []string{exports + "/a b/c#.txt"}) {
		t.Errorf("listed: %v", got)
	}
	if rec := ana.send("DELETE", path, nil); rec.Code != http.StatusNoContent {
		t.Errorf("delete: %d", rec.Code)
	}
	ana.refused("DELETE", path, nil, 404, "NOT_FOUND")
	ana.refused("GET", path, nil, 404, "NOT_FOUND")
	if rec := ana.send("HEAD", path, nil); rec.Code != 404 || rec.Body.Len() != 0 {
		t.Errorf("head of a missing file: %d with %d bytes", rec.Code, rec.Body.Len())
	}
}

func TestFilesRanges(t *testing.T) {
	ana, _, _ := newCallers(t)
	const path = fsFiles + exports + "/ten"
	ana.send("PUT", path, "0123456789")
	for _, c := range []struct {
		header string
		status int
		body   string
		sent   string
	}{
		{"bytes=0-0", 206, "0", "bytes 0-0/10"},
		{"bytes=3-5", 206, "345", "bytes 3-5/10"},
		{"bytes=7-", 206, "789", "bytes 7-9/10"},
		{"bytes=-2", 206, "89", "bytes 8-9/10"},
		{"bytes=8-99", 206, "89", "bytes 8-9/10"},
		{"bytes=5-3", 200, "0123456789", ""},
		{"bytes=0-1,4-5", 200, "0123456789", ""},
		{"lines=1-2", 200, "0123456789", ""},
	} {
		rec := ana.send("GET", path, nil, "Range: "+c.header)
		if rec.Code != c.status || rec.Body.String() != c.body || rec.Header().Get("Content-Range") != c.sent {
			t.Errorf("%s: %d %q %q", c.header, rec.Code, rec.Body, rec.Header().Get("Content-Range"))
		}
	}
	ana.refused("GET", path, nil, 416, "OUT_OF_RANGE", "Range: bytes=10-")
	ana.refused("GET", path, nil, 412, "FAILED_PRECONDITION", "If-Unmodified-Since: Sun, 29 Jun 2025 00:00:00 GMT")
	ana.send("PUT", path, "")
	if rec := ana.send("GET", path, nil); rec.Code != 200 || rec.Body.Len() != 0 {
		t.Errorf("empty file: %d", rec.Code)
	}
}

func TestFilesPermissionsAndPaths(t *testing.T) {
	ana, ben, _ := newCallers(t)
	ben.refused("PUT", fsFiles+"/Volumes/main/retail/landing/x", "x", 403, "PERMISSION_DENIED")
	ben.refused("GET", fsDirs+"/Volumes/main/hr/documents", nil, 403, "PERMISSION_DENIED")
	ben.refused("GET", fsFiles+"/Volumes/main/retail/nope/x", nil, 404, "NOT_FOUND")
	if rec := ben.send("PUT", fsFiles+exports+"/x", "x"); rec.Code != 204 {
		t.Errorf("ben's upload: %d %s", rec.Code, rec.Body)
	}
	ana.refused("GET", fsFiles+"/tmp/x", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", fsFiles+"/Volumes/main/retail", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", fsFiles+exports+"/a/%2E%2E/x", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", fsFiles+exports+"/2025", nil, 404, "NOT_FOUND")         // a directory
	ana.refused("PUT", fsFiles+exports+"/2025", "x", 409, "ALREADY_EXISTS")    // a directory
	ana.refused("PUT", fsFiles+exports+"/x/y", "x", 409, "ALREADY_EXISTS")     // below a file
	ana.refused("PUT", fsDirs+exports+"/x", nil, 409, "ALREADY_EXISTS")        // a file
	ana.refused("GET", fsDirs+exports+"/x", nil, 404, "NOT_FOUND")             // a file
	ana.refused("DELETE", fsDirs+exports, nil, 400, "INVALID_PARAMETER_VALUE") // the root
}

func TestDirectories(t *testing.T) {
	ana, _, _ := newCallers(t)
	for range 2 { // idempotent
		if rec := ana.send("PUT", fsDirs+exports+"/p/q/", nil); rec.Code != 204 {
			t.Fatalf("mkdir: %d", rec.Code)
		}
	}
	for _, name := range []string{"c", "a", "b"} {
		ana.send("PUT", fsFiles+exports+"/p/"+name, "")
	}
	all, pages := ana.follow(fsDirs+exports+"/p?page_size=3", "contents", "name")
	if !slices.Equal(all, []string{"a", "b", "c", "q"}) || len(pages) != 2 {
		t.Errorf("%v on %v", all, pages)
	}
	first := ana.get(fsDirs + exports + "/p?page_size=1")["contents"].([]any)[0].(map[string]any)
	if _, there := first["file_size"]; there {
		t.Error("an empty file has no file_size")
	}
	rec := ana.send("DELETE", fsDirs+exports+"/p", nil)
	if rec.Code != 400 || !strings.Contains(rec.Body.String(), `"reason":"FILES_API_DIRECTORY_IS_NOT_EMPTY"`) {
		t.Errorf("delete of a full directory: %d %s", rec.Code, rec.Body)
	}
	if rec := ana.send("DELETE", fsDirs+exports+"/p/q", nil); rec.Code != 204 {
		t.Errorf("delete: %d", rec.Code)
	}
	rec = ana.send("DELETE", fsDirs+exports+"/p/q", nil)
	if rec.Code != 404 || !strings.Contains(rec.Body.String(), "FILES_API_DIRECTORY_IS_NOT_FOUND") {
		t.Errorf("delete again: %d %s", rec.Code, rec.Body)
	}
	if ana.send("HEAD", fsDirs+exports+"/p", nil).Code != 200 || ana.send("HEAD", fsDirs+exports+"/p/a", nil).Code != 404 {
		t.Error("head tells directories from files")
	}
}

func TestUploadsOfAnySizeStayOutOfMemory(t *testing.T) {
	ana, _, _ := newCallers(t)
	const size = 5<<20 + 3
	want := make([]byte, size)
	noise(size).(*generated).fill(want, 0)
	if rec := ana.send("PUT", fsFiles+exports+"/big", bytes.NewReader(want)); rec.Code != 204 {
		t.Fatal(rec.Code)
	}
	file, ok := ana.w.files.lookup(place{volume: volumeID("main.retail.exports"), within: "/big"})
	if memory, disk := file.content.(*blob).footprint(); !ok || memory != 0 || disk != size {
		t.Errorf("%d bytes in memory, %d on disk", memory, disk)
	}
	got := ana.send("GET", fsFiles+exports+"/big", nil).Body.Bytes()
	if sha256.Sum256(got) != sha256.Sum256(want) {
		t.Error("the bytes differ")
	}
}

func TestBrokenUploadLeavesNothing(t *testing.T) {
	ana, _, _ := newCallers(t)
	body := io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errors.New("gone")))
	if rec := ana.send("PUT", fsFiles+exports+"/half", body); rec.Code != 400 {
		t.Errorf("status %d", rec.Code)
	}
	ana.refused("GET", fsFiles+exports+"/half", nil, 404, "NOT_FOUND")
}

func TestDownloadSurvivesOverwrite(t *testing.T) {
	ana, _, _ := newCallers(t)
	first := strings.Repeat("a", spillAfter+1)
	ana.send("PUT", fsFiles+exports+"/f", first)
	file, _ := ana.w.files.lookup(place{volume: volumeID("main.retail.exports"), within: "/f"})
	body, err := file.content.open()
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	ana.send("PUT", fsFiles+exports+"/f", "b")
	if got, err := io.ReadAll(body); err != nil || string(got) != first {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

func TestGeneratedFilesReadTheSameInPieces(t *testing.T) {
	ana, _, _ := newCallers(t)
	const clicks = fsFiles + "/Volumes/main/retail/landing/clickstream/2025-06-29.jsonl"
	read := func(path, r string) []byte { return ana.send("GET", path, nil, "Range: bytes="+r).Body.Bytes() }
	for _, path := range []string{clicks, fsFiles + benchRoot + "/3MiB.bin"} {
		whole, pieces := read(path, "0-99999"), []byte(nil)
		for _, r := range []string{"0-6", "7-12345", "12346-12346", "12347-99999"} {
			pieces = append(pieces, read(path, r)...)
		}
		if len(whole) != 100000 || !bytes.Equal(whole, pieces) {
			t.Errorf("%s: %d bytes and %d in pieces differ", path, len(whole), len(pieces))
		}
	}
	for _, line := range [][]byte{read(clicks, "0-99"), read(clicks, "-100")} {
		if len(line) != clickWidth || !json.Valid(line) {
			t.Errorf("not JSON: %s", line)
		}
	}
	if rec := ana.send("HEAD", fsFiles+benchRoot+"/10240MiB.bin", nil); rec.Header().Get("Content-Length") != "10737418240" {
		t.Errorf("bench file: %d %v", rec.Code, rec.Header())
	}
	ana.refused("GET", fsFiles+benchRoot+"/10241MiB.bin", nil, 404, "NOT_FOUND")
}

func TestDroppedVolumeLosesItsFiles(t *testing.T) {
	ana, _, _ := newCallers(t)
	volume := shape{"name": "exports", "catalog_name": "main", "schema_name": "retail", "volume_type": "MANAGED"}
	ana.get(fsDirs + exports)
	ana.call("DELETE", unity+"/volumes/main.retail.exports", nil)
	ana.refused("GET", fsDirs+exports, nil, 404, "NOT_FOUND")
	ana.call("POST", unity+"/volumes", volume)
	if got := ana.get(fsDirs + exports); len(got) != 0 {
		t.Errorf("a new volume of the same name holds %v", got)
	}
}

func TestLandingHoldsTheBrokenAmountsOfTheFailingJob(t *testing.T) {
	ana, _, _ := newCallers(t)
	last := ana.send("GET", fsFiles+"/Volumes/main/retail/landing/orders/2025-06-29.csv", nil).Body.String()
	before := ana.send("GET", fsFiles+"/Volumes/main/retail/landing/orders/2025-06-28.csv", nil).Body.String()
	broken := regexp.MustCompile(`,"[0-9O]+,[0-9O]+"\n`)
	if !broken.MatchString(last) || broken.MatchString(before) || strings.Count(before, "\n") < 10 {
		t.Errorf("last day:\n%s\nday before:\n%s", last, before)
	}
}

func FuzzByteRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=3-", "bytes=9999999999999999999-", "bytes=--1", "x"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		from, to, ranged, err := byteRange(header, size)
		if err == nil && (from < 0 || to > size || from > to || ranged && from == to) {
			t.Errorf("%q of %d: %d to %d", header, size, from, to)
		}
	})
}
