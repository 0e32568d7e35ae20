package rest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"brickmcp/catalog"
)

func TestCredentialHeaders(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		_, _ = w.Write([]byte(`{}`))
	}))
	defer server.Close()
	var failing error
	client, err := New(Config{
		Host:  server.URL,
		Token: func(context.Context) (string, error) { return "t", nil },
		Headers: func(context.Context) (http.Header, error) {
			return http.Header{"X-Databricks-Azure-Workspace-Resource-Id": {"/subscriptions/1"}}, failing
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	call, err := catalog.ListJobs.Bind(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
	if got.Get("X-Databricks-Azure-Workspace-Resource-Id") != "/subscriptions/1" || got.Get("Authorization") != "Bearer t" {
		t.Errorf("sent %v", got)
	}
	failing = errors.New("no management token")
	got = nil
	var e *catalog.Error
	if _, err := client.Do(t.Context(), call); !errors.As(err, &e) || e.Kind != catalog.SignIn || got != nil {
		t.Errorf("without its headers the call was sent, or said %v", err)
	}
}
