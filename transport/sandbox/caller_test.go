package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// turnClock is moved by hand.
type turnClock struct {
	mu  sync.Mutex
	now time.Time
}

func newTurnClock() *turnClock { return &turnClock{now: seeded} }

func (c *turnClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *turnClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// caller makes REST calls to a workspace as one person.
type caller struct {
	t     *testing.T
	w     *Workspace
	token string
}

// newCallers makes a workspace and calls it as ana and as ben.
func newCallers(t *testing.T) (ana, ben caller, clock *turnClock) {
	t.Helper()
	clock = newTurnClock()
	w, err := New(Options{Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return caller{t, w, Token}, caller{t, w, BenToken}, clock
}

// send makes a call; body is an io.Reader, a string, or something to encode as
// JSON, headers are "Name: value".
func (c caller) send(method, path string, body any, headers ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case io.Reader:
		reader = b
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			c.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r := httptest.NewRequest(method, path, reader)
	r.Header.Set("Authorization", "Bearer "+c.token)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	c.w.ServeHTTP(rec, r)
	return rec
}

// call wants a 2xx with a JSON object, or without a body.
func (c caller) call(method, path string, body any, headers ...string) map[string]any {
	c.t.Helper()
	rec := c.send(method, path, body, headers...)
	if rec.Code/100 != 2 {
		c.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
	out := map[string]any{}
	if rec.Body.Len() > 0 {
		d := json.NewDecoder(rec.Body)
		d.UseNumber()
		if err := d.Decode(&out); err != nil {
			c.t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return out
}

func (c caller) get(path string) map[string]any { c.t.Helper(); return c.call("GET", path, nil) }

// refused wants an error and returns its message.
func (c caller) refused(method, path string, body any, status int, code string, headers ...string) string {
	c.t.Helper()
	rec := c.send(method, path, body, headers...)
	var e struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
		c.t.Fatalf("%s %s: %d %s: %v", method, path, rec.Code, rec.Body, err)
	}
	if rec.Code != status || e.Code != code {
		c.t.Fatalf("%s %s: got %d %s (%s), want %d %s", method, path, rec.Code, e.Code, e.Message, status, code)
	}
	return e.Message
}

// names collects one field of the objects in a list.
func names(list any, field string) []string {
	var out []string
	objects, _ := list.([]any)
	for _, o := range objects {
		name, _ := o.(map[string]any)[field].(string)
		out = append(out, name)
	}
	return out
}

// follow pages through a listing to its end; path has a query.
func (c caller) follow(path, key, field string) (all []string, pages []int) {
	c.t.Helper()
	token := ""
	for len(pages) < 1000 {
		page := c.get(path + "&page_token=" + strings.ReplaceAll(token, "+", "%2B"))
		found := names(page[key], field)
		all, pages = append(all, found...), append(pages, len(found))
		next, ok := page["next_page_token"].(string)
		if !ok {
			return all, pages
		}
		token = next
	}
	c.t.Fatal(path, "does not end")
	return nil, nil
}
