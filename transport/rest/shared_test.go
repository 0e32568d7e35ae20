package rest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"brickmcp/catalog"
)

// Clients of several users share connections, and nothing that is said on them.
func TestPool(t *testing.T) {
	var mu sync.Mutex
	said := map[string]string{} // token -> connection
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		said[r.Header.Get("Authorization")] = r.RemoteAddr
		_, _ = w.Write([]byte(`{"job_id":42}`))
	}))
	defer server.Close()
	pool := NewPool()
	defer pool.Close()
	for _, token := range []string{"ana", "ben"} {
		client, err := New(Config{Host: server.URL, Pool: pool, Token: func(context.Context) (string, error) { return token, nil }})
		if err != nil {
			t.Fatal(err)
		}
		if !client.traced {
			t.Error("what was not sent cannot be told from what was")
		}
		success(t, client, callOf(getJob))
	}
	if len(said) != 2 || said["Bearer ana"] == "" || said["Bearer ana"] != said["Bearer ben"] {
		t.Errorf("connections by token: %v", said)
	}
}

func TestMissingScopeAdvice(t *testing.T) {
	for said, want := range map[string]string{
		"Provided OAuth token does not have required scopes: jobs": "ask for jobs",
		"insufficient scope":                              "ask for ",
		"User x does not have View permissions on job 42": "You need CAN_VIEW",
	} {
		w := &wire{script: []reply{coded(403, "PERMISSION_DENIED", said)}}
		e := failureOf(t, newClient(t, w, func(c *Config) {
			c.MissingScope = func(scope string) string { return "ask for " + scope }
		}), callOf(getJob))
		if e.Kind != catalog.Forbidden || !strings.HasPrefix(e.Advice, want) {
			t.Errorf("%s: %s, advice %q", said, e.Kind, e.Advice)
		}
	}
}

// Every attempt is heard of, whether or not there was an answer.
func TestObserveHearsEveryAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []int
		c := newClient(t, &wire{script: []reply{answer(503, ""), fails(errReset), answer(200, `{"job_id":42}`)}},
			func(config *Config) { config.Observe = func(status int) { heard = append(heard, status) } })
		success(t, c, callOf(getJob))
		if !slices.Equal(heard, []int{503, 0, 200}) {
			t.Errorf("heard of %v", heard)
		}
	})
}
