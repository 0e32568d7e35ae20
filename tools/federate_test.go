package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

func TestToolsOfOtherServersAreListed(t *testing.T) {
	s := federating(t, map[string]*fakeUpstream{
		"kb=vector-search/main/kb": {list: listing("main__kb__b", "main__kb__a")},
		"fn=functions/main/tools":  {list: listing("main__tools__price")},
	}, nil)
	c := mcpClient(t, s)
	if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_main__tools__price kb_main__kb__a kb_main__kb__b]" {
		t.Error(got)
	}
	list, err := c.ListTools(t.Context(), mcp.ListToolsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		if tool.Name == "kb_main__kb__a" && (tool.Description != "[vector-search/main/kb] Does main__kb__a" || !*tool.Annotations.ReadOnlyHint || tool.InputSchema.Properties["num_results"] == nil) {
			t.Errorf("%+v", tool)
		}
	}
}

// TestSlowServerIsAnnounced: the list does not wait for it, and clients hear when its
// tools are there.
func TestSlowServerIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fakeUpstream{list: func(ctx context.Context) ([]json.RawMessage, error) {
			time.Sleep(7 * time.Second)
			return listing("main__kb__a")(ctx)
		}}
		s := federating(t, map[string]*fakeUpstream{"kb=vector-search/main/kb": slow, "fn=functions/main/tools": {list: listing("f")}}, nil)
		c := mcpClient(t, s)
		changes := 0
		var mu sync.Mutex
		c.OnNotification(func(n mcp.JSONRPCNotification) {
			mu.Lock()
			defer mu.Unlock()
			if n.Method == mcp.MethodNotificationToolsListChanged {
				changes++
			}
		})
		began := time.Now()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f]" {
			t.Error(got)
		}
		if took := time.Since(began); took != listPatience {
			t.Errorf("the first list took %s", took)
		}
		mu.Lock()
		before := changes
		mu.Unlock()
		time.Sleep(6 * time.Second)
		synctest.Wait()
		mu.Lock()
		if changes != before+1 {
			t.Errorf("%d changes were announced", changes-before)
		}
		mu.Unlock()
		began = time.Now()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f kb_main__kb__a]" || time.Since(began) > 0 {
			t.Errorf("%s after %s", got, time.Since(began))
		}
		s.Wait(t.Context())
	})
}

// TestFailingServerHarmsNobody: the others are listed, whoami says what is wrong, a
// call says it too, and the server is asked again later.
func TestFailingServerHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := true
		bad := &fakeUpstream{list: func(ctx context.Context) ([]json.RawMessage, error) {
			if fails {
				return nil, &catalog.Error{Kind: catalog.Forbidden, Message: "the workspace refuses this user", Advice: "EXECUTE"}
			}
			return listing("f")(ctx)
		}}
		s := federating(t, map[string]*fakeUpstream{"bad=functions/main/bad": bad, "fn=functions/main/tools": {list: listing("f")}}, func(cfg *Config) {
			cfg.Workspaces[0].WhoAmI = func(context.Context) (json.RawMessage, error) { return json.RawMessage(`{"user":"ana"}`), nil }
		})
		c := mcpClient(t, s)
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f whoami]" {
			t.Error(got)
		}
		text, _ := use(t, c, "whoami", `{}`)
		if gjson.Get(text, "managed.0.error").Str != "forbidden: the workspace refuses this user" || gjson.Get(text, "managed.1.tools").Int() != 1 {
			t.Error(text)
		}
		if text, failed := use(t, c, "bad_f", `{}`); !failed || gjson.Get(text, "error.kind").Str != "forbidden" {
			t.Error(text)
		}
		for range 20 {
			foreignTools(t, c)
		}
		if bad.asked > 2 {
			t.Errorf("it was asked %d times at once", bad.asked)
		}
		fails = false
		time.Sleep(listRetry)
		foreignTools(t, c) // asks in the background
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[bad_f fn_f whoami]" {
			t.Error(got)
		}
		s.Wait(t.Context())
	})
}

// TestToolsThatChange: a list is asked for again after some time, or when the server
// says so; what is gone is gone.
func TestToolsThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []string{"a", "b"}
		fn := &fakeUpstream{call: saying("x")}
		fn.list = func(ctx context.Context) ([]json.RawMessage, error) { return listing(names...)(ctx) }
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)
		c := mcpClient(t, s)
		foreignTools(t, c)
		names = []string{"b", "c"}
		foreignTools(t, c)
		if fn.asked != 1 {
			t.Errorf("it was asked %d times within %s", fn.asked, listedFor)
		}
		time.Sleep(listedFor)
		foreignTools(t, c)
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_b fn_c]" || s.MCP().GetTool("fn_a") != nil {
			t.Error(got)
		}
		names = []string{"c"}
		time.Sleep(listAgain)
		fn.changed()
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_c]" {
			t.Error(got)
		}
		// A call that meets an unknown tool asks again, too.
		fn.call = func(context.Context, json.RawMessage, func(string)) (string, error) {
			return "", &catalog.Error{Kind: catalog.Missing, Message: "unknown tool"}
		}
		names = []string{"d"}
		if text, failed := use(t, c, "fn_c", `{}`); !failed || gjson.Get(text, "error.kind").Str != "missing" {
			t.Error(text)
		}
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_d]" {
			t.Error(got)
		}
		s.Wait(t.Context())
	})
}

// TestChangesWithoutEnd: a server whose list is another one each time, and that says
// so each time, is not asked for every list of ours.
func TestChangesWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := &fakeUpstream{}
		n := 0
		fn.list = func(ctx context.Context) ([]json.RawMessage, error) {
			n++
			fn.changed()
			return listing(fmt.Sprintf("f%d", n))(ctx)
		}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)
		c := mcpClient(t, s)
		for range 30 {
			foreignTools(t, c)
			synctest.Wait()
		}
		if fn.asked != 1 {
			t.Errorf("it was asked %d times within %s", fn.asked, listAgain)
		}
		time.Sleep(listAgain)
		foreignTools(t, c)
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); fn.asked != 2 || got != "[fn_f2]" {
			t.Errorf("%d times: %s", fn.asked, got)
		}
		s.Wait(t.Context())
	})
}

// TestHangingServerIsWaitedForOnce: lists wait for it only until it has failed once.
func TestHangingServerIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &fakeUpstream{list: func(ctx context.Context) ([]json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": hung}, nil)
		c := mcpClient(t, s)
		for i, want := range []time.Duration{listPatience, 0, 0} {
			began := time.Now()
			foreignTools(t, c)
			if took := time.Since(began); took != want {
				t.Errorf("list %d took %s, want %s", i, took, want)
			}
			time.Sleep(listTime + listRetry)
			synctest.Wait()
		}
		if hung.asked != 3 {
			t.Errorf("it was asked %d times", hung.asked)
		}
		s.Wait(t.Context())
	})
}

// TestFaultWhileListing: it costs the tools of that server, not the process.
func TestFaultWhileListing(t *testing.T) {
	bad := &fakeUpstream{list: func(context.Context) ([]json.RawMessage, error) { panic("no such luck") }}
	s := federating(t, map[string]*fakeUpstream{"bad=functions/main/bad": bad, "fn=functions/main/tools": {list: listing("f")}}, nil)
	c := mcpClient(t, s)
	if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f]" {
		t.Error(got)
	}
	if text, failed := use(t, c, "bad_f", `{}`); !failed || gjson.Get(text, "error.kind").Str != "internal" || strings.Contains(text, "luck") {
		t.Error(text)
	}
}

// TestServerThatIsGone: the tools of a server that is no longer there leave the list,
// those of one that only fails stay.
func TestServerThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := &fakeUpstream{list: listing("f"), call: func(context.Context, json.RawMessage, func(string)) (string, error) {
			return "", &catalog.Error{Kind: catalog.Missing, Message: "there is no such MCP server"}
		}}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": up}, nil)
		c := mcpClient(t, s)
		foreignTools(t, c)
		up.list = func(context.Context) ([]json.RawMessage, error) {
			return nil, &catalog.Error{Kind: catalog.Down, Message: "it failed"}
		}
		time.Sleep(listedFor)
		foreignTools(t, c)
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f]" {
			t.Errorf("of a server that fails: %s", got)
		}
		up.list = func(context.Context) ([]json.RawMessage, error) {
			return nil, &catalog.Error{Kind: catalog.Missing, Message: "there is no such MCP server"}
		}
		if text, failed := use(t, c, "fn_f", `{}`); !failed || gjson.Get(text, "error.kind").Str != "missing" {
			t.Error(text)
		}
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[]" || s.MCP().GetTool("fn_f") != nil {
			t.Errorf("of a server that is gone: %s", got)
		}
		if text, failed := use(t, c, "fn_g", `{}`); !failed || gjson.Get(text, "error.kind").Str != "missing" || !strings.Contains(text, "no such MCP server") {
			t.Errorf("a tool that was never there: %s", text)
		}
		up.list = listing("f")
		time.Sleep(listRetry)
		foreignTools(t, c)
		synctest.Wait()
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f]" {
			t.Errorf("of one that is back: %s", got)
		}
		s.Wait(t.Context())
	})
}

// TestWaitIsShared: all lists together wait once for a server that hangs.
func TestWaitIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := &fakeUpstream{list: func(ctx context.Context) ([]json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}}
		s := federating(t, map[string]*fakeUpstream{"a=functions/main/tools": hung, "b=functions/main/more": hung}, nil)
		c := mcpClient(t, s)
		began := time.Now()
		for range 5 {
			foreignTools(t, c)
		}
		if took := time.Since(began); took != listPatience {
			t.Errorf("five lists took %s", took)
		}
		time.Sleep(listTime)
		s.Wait(t.Context())
	})
}

// TestAnnouncedChangeIsHeard: clients are told that a server has other tools, and the
// list that they then ask for has them.
func TestAnnouncedChangeIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := &fakeUpstream{list: listing("a")}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)
		c := mcpClient(t, s)
		told := make(chan struct{}, 10)
		c.OnNotification(func(n mcp.JSONRPCNotification) {
			if n.Method == mcp.MethodNotificationToolsListChanged {
				told <- struct{}{}
			}
		})
		foreignTools(t, c)
		synctest.Wait()
		for len(told) > 0 {
			<-told
		}
		fn.list = listing("b")
		time.Sleep(listAgain)
		fn.changed()
		synctest.Wait()
		if len(told) != 1 {
			t.Errorf("told %d times", len(told))
		}
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_b]" {
			t.Error(got)
		}
		s.Wait(t.Context())
	})
}

// TestCallOfHangingServer: it ends in time, and says why.
func TestCallOfHangingServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		hung := &fakeUpstream{list: func(context.Context) ([]json.RawMessage, error) {
			<-never // not even by its context
			return nil, nil
		}}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": hung}, nil)
		c := mcpClient(t, s)
		began := time.Now()
		text, failed := use(t, c, "fn_f", `{}`)
		if took := time.Since(began); !failed || took > 2*listTime || gjson.Get(text, "error.kind").Str != "busy" || !strings.Contains(text, "not listed in time") {
			t.Errorf("after %s: %s", took, text)
		}
		close(never)
		s.Wait(t.Context())
	})
}

// TestListAfterSignIn: whoever signs in is shown the tools soon, not when a server that
// fails would be asked again, and a call does not wait at all.
func TestListAfterSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signedIn := false
		fn := &fakeUpstream{call: saying("x"), list: func(ctx context.Context) ([]json.RawMessage, error) {
			if !signedIn {
				return nil, &catalog.Error{Kind: catalog.SignIn, Message: "nobody is signed in"}
			}
			return listing("f")(ctx)
		}}
		s := federating(t, map[string]*fakeUpstream{"fn=functions/main/tools": fn}, nil)
		c := mcpClient(t, s)
		told := make(chan struct{}, 10)
		c.OnNotification(func(n mcp.JSONRPCNotification) { told <- struct{}{} })
		foreignTools(t, c)
		synctest.Wait()
		if len(told) != 0 {
			t.Errorf("told %d times of nothing", len(told))
		}
		signedIn = true
		s.identified()
		synctest.Wait()
		if len(told) != 1 {
			t.Errorf("told %d times", len(told))
		}
		if text, failed := use(t, c, "fn_f", `{}`); failed {
			t.Error(text)
		}
		if got := fmt.Sprint(foreignTools(t, c)); got != "[fn_f]" {
			t.Error(got)
		}
		s.Wait(t.Context())
	})
}
