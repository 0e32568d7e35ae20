package tools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// became makes another user the one behind all calls of the workspace.
func became(s *Server, user string) {
	i := s.identities
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ask = func(context.Context) (Identity, error) { return Identity{User: user}, nil }
	i.who, i.known, i.asked, i.err = Identity{User: user}, true, i.now(), nil
}

// perUser is a server that each user sees otherwise, and the sessions with it.
func perUser(t *testing.T, s func() *Server) (change func(*Config), sessions func() map[string]*fakeUpstream) {
	t.Helper()
	servers, err := ParseManagedServers([]string{"fn=functions/main/tools"})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open := map[string]*fakeUpstream{}
	return func(cfg *Config) {
			cfg.Managed = servers
			cfg.Workspaces[0].Managed = func(ManagedServer, func()) Upstream {
				who, _ := s().identities.last()
				mu.Lock()
				defer mu.Unlock()
				open[who.User] = &fakeUpstream{list: listing("of_" + who.User), call: saying(who.User)}
				return open[who.User]
			}
		}, func() map[string]*fakeUpstream {
			mu.Lock()
			defer mu.Unlock()
			return maps.Clone(open)
		}
}

// TestUsersSeeNothingOfEachOther: neither lists nor sessions.
func TestUsersSeeNothingOfEachOther(t *testing.T) {
	var s *Server
	change, sessions := perUser(t, func() *Server { return s })
	s = newServer(t, &fake{}, change)
	c := mcpClient(t, s)
	for range 2 {
		for _, user := range []string{"ana", "ben"} {
			became(s, user)
			if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_of_"+user+"]" {
				t.Errorf("%s is shown %s", user, got)
			}
			if text, failed := use(t, c, "fn_of_"+user, `{}`); failed || gjson.Get(text, "text").Str != user {
				t.Errorf("%s: %s", user, text)
			}
		}
	}
	if text, failed := use(t, c, "fn_of_ana", `{}`); !failed || gjson.Get(text, "error.kind").Str != "missing" {
		t.Errorf("ben calls what ana sees: %s", text)
	}
	for user, session := range sessions() {
		if len(session.calls()) != 2 {
			t.Errorf("%s: %d calls", user, len(session.calls()))
		}
	}
}

// TestUsersAreForgotten: those who were not heard of for longest when there are too
// many, and those who are idle; what they had is no longer callable, and whoever comes
// back sees it anew.
func TestUsersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *Server
		change, sessions := perUser(t, func() *Server { return s })
		s = newServer(t, &fake{}, change)
		f := s.federation.servers[0]
		visit := func(user string) {
			t.Helper()
			became(s, user)
			if _, loading := f.listed(t.Context()); loading != nil {
				<-loading
			}
			if tools, _ := f.listed(t.Context()); len(tools) != 1 || tools["fn_of_"+user] == nil {
				t.Errorf("%s is shown %v", user, tools)
			}
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		count := func() int {
			f.mu.Lock()
			defer f.mu.Unlock()
			return len(f.views)
		}
		closed := func() (users []string) {
			for user, session := range sessions() {
				session.mu.Lock()
				if session.closed {
					users = append(users, user)
				}
				session.mu.Unlock()
			}
			slices.Sort(users)
			return users
		}
		for i := range maxViews {
			visit(fmt.Sprintf("u%03d", i))
		}
		visit("u000") // is no longer the one of longest ago
		visit("late")
		if got := fmt.Sprint(closed()); got != "[u001]" || count() != maxViews {
			t.Errorf("closed %s, %d are left", got, count())
		}
		if s.MCP().GetTool("fn_of_u001") != nil || s.MCP().GetTool("fn_of_u000") == nil {
			t.Error("what is callable is not what users see")
		}
		time.Sleep(viewIdle)
		visit("late")
		if count() != 1 || len(closed()) != maxViews {
			t.Errorf("%d are left of those who are idle, %d closed", count(), len(closed()))
		}
		visit("u001")
		s.Wait(t.Context())
	})
}

// TestCallsOutliveTheirUsersList: a session with a call under way stays open.
func TestCallsOutliveTheirUsersList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s *Server
		change, sessions := perUser(t, func() *Server { return s })
		s = newServer(t, &fake{}, change)
		c := mcpClient(t, s)
		became(s, "ana")
		foreignTools(t, c)
		f := s.federation.servers[0]
		f.mu.Lock()
		f.views["ana"].calls++
		f.mu.Unlock()
		time.Sleep(2 * viewIdle)
		became(s, "ben")
		foreignTools(t, c)
		synctest.Wait()
		if ana := sessions()["ana"]; ana.closed {
			t.Error("it was closed")
		}
		f.ended(f.views["ana"])
		time.Sleep(viewIdle)
		foreignTools(t, c)
		synctest.Wait()
		if ana := sessions()["ana"]; !ana.closed {
			t.Error("it stays open")
		}
		s.Wait(t.Context())
	})
}
