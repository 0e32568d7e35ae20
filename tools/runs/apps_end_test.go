package runs

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// What the server knows and will never take up again ends; other trouble may pass.
func TestAppsRecoverRefused(t *testing.T) {
	for name, c := range map[string]struct {
		answer scripted
		app    string // of the Apps API
		status Status
		code   string
		left   bool // for the next time
	}{
		"the user's token is gone": {answer: refuses(catalog.UnknownFate, 500, authRecovery), status: Failed, code: authRecovery},
		"another input":            {answer: refuses(catalog.Conflict, 409, ""), status: Failed, code: "conflict"},
		"no answer":                {answer: refuses(catalog.Down, 0, ""), status: Queued, left: true},
		"stopped":                  {app: `{"url":"u","compute_status":{"state":"STOPPED"}}`, status: Queued, left: true},
		"there again":              {answer: says(`{"status":"active"}`), status: InProgress},
	} {
		t.Run(name, func(t *testing.T) {
			runner, _, apps := appsOf(t, map[string][]scripted{invokeApp: {c.answer}, "GET /api/invocations/7": {says(`{"status":"active"}`)}})
			if c.app != "" {
				apps.API.(*script).then(getTheApp, says(c.app))
			}
			run := &Run{Owner: ana, Agent: "apps/orders", Request: asking("x"), Status: Queued, State: []byte(`{"server":"durable","id":"7","session":"s"}`), Sending: &Sending{What: "start", At: time.Now()}}
			unlock, err := runner.Registry.add(t.Context(), run)
			if err != nil {
				t.Fatal(err)
			}
			unlock()
			seen, _, err := runner.Look(t.Context(), ana, run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if seen.Status != c.status || (seen.Sending != nil) != c.left || (seen.Error != nil) != (c.code != "") || seen.Error != nil && seen.Error.Code != c.code {
				t.Errorf("%s, sending %v, %+v", seen.Status, seen.Sending, seen.Error)
			}
		})
	}
}

// A run goes with its app, and one that ended before it was cancelled is not lost.
func TestAppIsDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		runner, app, apps := appsOf(t, map[string][]scripted{invokeApp: {says(`{"status":"active"}`)}})
		noApp := refuses(catalog.Missing, 404, "RESOURCE_DOES_NOT_EXIST")
		for _, wait := range []time.Duration{0, 2 * appTime} { // with its URL known, and without
			apps.API.(*script).then(getTheApp, says(appUp))
			run := start(t, runner, "apps/orders", asking("x"))
			for i := range app.sent(invokeApp) {
				app.then("GET /api/invocations/"+gjson.GetBytes(app.sent(invokeApp)[i].Body, "id").Str, refuses(catalog.Down, 0, ""))
			}
			apps.API.(*script).then(getTheApp, noApp)
			time.Sleep(wait)
			if run = look(t, runner, run); run.Status != Expired || !strings.Contains(run.Error.Message, "does not exist any more") {
				t.Errorf("after %s: %s %+v", wait, run.Status, run.Error)
			}
		}
		// Who may not see the app learns nothing of it.
		apps.API.(*script).then(getTheApp, says(appUp))
		run := start(t, runner, "apps/orders", asking("x"))
		apps.API.(*script).then(getTheApp, refuses(catalog.Forbidden, 403, ""))
		time.Sleep(2 * appTime)
		if seen, failed, _ := runner.Look(t.Context(), ana, run.ID); failed == nil || seen.Status != InProgress {
			t.Errorf("%s, %v", seen.Status, failed)
		}
	})
}

func TestCancelWhatHasEnded(t *testing.T) {
	durable, app, _ := appsOf(t, map[string][]scripted{invokeApp: {says(`{"status":"active"}`)}})
	run := start(t, durable, "apps/orders", asking("x"))
	app.then(app.invocationPath(), says(`{"status":"completed","output":"done"}`))
	long, _, _ := appsOf(t, map[string][]scripted{
		invokeApp: {noSuchRoute}, respondApp: {says(`{"id":"r","status":"in_progress"}`)}, "POST /responses/r/cancel": {refuses(catalog.Missing, 501, "")},
		"GET /responses/r": {says(`{"id":"r","status":"completed","output":[{"type":"message","id":"m","role":"assistant","content":"done"}]}`)},
	})
	genie, _ := genieOf(t, map[string][]scripted{getMessage: {says(`{"status":"COMPLETED","attachments":[{"text":{"content":"done"}}]}`)}})
	for name, c := range map[string]struct {
		runner *Runner
		run    *Run
	}{
		"durable": {durable, run}, "long-running": {long, start(t, long, "apps/orders", asking("x"))}, "genie": {genie, start(t, genie, "genie/s1", asking("x"))},
	} {
		cancelled, err := c.runner.Cancel(t.Context(), ana, c.run.ID)
		if err != nil {
			t.Fatal(name, err)
		}
		wantRun(t, cancelled, Completed, "done", "message")
	}
}
