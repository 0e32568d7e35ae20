package tools

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// TestServersOfProfiles: each server is of one workspace, whose tools take no profile.
func TestServersOfProfiles(t *testing.T) {
	first, second := &fakeUpstream{list: listing("f"), call: saying("first")}, &fakeUpstream{list: listing("f"), call: saying("second")}
	s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": first, "other@prod=functions/main/tools": second}, func(cfg *Config) {
		cfg.Workspaces[0].Name = "dev"
		prod := cfg.Workspaces[0]
		prod.Name = "prod"
		cfg.Workspaces = append(cfg.Workspaces, prod)
	})
	c := mcpClient(t, s)
	for tool, want := range map[string]string{"fn_f": "first dev", "other_f": "second prod"} {
		text, failed := use(t, c, tool, `{}`)
		if failed || gjson.Get(text, "text").Str+" "+gjson.Get(text, "workspace").Str != want {
			t.Errorf("%s: %s, want %s", tool, text, want)
		}
	}
	if _, failed := use(t, c, "other_f", `{"profile":"dev"}`); failed {
		t.Error("an argument named profile is the server's own")
	}
	if got := second.calls(); len(got) != 2 || !strings.Contains(got[1], `"profile":"dev"`) {
		t.Error(got)
	}
	s.Close()
	if !first.closed || !second.closed {
		t.Error("a session stays open")
	}
}

// TestEachUserHasASession: another user sees the server anew.
func TestEachUserHasASession(t *testing.T) {
	var mu sync.Mutex
	user, opened := "ana", 0
	servers, err := ParseManagedServers([]string{"fn=functions/main/tools"})
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, &fake{}, func(cfg *Config) {
		cfg.Managed = servers
		cfg.Workspaces[0].Managed = func(ManagedServer, func()) Upstream {
			mu.Lock()
			defer mu.Unlock()
			opened++
			return &fakeUpstream{list: listing("f"), call: saying("x")}
		}
		cfg.Workspaces[0].Identify = func(context.Context) (Identity, error) {
			mu.Lock()
			defer mu.Unlock()
			return Identity{User: user}, nil
		}
	})
	c := mcpClient(t, s)
	identify := func() {
		t.Helper()
		s.identities.mu.Lock()
		s.identities.asked = time.Time{}
		s.identities.mu.Unlock()
		if _, err := s.identities.current(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	foreignTools(t, c) // by nobody yet
	identify()
	foreignTools(t, c) // who turns out to be ana
	if opened != 1 {
		t.Errorf("%d sessions for one user", opened)
	}
	mu.Lock()
	user = "ben"
	mu.Unlock()
	identify()
	use(t, c, "fn_f", `{}`)
	if opened != 2 {
		t.Errorf("%d sessions for two users", opened)
	}
}
