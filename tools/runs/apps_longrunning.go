package runs

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// LongRunningAgentServer: contract/supervisor.md, section 9.2.

// longRunningLimit is the server's own limit of a task, and some time to say so.
const longRunningLimit = time.Hour + 5*time.Minute

func startLongRunning(ctx context.Context, app catalog.Caller, run *Run, state *appState) error {
	request := catalog.AppResponseRequest{Background: true}
	if id := run.Request.ConversationID; id != "" {
		request.Context = catalog.Object(item(map[string]string{"conversation_id": id}))
		run.Conversation = id
	}
	call, err := catalog.StartAppResponse.Bind(item(request))
	if err != nil {
		return err
	}
	if call.Body, err = sjson.SetRawBytes(call.Body, "input", inputItems(run)); err != nil {
		return err
	}
	if run.Request.ReturnTrace {
		call.Header = http.Header{"X-Mlflow-Return-Trace-Id": {"true"}}
	}
	answer, err := app.Do(ctx, call)
	if err != nil {
		return err
	}
	response := gjson.ParseBytes(answer.Body)
	if response.Get("status").Str == "" && response.Get("output").IsArray() {
		// It did not heed background, and is done.
		response = gjson.Parse(`{"status":"completed",` + strings.TrimLeft(response.Raw, "{ \r\n\t"))
	}
	state.ID = response.Get("id").String()
	if state.ID == "" && response.Get("status").Str != "completed" {
		return &catalog.Error{Kind: catalog.UnknownFate, Message: call.About() + ": the app's answer has neither an id nor an output", Advice: call.Row.Verify, RequestID: answer.RequestID}
	}
	created := time.Now().UTC()
	if at := response.Get("created_at").Int(); at > 0 {
		created = time.Unix(at, 0).UTC()
	}
	run.Responses = []Response{{ID: state.ID, CreatedAt: created}}
	readApp(run, state, response)
	return nil
}

// readApp takes over what a response of an app says.
func readApp(run *Run, state *appState, response gjson.Result) {
	run.read(response)
	run.Items = keep(nil, run.Items...)
	state.Attempt = max(state.Attempt, response.Get("attempt_number").Int())
	if run.Status == Failed && state.Attempt > 1 { // it was taken up again after its process died
		run.Error.Message += " (attempt " + strconv.FormatInt(state.Attempt, 10) + ")"
	}
	if run.Status == ApprovalRequired { // nobody waits for the answer
		run.End(Completed, nil)
	}
}

func pollLongRunning(ctx context.Context, app catalog.Caller, run *Run, state *appState) error {
	call, err := catalog.GetAppResponse.Bind(item(catalog.AppResponseName{ResponseID: state.ID}))
	if err != nil {
		return err
	}
	answer, err := app.Do(ctx, call)
	if unknownThere(err) {
		run.End(Expired, &Failure{Code: "not_found", Message: "the app does not know the response (any more)"})
		return nil
	}
	if err != nil {
		return err
	}
	readApp(run, state, gjson.ParseBytes(answer.Body))
	if run.Status.Polls() && time.Since(run.LastResponse().CreatedAt) > longRunningLimit {
		run.End(Failed, &Failure{Code: "timed_out", Message: "timed out: the app's server gives a task 60 minutes, and did not say how this one ended"})
	}
	return nil
}

// cancelLongRunning tries: the servers known so far answer 501.
func cancelLongRunning(ctx context.Context, app catalog.Caller, run *Run, state appState) (bool, error) {
	_, err := catalog.CancelAppResponse.Call(ctx, app, catalog.AppResponseName{ResponseID: state.ID})
	switch httpStatus(err) {
	case http.StatusNotImplemented, http.StatusNotFound, http.StatusMethodNotAllowed:
		return false, nil
	}
	if err != nil {
		return false, appError(run.Agent[len(appPrefix):], err)
	}
	return true, nil
}
