package rest

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"brickmcp/catalog"
)

const presigned = "https://bucket.s3.amazonaws.com/result?X-Amz-Signature=s3cret"

// quietAbout fails when an error gives a link away.
func quietAbout(t *testing.T, err error) *catalog.Error {
	t.Helper()
	var e *catalog.Error
	if !errors.As(err, &e) {
		t.Fatalf("%T is no *catalog.Error: %v", err, err)
	}
	for _, text := range []string{e.Error(), fmt.Sprint(e.Err)} {
		for _, secret := range []string{"bucket", "s3cret", "result?", goodToken} {
			if strings.Contains(text, secret) {
				t.Errorf("%q shows %q", text, secret)
			}
		}
	}
	return e
}

func TestLink(t *testing.T) {
	w := &wire{script: []reply{answer(200, `[["1"]]`)}}
	body, err := newClient(t, w, func(c *Config) { c.WorkspaceID = "5" }).Link(t.Context(), presigned, map[string]string{"x-amz-server-side-encryption-customer-key": "k"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(body); err != nil || string(got) != `[["1"]]` || body.Close() != nil {
		t.Errorf("%s, %v", got, err)
	}
	h := w.header[0]
	if len(h) != 1 || h.Get("X-Amz-Server-Side-Encryption-Customer-Key") != "k" {
		t.Errorf("headers %v: only those that the API gave may be sent", h)
	}
}

func TestLinkFailures(t *testing.T) {
	for _, c := range []struct {
		name    string
		script  []reply
		expired bool
		kind    catalog.Kind
		sent    int
	}{
		{"expired", []reply{answer(403, "<Error><Message>Request has expired "+presigned+"</Message></Error>")}, true, catalog.Busy, 1},
		{"expired as 400", []reply{answer(400, "<Error><Code>ExpiredToken</Code></Error>")}, true, catalog.Busy, 1},
		{"another 400", []reply{answer(400, "<Error>"+presigned+"</Error>")}, false, catalog.Down, 1},
		{"gone", []reply{answer(404, presigned)}, false, catalog.Missing, 1},
		{"redirect", []reply{answer(302, "", "Location: "+presigned)}, false, catalog.Down, 1},
		{"failing", []reply{answer(500, presigned)}, false, catalog.Down, serverTries},
		{"unreachable", []reply{fails(errReset)}, false, catalog.Down, networkTries},
		{"no such host", []reply{fails(errNoHost)}, false, catalog.Down, 1},
		{"bad, then good", []reply{fails(errReset), answer(503, "", "Retry-After: 1"), answer(200, "[]")}, false, "", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{script: c.script}
				body, err := newClient(t, w).Link(t.Context(), presigned, nil)
				if w.count() != c.sent {
					t.Errorf("%d attempts, want %d", w.count(), c.sent)
				}
				if c.kind == "" {
					if err != nil {
						t.Fatal(err)
					}
					body.Close()
					return
				}
				e := quietAbout(t, err)
				if e.Kind != c.kind || errors.Is(err, catalog.ErrLinkExpired) != c.expired {
					t.Errorf("%+v", e)
				}
			})
		})
	}
}

func TestLinksThatAreNotOpened(t *testing.T) {
	w := &wire{script: []reply{answer(200, "[]")}}
	for _, link := range []string{"http://bucket.s3.amazonaws.com/result?s3cret", "file:///result?s3cret", "/result?s3cret", "https://u:s3cret@bucket/x", "https://bucket/%zz?s3cret", ""} {
		_, err := newClient(t, w).Link(t.Context(), link, nil)
		quietAbout(t, err)
	}
	if w.count() != 0 {
		t.Errorf("%d sent", w.count())
	}
	if body, err := newClient(t, w).Link(t.Context(), "http://127.0.0.1:1/result?x", nil); err != nil || body.Close() != nil {
		t.Errorf("loopback: %v", err)
	}
	if w.count() != 1 {
		t.Errorf("%d sent", w.count())
	}
}
