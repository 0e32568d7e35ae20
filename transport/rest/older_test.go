package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"brickmcp/catalog"
)

// TestOlderJobsAPI: a workspace that does not know Jobs 2.2 is asked in 2.1, and
// only then.
func TestOlderJobsAPI(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		asked      []string
	}{
		{"missing route", `{"error_code":"ENDPOINT_NOT_FOUND","message":"No API found for 'GET /jobs/get'"}`, 404, []string{"/api/2.2/jobs/get", "/api/2.1/jobs/get"}},
		{"bad target", `{"error":"Bad Target: /api/2.2/jobs/get"}`, 404, []string{"/api/2.2/jobs/get", "/api/2.1/jobs/get"}},
		{"missing job", `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Job 1 does not exist."}`, 404, []string{"/api/2.2/jobs/get"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.Path)
				w.Header().Set("Content-Type", "application/json")
				if len(asked) == 1 {
					w.WriteHeader(tt.status)
					_, _ = w.Write([]byte(tt.body))
					return
				}
				_, _ = w.Write([]byte(`{"job_id":1}`))
			}))
			defer server.Close()
			client, err := New(Config{Host: server.URL, Token: func(context.Context) (string, error) { return "t", nil }})
			if err != nil {
				t.Fatal(err)
			}
			call, err := catalog.GetJob.Bind([]byte(`{"job_id":1}`))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.Do(t.Context(), call); (err == nil) != (len(tt.asked) == 2) {
				t.Errorf("%v", err)
			}
			if len(asked) != len(tt.asked) || asked[len(asked)-1] != tt.asked[len(tt.asked)-1] {
				t.Errorf("asked %v, want %v", asked, tt.asked)
			}
		})
	}
}
