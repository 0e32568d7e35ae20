package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

func benchSize(b *testing.B, r *report) {
	binary, err := os.ReadFile(r.path("brickmcp"))
	if err != nil {
		b.Fatal(err)
	}
	r.add(b, "binary, stripped", float64(len(binary))/1e6, "MB", 20)
	var counted counter
	zipped := gzip.NewWriter(&counted)
	if _, err := zipped.Write(binary); err != nil {
		b.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		b.Fatal(err)
	}
	r.note(b, "binary, gzip", float64(counted)/1e6, "MB", "")
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// benchList is what a host pays for the list of tools in every request.
func benchList(b *testing.B, r *report) {
	for _, access := range []struct {
		level string
		goal  float64
	}{{"full", 37_000}, {"read", 16_000}} {
		d := spawn(b, nil, r.path("brickmcp"), "--access", access.level).hello()
		tools := gjson.GetBytes(d.ask("tools/list", `{}`), "result.tools")
		all := []byte(tools.Raw)
		count := float64(len(tools.Array()))
		r.add(b, "tools/list, "+access.level, float64(len(all)), "bytes", access.goal)
		r.note(b, "tools/list, "+access.level+", tools", count, "tools", "")
		var largest float64
		name := ""
		var forModels []json.RawMessage // name, description and inputSchema: what hosts pass on
		for _, tool := range tools.Array() {
			if n := float64(len(tool.Raw)); n > largest {
				largest, name = n, tool.Get("name").Str
			}
			model, err := json.Marshal(map[string]json.RawMessage{
				"name": json.RawMessage(tool.Get("name").Raw), "description": json.RawMessage(tool.Get("description").Raw), "inputSchema": json.RawMessage(tool.Get("inputSchema").Raw),
			})
			if err != nil {
				b.Fatal(err)
			}
			forModels = append(forModels, model)
		}
		r.add(b, "largest tool, "+name, largest, "bytes", 3_000)
		if access.level == "full" {
			r.note(b, "bytes a tool", float64(len(all))/count, "bytes", "")
			r.add(b, "o200k tokens a tool", float64(tokens(b, bytes.Join(rawBytes(forModels), nil)))/count, "tokens", 112)
		}
		d.stop()
	}
}

func rawBytes(messages []json.RawMessage) [][]byte {
	var all [][]byte
	for _, m := range messages {
		all = append(all, m)
	}
	return all
}

// tokens counts o200k tokens with gpt-tokenizer, where Node and testdata/clients
// are installed (make clients), and else estimates them as bytes/4.
func tokens(b *testing.B, text []byte) int {
	b.Helper()
	file := filepath.Join(b.TempDir(), "text")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("node", "tokens.mjs", file)
	cmd.Dir = "../../testdata/clients"
	out, err := cmd.Output()
	n, parseErr := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || parseErr != nil {
		b.Log("tokens are estimated as bytes/4: Node or gpt-tokenizer is missing, see make clients")
		return len(text) / 4
	}
	return n
}

// benchStart is from the spawn to the answer of tools/list, each server in turn.
func benchStart(b *testing.B, r *report) {
	const starts = 25
	var ours, bare, empty []time.Duration
	for i := range starts + 2 {
		list := func(binary string, arguments ...string) time.Duration {
			began := time.Now()
			d := spawn(b, nil, r.path(binary), arguments...)
			d.hello()
			d.ask("tools/list", `{}`)
			took := time.Since(began)
			d.stop()
			return took
		}
		began := time.Now()
		if err := exec.Command("true").Run(); err != nil {
			b.Fatal(err)
		}
		none := time.Since(began)
		one, other := list("brickmcp", "--access", "full"), list("bare")
		if i >= 2 { // the first ones warm the caches of the disk
			empty, ours, bare = append(empty, none), append(ours, one), append(bare, other)
		}
	}
	r.note(b, "start to tools/list", millis(median(ours)), "ms", "7 where bare mcp-go takes 4.6")
	r.note(b, "start to tools/list, fastest", millis(quantile(ours, 0)), "ms", "")
	r.note(b, "start of a bare mcp-go server", millis(median(bare)), "ms", "")
	r.note(b, "start of an empty process", millis(median(empty)), "ms", "")
	r.add(b, "start, of bare mcp-go", float64(median(ours))/float64(median(bare)), "times", 1.5)
}

func benchMemory(b *testing.B, r *report) {
	d := spawn(b, nil, r.path("brickmcp"), "--access", "full").hello()
	defer d.stop()
	d.ask("tools/list", `{}`)
	resident, _ := d.memory()
	r.add(b, "memory after tools/list", mib(resident), "MiB", 18)
	before := d.cpu()
	const idle = 5 * time.Second
	time.Sleep(idle)
	r.add(b, "processor time when idle", millis(d.cpu()-before)/idle.Seconds(), "ms/s", 0.01)

	bare := spawn(b, nil, r.path("bare")).hello()
	defer bare.stop()
	bare.ask("tools/list", `{}`)
	resident, _ = bare.memory()
	r.note(b, "memory of a bare mcp-go server", mib(resident), "MiB", "")
}

// benchDownload streams a gigabyte to a file.
func benchDownload(b *testing.B, r *report) {
	w := newWorkspaceFake(b)
	dir := b.TempDir()
	d := w.serve(b, r, "--allow-dir", dir)
	defer d.stop()
	d.call("jobs_list", `{}`)
	before, _ := d.memory()
	began := time.Now()
	d.call("files_download", `{"path":"/Volumes/main/default/data/large.bin","local_path":`+strconv.Quote(filepath.Join(dir, "large.bin"))+`}`)
	took := time.Since(began)
	_, peak := d.memory()
	info, err := os.Stat(filepath.Join(dir, "large.bin"))
	if err != nil || info.Size() != downloadSize {
		b.Fatalf("the file is not there whole: %v %v", info, err)
	}
	r.add(b, "memory for a download of 1 GiB", mib(peak-before), "MiB", 20)
	r.note(b, "speed of a download of 1 GiB", downloadSize/1e6/took.Seconds(), "MB/s", "")
}
