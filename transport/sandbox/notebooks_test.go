package sandbox

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const workspaceAPI = "/api/2.0/workspace"

func exported(c caller, path, format string) (text, fileType string) {
	c.t.Helper()
	got := c.get(workspaceAPI + "/export?path=" + path + "&format=" + format)
	b, err := base64.StdEncoding.DecodeString(got["content"].(string))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b), got["file_type"].(string)
}

func TestWorkspaceListAndStatus(t *testing.T) {
	ana, ben, clock := newCallers(t)
	list := func(c caller, path string) []string {
		return names(c.get(workspaceAPI + "/list?path=" + path)["objects"], "path")
	}
	for _, c := range []struct {
		who  caller
		path string
		want string
	}{
		{ana, "/", "/Repos /Shared /Users"},
		{ana, "/Workspace/Users", "/Workspace/Users/ana@example.com /Workspace/Users/ben@example.com /Workspace/Users/carla@example.com /Workspace/Users/deniz@example.com /Workspace/Users/erik@example.com"},
		{ana, "/Shared//etl/config.json", "/Shared/etl/config.json"},
		{ben, "/Users/ben@example.com", "/Users/ben@example.com/adhoc"},
	} {
		if got := strings.Join(list(c.who, c.path), " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
	ben.refused("GET", workspaceAPI+"/list?path=/Users/ana@example.com/drafts", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	ben.get(workspaceAPI + "/get-status?path=/Users/ana@example.com/published/customer_segments")
	nb := ana.get(workspaceAPI + "/get-status?path=/Users/ana@example.com/churn_exploration&return_export_info=true")
	if nb["object_type"] != "NOTEBOOK" || nb["language"] != "PYTHON" || nb["repos_export_format"] != "JUPYTER" || len(nb["object_id"].(json.Number)) != 16 {
		t.Errorf("status: %v", nb)
	}
	if got := ana.refused("GET", workspaceAPI+"/get-status?path=/Shared/etl/nope", nil, 404, "RESOURCE_DOES_NOT_EXIST"); got != "Path (/Shared/etl/nope) doesn't exist." {
		t.Error(got)
	}
	since := clock.Now().AddDate(0, 0, -10).UnixMilli()
	lately := list(ana, fmt.Sprintf("/Shared/etl&notebooks_modified_after=%d", since)) // files are not filtered
	if !slices.Contains(lately, "/Shared/etl/README.md") || !slices.Contains(lately, "/Shared/etl/validate_orders") || slices.Contains(lately, "/Shared/etl/merge_orders") {
		t.Errorf("modified lately: %v", lately)
	}
	if repo := ana.get(workspaceAPI + "/get-status?path=/Repos/ana@example.com/retail-pipelines"); repo["object_type"] != "REPO" {
		t.Errorf("repo: %v", repo)
	}
	ana.refused("GET", workspaceAPI+"/list?path=Shared", nil, 400, "INVALID_PARAMETER_VALUE")
}

func TestWorkspaceImport(t *testing.T) {
	ana, ben, clock := newCallers(t)
	const home = "/Users/ana@example.com"
	in := func(path, content, format, language string, overwrite bool) shape {
		return shape{"path": path, "content": b64(content), "format": format, "language": language, "overwrite": overwrite}
	}
	first := ana.call("POST", workspaceAPI+"/import", in(home+"/nb", "print(1)", "SOURCE", "PYTHON", false))
	if text, kind := exported(ana, home+"/nb", "SOURCE"); text != "# Databricks notebook source\nprint(1)" || kind != "py" {
		t.Errorf("%q as %s", text, kind)
	}
	ana.refused("POST", workspaceAPI+"/import", in(home+"/nb", "x", "SOURCE", "PYTHON", false), 400, "RESOURCE_ALREADY_EXISTS")
	clock.advance(time.Hour)
	again := ana.call("POST", workspaceAPI+"/import", in(home+"/nb", "SELECT 1", "SOURCE", "SQL", true))
	if again["object_id"] != first["object_id"] {
		t.Error("an overwrite keeps the id")
	}
	ana.refused("POST", workspaceAPI+"/import", in(home+"/drafts", "x", "SOURCE", "PYTHON", true), 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", workspaceAPI+"/import", in(home+"/x", "x", "SOURCE", "", false), 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", workspaceAPI+"/import", in(home+"/x", "x", "source", "PYTHON", false), 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", workspaceAPI+"/import", in(home+"/x", "x", "JUPYTER", "", false), 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", workspaceAPI+"/import", in(home+"/x", "x", "DBC", "", true), 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", workspaceAPI+"/import", shape{"path": home + "/x", "format": "AUTO"}, 400, "BAD_REQUEST")
	large := `{"path":"` + home + `/x","format":"AUTO","content":"` + strings.Repeat("AAAA", largestNotebook/3+1) + `"}`
	ana.refused("POST", workspaceAPI+"/import", large, 400, "MAX_NOTEBOOK_SIZE_EXCEEDED")
	if got := ana.refused("POST", workspaceAPI+"/import", in(home+"/no/x", "x", "AUTO", "", false), 404, "RESOURCE_DOES_NOT_EXIST"); got != "The parent folder (/Users/ana@example.com/no) does not exist." {
		t.Error(got)
	}
	ben.refused("POST", workspaceAPI+"/import", in(home+"/published/x", "x", "AUTO", "", false), 403, "PERMISSION_DENIED")
	ben.refused("POST", workspaceAPI+"/import", in(home+"/x", "x", "AUTO", "", false), 404, "RESOURCE_DOES_NOT_EXIST")
	for _, c := range []struct{ name, content, format, kept, kind string }{
		{"auto.py", "# Databricks notebook source\n1", "AUTO", "auto", "NOTEBOOK"},
		{"plain.py", "print(1)", "AUTO", "plain.py", "FILE"},
		{"q.sql", "-- Databricks notebook source\r\nSELECT 1", "AUTO", "q", "NOTEBOOK"},
		{"raw.py", "# Databricks notebook source\n1", "RAW", "raw.py", "FILE"},
		{"j.ipynb", `{"nbformat":4,"cells":[{"cell_type":"code","source":["a\n","b"]},{"cell_type":"markdown","source":"# t"}]}`, "AUTO", "j", "NOTEBOOK"},
		{"data.csv", "a,b\n", "AUTO", "data.csv", "FILE"},
	} {
		ana.call("POST", workspaceAPI+"/import", in(home+"/"+c.name, c.content, c.format, "", false))
		if got := ana.get(workspaceAPI + "/get-status?path=" + home + "/" + c.kept)["object_type"]; got != c.kind {
			t.Errorf("%s is kept as %v", c.name, got)
		}
	}
	if text, _ := exported(ana, home+"/j", "SOURCE"); text != "# Databricks notebook source\na\nb\n\n# COMMAND ----------\n\n# MAGIC %md\n# MAGIC # t\n" {
		t.Errorf("jupyter as source: %q", text)
	}
}

func TestWorkspaceFormatsRoundTrip(t *testing.T) {
	ana, _, _ := newCallers(t)
	const original = "/Shared/etl/validate_orders"
	want, _ := exported(ana, original, "SOURCE")
	for format, fileType := range map[string]string{"SOURCE": "py", "HTML": "html", "JUPYTER": "ipynb", "DBC": "dbc"} {
		text, kind := exported(ana, original, format)
		if kind != fileType {
			t.Errorf("%s has file_type %s", format, kind)
		}
		copied := "/Shared/copy_" + format
		ana.call("POST", workspaceAPI+"/import", shape{"path": copied, "content": b64(text), "format": format, "language": "PYTHON"})
		if got, _ := exported(ana, copied, "SOURCE"); got != want {
			t.Errorf("through %s:\n%s\nwant\n%s", format, got, want)
		}
	}
}

func TestWorkspaceExportOfFilesAndFolders(t *testing.T) {
	ana, _, _ := newCallers(t)
	if rec := ana.send("GET", workspaceAPI+"/export?path=/Shared/etl/config.json&format=AUTO&direct_download=true", nil); rec.Code != 200 || !strings.HasPrefix(rec.Body.String(), "{\n") {
		t.Errorf("direct: %d %s", rec.Code, rec.Body)
	}
	entries := func(format string) []string {
		text, _ := exported(ana, "/Shared/etl", format)
		z, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, f := range z.File {
			out = append(out, f.Name)
		}
		return out
	}
	if got := entries("SOURCE"); !slices.Contains(got, "merge_orders.sql") || !slices.Contains(got, "land_orders.py") || slices.Contains(got, "config.json") {
		t.Errorf("source: %v", got)
	}
	if got := entries("AUTO"); !slices.Contains(got, "config.json") {
		t.Errorf("auto: %v", got)
	}
	ana.refused("GET", workspaceAPI+"/export?path=/Shared/etl&format=HTML", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", workspaceAPI+"/export?path=/Shared/etl/config.json&format=HTML", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", workspaceAPI+"/export?path=/Shared/etl/config.json&format=PDF", nil, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("GET", workspaceAPI+"/export?path=/Shared/nope", nil, 404, "RESOURCE_DOES_NOT_EXIST")
}

func TestLargeWorkspaceFilesGoByForm(t *testing.T) {
	ana, _, _ := newCallers(t)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	for k, v := range map[string]string{"path": "/Shared/big.bin", "format": "AUTO", "overwrite": "true"} {
		_ = m.WriteField(k, v)
	}
	part, _ := m.CreateFormFile("content", "big.bin")
	_, _ = part.Write(make([]byte, largestNotebook+1))
	_ = m.Close()
	ana.call("POST", workspaceAPI+"/import", &form, "Content-Type: "+m.FormDataContentType())
	ana.refused("GET", workspaceAPI+"/export?path=/Shared/big.bin&format=AUTO", nil, 400, "MAX_NOTEBOOK_SIZE_EXCEEDED")
	if rec := ana.send("GET", workspaceAPI+"/export?path=/Shared/big.bin&format=AUTO&direct_download=true", nil); rec.Code != 200 || rec.Body.Len() != largestNotebook+1 {
		t.Errorf("direct: %d, %d bytes", rec.Code, rec.Body.Len())
	}
	ana.call("POST", "/api/2.0/workspace-files/import-file/Shared%2Fraw.py?overwrite=true", "# Databricks notebook source\n1")
	ana.get(workspaceAPI + "/get-status?path=/Shared/raw")
}

func TestWorkspaceMkdirsAndDelete(t *testing.T) {
	ana, ben, _ := newCallers(t)
	for range 2 {
		ana.call("POST", workspaceAPI+"/mkdirs", shape{"path": "/Shared/x/y"})
	}
	ana.refused("POST", workspaceAPI+"/mkdirs", shape{"path": "/Shared/etl/config.json/y"}, 400, "RESOURCE_ALREADY_EXISTS")
	ben.refused("POST", workspaceAPI+"/mkdirs", shape{"path": "/Users/carl@example.com"}, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.refused("POST", workspaceAPI+"/delete", shape{"path": "/Shared/x"}, 400, "DIRECTORY_NOT_EMPTY")
	ana.refused("POST", workspaceAPI+"/delete", shape{"path": "/Shared", "recursive": true}, 400, "BAD_REQUEST")
	ana.refused("POST", workspaceAPI+"/delete", shape{"path": "/Users/ana@example.com", "recursive": true}, 400, "BAD_REQUEST")
	ana.call("POST", workspaceAPI+"/delete", shape{"path": "/Shared/x", "recursive": true})
	ana.refused("POST", workspaceAPI+"/delete", shape{"path": "/Shared/x"}, 404, "RESOURCE_DOES_NOT_EXIST")
	ben.refused("POST", workspaceAPI+"/delete", shape{"path": "/Users/ana@example.com/published/customer_segments"}, 403, "PERMISSION_DENIED")
}

func FuzzNotebookFormats(f *testing.F) {
	f.Add(`{"nbformat":4,"cells":[{"cell_type":"code","source":["a\n"]}]}`)
	f.Add("var __DATABRICKS_NOTEBOOK_MODEL = 'JTdCJTdE'")
	f.Add("# Databricks notebook source\n# MAGIC %md\n\n# COMMAND ----------\nx")
	f.Fuzz(func(t *testing.T, text string) {
		for _, read := range []func(string) (item, error){fromJupyter, fromHTML, fromArchive} {
			v, err := read(text)
			if err != nil {
				continue
			}
			if again := sourceOf(v.language, cells(v.language, v.source)); sourceOf(v.language, cells(v.language, again)) != again {
				t.Errorf("%q is not stable as source", text)
			}
		}
	})
}

func TestSeededJobsFindTheirNotebooks(t *testing.T) {
	ana, _, _ := newCallers(t)
	path := regexp.MustCompile(`"(?:notebook_path|python_file|path)":"(/Workspace/[^"]+)"`)
	seen := 0
	rec := ana.send("GET", "/api/2.2/jobs/list?limit=100&expand_tasks=true", nil)
	for _, m := range path.FindAllStringSubmatch(rec.Body.String(), -1) {
		seen++
		ana.get(workspaceAPI + "/get-status?path=" + m[1])
	}
	if seen < 20 {
		t.Errorf("only %d paths seen", seen)
	}
}
