package rest

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// jobList is 9 kB, as 20 jobs are.
var jobList = `{"jobs":[` + strings.Repeat(`{"job_id":123456789012345,"creator_user_name":"ana@example.com","settings":{"name":"nightly","tags":{"team":"data"},"max_concurrent_runs":1,"format":"MULTI_TASK","email_notifications":{},"timeout_seconds":0,"schedule":{"quartz_cron_expression":"0 0 3 * * ?","timezone_id":"UTC","pause_status":"UNPAUSED"},"run_as":"x"},"created_time":1700000000000},`, 26) + `{}],"has_more":false}`

func listJobs(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Request-Id", "3f1c7b1e")
	w.Header().Set("Content-Length", fmt.Sprint(len(jobList)))
	io.WriteString(w, jobList)
}

// BenchmarkGET compares a 9 kB list over a bare kept connection with the same
// through Do, and says what of the difference is the check of the JSON.
func BenchmarkGET(b *testing.B) {
	b.Run("bare", func(b *testing.B) {
		client, server := serve(b, listJobs)
		for b.Loop() {
			resp, err := client.http.Get(server.URL + "/api/2.2/jobs/list?limit=20")
			if err != nil {
				b.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || len(body) != len(jobList) {
				b.Fatal(err, len(body))
			}
			resp.Body.Close()
		}
	})
	b.Run("Do", func(b *testing.B) {
		client, _ := serve(b, listJobs)
		call := callOf(getJob)
		for b.Loop() {
			if _, err := client.Do(b.Context(), call); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json check alone", func(b *testing.B) {
		body := []byte(jobList)
		for b.Loop() {
			if !gjson.ValidBytes(body) {
				b.Fatal("not valid")
			}
		}
	})
}
