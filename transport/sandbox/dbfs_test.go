package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
	"time"
)

const dbfsAPI = "/api/2.0/dbfs"

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func TestDBFSPutAndRead(t *testing.T) {
	ana, ben, _ := newCallers(t)
	put := func(contents string, overwrite bool) shape {
		return shape{"path": "dbfs:/tmp/a/b.txt", "contents": b64(contents), "overwrite": overwrite}
	}
	ana.call("POST", dbfsAPI+"/put", put("0123456789", false))
	ana.refused("POST", dbfsAPI+"/put", put("x", false), 400, "RESOURCE_ALREADY_EXISTS")
	ana.refused("POST", dbfsAPI+"/put", put(strings.Repeat("x", dbfsBlock+1), true), 400, "MAX_BLOCK_SIZE_EXCEEDED")
	ana.call("POST", dbfsAPI+"/put", shape{"path": "/tmp/a/full", "contents": b64(strings.Repeat("x", dbfsBlock))})
	for _, c := range []struct {
		query, data, count string
	}{
		{"", "0123456789", "10"},
		{"&offset=8", "89", "2"},
		{"&offset=2&length=3", "234", "3"},
		{"&offset=10", "", "0"},
		{"&offset=99", "", "0"},
	} {
		got := ben.get(dbfsAPI + "/read?path=/tmp/a/b.txt" + c.query) // everyone's file system
		if got["data"] != b64(c.data) || got["bytes_read"].(json.Number).String() != c.count {
			t.Errorf("%s: %v", c.query, got)
		}
	}
	if got := ana.get(dbfsAPI + "/read?path=/tmp/a/full")["bytes_read"].(json.Number).String(); got != "524288" {
		t.Errorf("a read without length answers %s bytes", got)
	}
	ana.refused("GET", dbfsAPI+"/read?path=/tmp/a/b.txt&length=1048577", nil, 400, "MAX_READ_SIZE_EXCEEDED")
	ana.refused("GET", dbfsAPI+"/read?path=/tmp/a/b.txt&offset=-1", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", dbfsAPI+"/read?path=/tmp/a", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", dbfsAPI+"/read?path=/tmp/nope", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.refused("GET", dbfsAPI+"/read?path=/Volumes/main/retail/exports/stores.csv", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", dbfsAPI+"/put", shape{"path": "/x", "contents": "%%%"}, 400, "INVALID_PARAMETER_VALUE")
}

func TestDBFSHandles(t *testing.T) {
	ana, _, clock := newCallers(t)
	ana.call("POST", dbfsAPI+"/put", shape{"path": "/tmp/h", "contents": b64("old")})
	ana.refused("POST", dbfsAPI+"/create", shape{"path": "/tmp/h"}, 400, "RESOURCE_ALREADY_EXISTS")
	handle := ana.call("POST", dbfsAPI+"/create", shape{"path": "/tmp/h", "overwrite": true})["handle"].(json.Number)
	size := func() string { return ana.get(dbfsAPI + "/get-status?path=/tmp/h")["file_size"].(json.Number).String() }
	if size() != "0" {
		t.Error("create must truncate at once")
	}
	block := strings.Repeat("y", dbfsBlock)
	for range 3 {
		ana.call("POST", dbfsAPI+"/add-block", shape{"handle": handle, "data": b64(block)})
		clock.advance(9 * time.Minute)
	}
	ana.refused("POST", dbfsAPI+"/add-block", shape{"handle": handle, "data": b64(block + "y")}, 400, "MAX_BLOCK_SIZE_EXCEEDED")
	ana.call("POST", dbfsAPI+"/close", shape{"handle": handle})
	if size() != "3145728" {
		t.Errorf("size %s", size())
	}
	ana.refused("POST", dbfsAPI+"/close", shape{"handle": handle}, 404, "RESOURCE_DOES_NOT_EXIST")
	idle := ana.call("POST", dbfsAPI+"/create", shape{"path": "/tmp/idle"})["handle"]
	clock.advance(handleIdle + time.Second)
	ana.refused("POST", dbfsAPI+"/add-block", shape{"handle": idle, "data": ""}, 404, "RESOURCE_DOES_NOT_EXIST")
}

func TestDBFSTree(t *testing.T) {
	ana, _, _ := newCallers(t)
	list := func(path string) []string { return names(ana.get(dbfsAPI + "/list?path=" + path)["files"], "path") }
	if got := list("/"); !slices.Equal(got, []string{"/FileStore", "/databricks-datasets", "/tmp"}) {
		t.Errorf("root: %v", got)
	}
	if got := list("/FileStore/README.txt"); !slices.Equal(got, []string{"/FileStore/README.txt"}) {
		t.Errorf("a file lists itself: %v", got)
	}
	ana.call("POST", dbfsAPI+"/mkdirs", shape{"path": "/m/n"})
	if got := ana.get(dbfsAPI + "/list?path=/m/n"); len(got) != 0 {
		t.Errorf("empty: %v", got)
	}
	ana.refused("POST", dbfsAPI+"/mkdirs", shape{"path": "/FileStore/README.txt/x"}, 400, "RESOURCE_ALREADY_EXISTS")
	if got := ana.refused("POST", dbfsAPI+"/delete", shape{"path": "/m"}, 400, "IO_ERROR"); !strings.HasPrefix(got, "Directory is not empty. Use recursive delete") {
		t.Error(got)
	}
	ana.call("POST", dbfsAPI+"/move", shape{"source_path": "/FileStore", "destination_path": "/m/n/store"})
	if got := list("/m/n/store"); !slices.Equal(got, []string{"/m/n/store/README.txt", "/m/n/store/tables"}) {
		t.Errorf("moved: %v", got)
	}
	ana.refused("POST", dbfsAPI+"/move", shape{"source_path": "/m", "destination_path": "/m/n/x"}, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", dbfsAPI+"/move", shape{"source_path": "/m", "destination_path": "/tmp"}, 400, "RESOURCE_ALREADY_EXISTS")
	ana.refused("POST", dbfsAPI+"/move", shape{"source_path": "/FileStore", "destination_path": "/x"}, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.call("POST", dbfsAPI+"/delete", shape{"path": "/m", "recursive": true})
	ana.call("POST", dbfsAPI+"/delete", shape{"path": "/m"}) // missing: success
	ana.refused("GET", dbfsAPI+"/get-status?path=/m", nil, 404, "RESOURCE_DOES_NOT_EXIST")
}

func TestDBFSPutForm(t *testing.T) {
	ana, _, _ := newCallers(t)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	_ = m.WriteField("path", "/tmp/form")
	_ = m.WriteField("overwrite", "true")
	part, _ := m.CreateFormFile("contents", "form")
	_, _ = part.Write(bytes.Repeat([]byte("z"), 2*dbfsBlock))
	_ = m.Close()
	ana.call("POST", dbfsAPI+"/put", &form, "Content-Type: "+m.FormDataContentType())
	if got := ana.get(dbfsAPI + "/get-status?path=/tmp/form")["file_size"].(json.Number).String(); got != "2097152" {
		t.Errorf("size %s", got)
	}
}
