package serve

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/server"
)

// whole is an Endpoint behind a Guard on a listener of HTTP, as the product has it.
func whole(t *testing.T, build func() *server.MCPServer, drain time.Duration) (s *site, end func() error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &crowd{build: build}
	g := &Guard{}
	e := &Endpoint{Auth: g.Authenticator(u), Key: testKey}
	mux := http.NewServeMux()
	mux.Handle("/mcp", e.StreamableHTTP())
	mux.Handle("/", e.SSE())
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- (&HTTP{Handler: g.Wrap(mux), Listener: listener, Ending: e.End, Drain: drain, times: times{abort: time.Minute}}).Run(ctx)
	}()
	t.Cleanup(func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.held != 0 {
			t.Errorf("%d principals were not let go", u.held)
		}
	})
	return &site{t: t, Endpoint: e, users: u, url: "http://" + listener.Addr().String()}, func() error { stop(); return <-ended }
}

// At the end streams are closed at once, and running calls are waited for.
func TestServerEnds(t *testing.T) {
	for name, c := range map[string]struct {
		drain time.Duration
		letGo bool
		want  string
	}{
		"in time":  {time.Minute, true, "finished"},
		"too late": {10 * time.Millisecond, false, "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			began, ended, letGo := make(chan string), make(chan string, 2), make(chan struct{})
			tools := held(began, ended, letGo)
			site, end := whole(t, func() *server.MCPServer {
				srv := tools()
				server.WithToolCapabilities(true)(srv)
				return srv
			}, c.drain)
			listen, headers := listening("1", `{"toolsListChanged":true}`)
			streams := map[string]*events{
				"GET":       site.stream(site.request(t.Context(), "GET", "/mcp", "", "Mcp-Session-Id", site.initialize(`{}`))),
				"subscribe": site.subscribe(listen, headers),
				"idle SSE":  site.pair("bob").events,
			}
			streams["subscribe"].message()
			p := site.pair("alice")
			p.introduce(`{}`)
			p.send(202, callOf("1", "hold"))
			<-began
			answered := make(chan string)
			go func() {
				_, answer := site.send(callOf("1", "hold"))
				answered <- resultText(answer)
			}()
			<-began
			over := make(chan error)
			go func() { over <- end() }()
			streams["subscribe"].message() // its answer
			for name, stream := range streams {
				if event, data := stream.next(); event != "" {
					t.Errorf("%s ended with %s %s", name, event, data)
				}
			}
			if c.letGo {
				close(letGo)
			}
			if got := <-answered; got != c.want {
				t.Errorf("over streamable HTTP the call got %q", got)
			}
			if got := resultText(p.message()); got != c.want {
				t.Errorf("over SSE the call got %q", got)
			}
			p.ended()
			if err := <-over; err != nil {
				t.Error(err)
			}
		})
	}
}

// A body above the limit of the guard is refused as one above our own is.
func TestBodyAboveTheLimit(t *testing.T) {
	site, end := whole(t, hello, time.Minute)
	for _, length := range []string{"known", "unknown"} {
		req := site.newRequest(t.Context(), "POST", "/mcp", `"`+strings.Repeat("x", DefaultMaxBody)+`"`)
		if length == "unknown" {
			req.ContentLength = -1
		}
		res, err := site.client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 413 || res.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s length: %d %s", length, res.StatusCode, res.Header.Get("Content-Type"))
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
