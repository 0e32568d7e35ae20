package sandbox

import (
	"testing"

	"github.com/tidwall/gjson"
)

func TestNumberedUsers(t *testing.T) {
	clock := newTurnClock()
	w, err := New(Options{Clock: clock, NumberedUsers: true})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	seven, eight := caller{t, w, NumberedToken(7)}, caller{t, w, NumberedToken(8)}
	me := func(c caller) gjson.Result { return gjson.Parse(c.send("GET", scim+"/Me", nil).Body.String()) }
	first, other := me(seven), me(eight)
	if first.Get("userName").Str != "user-7@example.com" || other.Get("userName").Str != "user-8@example.com" || first.Get("id").Str == other.Get("id").Str {
		t.Errorf("users %s and %s", first.Raw, other.Raw)
	}
	if again := me(seven); again.Get("id").Str != first.Get("id").Str {
		t.Errorf("the user is another the second time: %s", again.Raw)
	}
	if groups := first.Get("groups.#.display").Raw; groups != `["users","analysts"]` {
		t.Errorf("groups %s", groups)
	}
	// What one creates, the other does not see.
	job := gjson.Get(seven.send("POST", "/api/2.2/jobs/create", `{"name":"mine","tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/Workspace/Shared/etl/x"}}]}`).Body.String(), "job_id").Raw
	if rec := seven.send("GET", "/api/2.2/jobs/get?job_id="+job, nil); rec.Code != 200 {
		t.Errorf("own job: %d %s", rec.Code, rec.Body)
	}
	if rec := eight.send("GET", "/api/2.2/jobs/get?job_id="+job, nil); rec.Code != 403 {
		t.Errorf("another's job: %d %s", rec.Code, rec.Body)
	}
	// Apps take it, as they take the token that an app is given for a user.
	if rec := seven.send("GET", "/sandbox-apps/agent-bricks-orders/nothing", nil); rec.Code == 302 {
		t.Errorf("an app sends the user to sign in: %d", rec.Code)
	}
	for _, token := range []string{"sandbox-user-", "sandbox-user-0", "sandbox-user-01", "sandbox-user--1", "sandbox-user-+1", "sandbox-user-1000001", "sandbox-user-x", "Sandbox-user-1"} {
		if rec := (caller{t, w, token}).send("GET", scim+"/Me", nil); rec.Code != 401 {
			t.Errorf("%s: %d %s", token, rec.Code, rec.Body)
		}
	}
}

// A workspace that was not asked for them has none.
func TestNoNumberedUsers(t *testing.T) {
	ana, _, _ := newCallers(t)
	if rec := (caller{t, ana.w, NumberedToken(1)}).send("GET", scim+"/Me", nil); rec.Code != 401 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
