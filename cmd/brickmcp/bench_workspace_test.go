package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// workspaceFake answers the requests of the benchmarks with bodies that were made
// before: what it costs is what a bare GET costs. The sandbox would be measured
// along with the server.
type workspaceFake struct {
	*httptest.Server
	client *http.Client
	delay  atomic.Int64 // of jobs/list
	rows   atomic.Pointer[[]byte]
}

const downloadSize = 1 << 30

func newWorkspaceFake(b *testing.B) *workspaceFake {
	b.Helper()
	w := &workspaceFake{}
	jobs := jobsBody(20)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/2.2/jobs/list", func(rw http.ResponseWriter, r *http.Request) {
		if d := w.delay.Load(); d > 0 {
			time.Sleep(time.Duration(d))
		}
		writeJSON(rw, jobs)
	})
	mux.HandleFunc("GET /api/2.2/jobs/get", func(rw http.ResponseWriter, r *http.Request) {
		select { // the slow one
		case <-time.After(2 * time.Second):
			writeJSON(rw, []byte(`{"job_id":1,"settings":{"name":"slow"}}`))
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("GET /api/2.0/preview/scim/v2/Me", func(rw http.ResponseWriter, r *http.Request) { // a server looks once whom it serves
		writeJSON(rw, []byte(`{"id":"1","userName":"ana.silva@example.com"}`))
	})
	mux.HandleFunc("POST /api/2.0/sql/statements", func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		writeJSON(rw, *w.rows.Load())
	})
	mux.HandleFunc("GET /api/2.0/fs/files/", func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Length", strconv.Itoa(downloadSize))
		rw.Header().Set("Content-Type", "application/octet-stream")
		zeros := make([]byte, 1<<20)
		for range downloadSize / len(zeros) {
			if _, err := rw.Write(zeros); err != nil {
				return
			}
		}
	})
	w.Server = httptest.NewServer(mux)
	w.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	b.Cleanup(w.Close)
	return w
}

func writeJSON(rw http.ResponseWriter, body []byte) {
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = rw.Write(body) // a client that went away is none of its business
}

// environment points brickmcp at the fake.
func (w *workspaceFake) environment() []string {
	return []string{"DATABRICKS_HOST=" + w.URL, "DATABRICKS_TOKEN=dapi-bench", "BRICKMCP_RATE_LIMIT=off"}
}

// serve is brickmcp on the fake, after the handshake.
func (w *workspaceFake) serve(b *testing.B, r *report, arguments ...string) *driver {
	b.Helper()
	return spawn(b, w.environment(), r.path("brickmcp"), append([]string{"--access", "full"}, arguments...)...).hello()
}

// get is the bare request that a call is compared with.
func (w *workspaceFake) get(b *testing.B, path string) {
	resp, err := w.client.Get(w.URL + path)
	w.drain(b, resp, err)
}

func (w *workspaceFake) post(b *testing.B, path string) {
	resp, err := w.client.Post(w.URL+path, "application/json", strings.NewReader(`{"statement":"SELECT * FROM t","warehouse_id":"w"}`))
	w.drain(b, resp, err)
}

func (w *workspaceFake) drain(b *testing.B, resp *http.Response, err error) {
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if err != nil {
		b.Error(err)
	}
}

// jobsBody is what jobs/list sends for n jobs, 450 bytes each.
func jobsBody(n int) []byte {
	var out bytes.Buffer
	out.WriteString(`{"jobs":[`)
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"job_id":%d,"creator_user_name":"ana.silva@example.com","created_time":%d,"settings":{"name":"nightly_orders_%02d",`+
			`"email_notifications":{"on_failure":["data-oncall@example.com"],"no_alert_for_skipped_runs":false},"webhook_notifications":{},"timeout_seconds":3600,`+
			`"schedule":{"quartz_cron_expression":"0 %d 3 * * ?","timezone_id":"UTC","pause_status":"UNPAUSED"},"max_concurrent_runs":1,`+
			`"tags":{"team":"data-platform","env":"prod"},"format":"MULTI_TASK","queue":{"enabled":true}}}`,
			409233744055660+int64(i)*7919, 1760000000000+int64(i)*86400000, i, i)
	}
	out.WriteString(`],"has_more":false}`)
	return out.Bytes()
}

// rowsBody is what the Statement Execution API sends for n rows of five columns,
// and the same rows as CSV.
func rowsBody(n int) (body, asCSV []byte) {
	var out, text bytes.Buffer
	table := csv.NewWriter(&text)
	_ = table.Write([]string{"id", "code", "customer", "amount", "created_at"}) // into memory
	fmt.Fprintf(&out, `{"statement_id":"01f0a1b2-c3d4-1e5f-8a9b-0c1d2e3f4a5b","status":{"state":"SUCCEEDED"},"manifest":{"format":"JSON_ARRAY","schema":{"column_count":5,"columns":[`+
		`{"name":"id","type_text":"BIGINT","type_name":"LONG","position":0},{"name":"code","type_text":"STRING","type_name":"STRING","position":1},`+
		`{"name":"customer","type_text":"STRING","type_name":"STRING","position":2},{"name":"amount","type_text":"DECIMAL(12,2)","type_name":"DECIMAL","type_precision":12,"type_scale":2,"position":3},`+
		`{"name":"created_at","type_text":"TIMESTAMP","type_name":"TIMESTAMP","position":4}]},"total_chunk_count":1,"chunks":[{"chunk_index":0,"row_offset":0,"row_count":%d}],"total_row_count":%d,"truncated":false},`+
		`"result":{"chunk_index":0,"row_offset":0,"row_count":%d,"data_array":[`, n, n, n)
	names := []string{"Ana Silva", "Bruno Costa", "Carla Mendes", "Davi Rocha", "Elisa Prado"}
	for i := range n {
		row := []string{
			strconv.Itoa(1000000000 + i*7919), fmt.Sprintf("SKU-%04d", i*37%10000), names[i%len(names)],
			fmt.Sprintf("%d.%02d", 10+i*13%990, i*29%100),
			time.Unix(1760000000+int64(i)*4231, 0).UTC().Format("2006-01-02T15:04:05.000Z"),
		}
		_ = table.Write(row)
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`["` + strings.Join(row, `","`) + `"]`)
	}
	table.Flush()
	out.WriteString(`]}}`)
	return out.Bytes(), text.Bytes()
}
