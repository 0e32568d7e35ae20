package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// preview says what a call would do, before it is done.
type preview struct {
	What    string          // one or two sentences
	Changes []string        // one sentence each
	Now     json.RawMessage // the object as it is, projected and bounded; nil
}

// maxNow bounds, in bytes, the object in a preview.
const maxNow = 1500

// preview reads the present state and says what the call would do to it. What
// cannot be read is said in it; only an object that is not there is an error.
func (s *Server) preview(ctx context.Context, call *catalog.Call) (preview, error) {
	v := &previewer{s: s, ctx: ctx, call: call}
	if err := v.fill(); err != nil {
		return preview{}, err
	}
	return v.bounded(), nil
}

// append adds the preview to the result of a call that waits for confirmation.
func (p preview) append(o *object) {
	var inner object
	if len(p.Changes) > 0 {
		inner.texts("changes", p.Changes)
	}
	if p.Now != nil {
		inner.raw("now", string(p.Now))
	}
	o.raw("preview", string(inner.bytes()))
}

// previewer is a preview that is being made.
type previewer struct {
	preview
	s    *Server
	ctx  context.Context
	call *catalog.Call
}

func (v *previewer) fill() error {
	switch v.call.Row.Name {
	case catalog.UpdateJob.Name, catalog.ResetJob.Name:
		return v.changeJob()
	case catalog.CreateJob.Name:
		return v.createJob()
	case catalog.DeleteJob.Name:
		return v.deleteJob()
	case catalog.RunJob.Name:
		return v.runJob()
	case catalog.CancelRun.Name:
		return v.cancelRun()
	case catalog.CreateCluster.Name:
		v.createCluster()
		return nil
	case catalog.StartCluster.Name, catalog.TerminateCluster.Name:
		return v.turnCluster()
	case catalog.CreateWarehouse.Name:
		v.createWarehouse()
		return nil
	case catalog.StartWarehouse.Name, catalog.StopWarehouse.Name:
		return v.turnWarehouse()
	case catalog.CancelStatement.Name:
		return v.cancelStatement()
	case catalog.UpdateGrants.Name:
		return v.changeGrants()
	case catalog.UploadFile.Name, catalog.PutDBFS.Name, catalog.ImportWorkspace.Name:
		return v.writeFile()
	case catalog.DeleteFile.Name:
		return v.deleteFile()
	case catalog.PutSecret.Name:
		return v.putSecret()
	case catalog.CreateServicePrincipal.Name:
		return v.createPrincipal()
	case catalog.DeployAgent.Name:
		return v.deployAgent()
	case catalog.DeleteAgent.Name:
		return v.deleteAgent()
	}
	if v.call.Row.IsForeign() {
		v.relays()
		return nil
	}
	if v.text("statement") != "" {
		return v.runSQL()
	}
	v.What = v.call.Row.Title + v.about(": ") + "."
	if v.call.Row.Effect.ReadOnly() {
		v.What += " It changes nothing."
	}
	return nil
}

// bounded is the preview within a part of the result that leaves the rest room.
func (v *previewer) bounded() preview {
	p, room := v.preview, v.s.budget/2
	for i, change := range p.Changes {
		if room -= len(change); room < 0 && i > 0 {
			p.Changes = append(p.Changes[:i:i], fmt.Sprintf("and %d more", len(v.Changes)-i))
			break
		}
	}
	if p.Now != nil {
		p.Now = shorten(p.Now, min(maxNow, v.s.budget/4))
	}
	return p
}

func (v *previewer) say(format string, args ...any) {
	v.Changes = append(v.Changes, fmt.Sprintf(format, args...))
}

// text is an argument as text, whatever its form; "" when it is not given.
func (v *previewer) text(name string) string { return argumentText(v.call, name) }

func argumentText(call *catalog.Call, name string) string {
	value := gjson.ParseBytes(call.Args[name])
	if value.Type == gjson.Number {
		return value.Raw // String would go through float64
	}
	return value.String()
}

// given is an argument as JSON.
func (v *previewer) given(name string) gjson.Result { return gjson.ParseBytes(v.call.Args[name]) }

// about names the object of the call behind a separator; "" when it has no name.
func (v *previewer) about(separator string) string {
	if v.call.Object == "" {
		return ""
	}
	object, _ := catalog.Clean(oneLine(v.call.Object))
	return separator + object
}

// named is the object of the call with the name that the workspace has for it.
func (v *previewer) named(name string) string {
	if name == "" {
		return v.about("")
	}
	return v.about("") + " " + quoted(name)
}

// look reads an object. Without an answer it could not be read, which is said
// then; an error ends the preview.
func (v *previewer) look(row *catalog.Row, args json.RawMessage) (gjson.Result, error) {
	call, err := row.Bind(args)
	if err != nil {
		return gjson.Result{}, v.failed(call, err)
	}
	answer, err := v.s.ask(v.ctx, call)
	if err != nil {
		return gjson.Result{}, v.failed(call, err)
	}
	return parse(answer.Body), nil
}

// failed judges an error on the way: one that the call itself would meet ends the
// preview, any other is a sentence in it.
func (v *previewer) failed(inner *catalog.Call, err error) error {
	e := catalog.AsError(err)
	if v.ctx.Err() != nil || e.Kind == catalog.SignIn {
		return err
	}
	message := e.Message
	if inner != nil {
		message = trimAbout(message, inner.Row.Name)
	}
	if missing(e) {
		gone := *e
		gone.Message = v.call.Row.Name + message
		return &gone
	}
	v.say("%s could not be read: %s", objectOf(inner), cutText(strings.TrimPrefix(oneLine(message), " on "), 300))
	return nil
}

func objectOf(call *catalog.Call) string {
	if call == nil || call.Object == "" {
		return "the present state"
	}
	object, _ := catalog.Clean(oneLine(call.Object))
	return object
}

// missing reports that there is no such object, as opposed to no such endpoint.
func missing(e *catalog.Error) bool { return e.Kind == catalog.Missing && !e.MissingRoute }

// trimAbout takes the name of the tool off a message that goes into another one.
func trimAbout(message, tool string) string {
	return strings.TrimPrefix(strings.TrimPrefix(message, tool), ": ")
}

// pick is an object of some members of v, compact, with ids as strings.
func pick(v gjson.Result, names ...string) json.RawMessage {
	var o object
	for _, name := range names {
		value := member(v, name)
		switch {
		case !value.Exists() || value.Type == gjson.Null:
		case value.Type == gjson.Number && strings.HasSuffix(name, "_id"):
			o.text(name, value.Raw)
		default:
			o.raw(name, string(appendCanonical(nil, value, 1)))
		}
	}
	return o.bytes()
}

// when is a time of the API, in epoch ms, for people.
func when(ms int64) string {
	if ms <= 0 {
		return "an unknown time"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04 UTC")
}

// many is a count with its noun.
func many(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
