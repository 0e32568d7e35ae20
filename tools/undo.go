package tools

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// maxUndo bounds, in bytes, an undo that is a whole call: every byte of a result is
// paid for.
const maxUndo = 600

// earlier are the values that a write is about to replace, for audit and undo, as
// the call that puts them back takes them: the arguments of a jobs_reset, those of
// a jobs_create for a job that is to go, or the grants of the principals named.
// Secrets in them are hidden. nil where there is nothing to keep.
func (s *Server) earlier(ctx context.Context, call *catalog.Call) (json.RawMessage, error) {
	switch call.Row.Name {
	case catalog.UpdateJob.Name, catalog.ResetJob.Name, catalog.DeleteJob.Name:
		job, _, err := s.job(ctx, argumentText(call, "job_id"))
		if err != nil {
			return nil, err
		}
		settings := presentSettings(job, gjson.ParseBytes(call.Args["new_settings"]))
		if call.Row.Name == catalog.DeleteJob.Name {
			return json.RawMessage(settings.Raw), nil
		}
		return resetArguments(argumentText(call, "job_id"), settings), nil
	case catalog.UpdateGrants.Name:
		return s.earlierGrants(ctx, call)
	}
	return nil, nil
}

// undo says how to take a successful write back; "" where there is no way, or
// nothing was changed. auditCall is the id of the audit line that keeps earlier.
func undo(call *catalog.Call, earlier json.RawMessage, answer []byte, auditCall string) string {
	kept := len(earlier) > 0 && gjson.ValidBytes(earlier)
	switch call.Row.Name {
	case catalog.UpdateJob.Name, catalog.ResetJob.Name:
		if !kept {
			return ""
		}
		return undoJobChange(call, earlier, auditCall)
	case catalog.DeleteJob.Name:
		if !kept {
			return ""
		}
		return undoDeleteJob(earlier, auditCall)
	case catalog.UpdateGrants.Name:
		if !kept {
			return ""
		}
		return undoGrants(call, earlier, auditCall)
	}
	if gjson.GetBytes(answer, "already_started").Bool() {
		return ""
	}
	return fillUndo(call, answer)
}

// fillUndo fills the holes of the row's own text, from the answer or else from the
// arguments. One that stays empty leaves no undo at all.
func fillUndo(call *catalog.Call, answer []byte) string {
	var b strings.Builder
	root, rest := gjson.ParseBytes(answer), call.Row.Undo
	for {
		before, behind, hole := strings.Cut(rest, "{")
		b.WriteString(before)
		if !hole {
			return b.String()
		}
		name, after, _ := strings.Cut(behind, "}")
		value := member(root, name)
		text := value.String()
		if value.Type == gjson.Number {
			text = value.Raw
		}
		if text == "" {
			text = argumentText(call, name)
		}
		if text == "" || len(text) > 200 {
			return ""
		}
		text, _ = catalog.Clean(oneLine(text))
		b.WriteString(text)
		rest = after
	}
}

// callText is a call as an agent can make it; "" when it is too long, or holds a
// secret that was hidden.
func callText(tool string, args json.RawMessage) string {
	text := tool + " " + string(args)
	if len(text) > maxUndo || strings.Contains(text, catalog.Hidden) {
		return ""
	}
	return text
}

// inAudit says where the earlier values are kept; "" when they are not.
func inAudit(what, auditCall, printed string, earlier json.RawMessage) string {
	if auditCall == "" {
		return ""
	}
	text := fmt.Sprintf("%s in audit line %s (brickmcp audit --call %s prints %s)", what, auditCall, auditCall, printed)
	if strings.Contains(string(earlier), catalog.Hidden) {
		text += "; secrets are left out of it"
	}
	return text
}

func undoDeleteJob(earlier json.RawMessage, auditCall string) string {
	if kept := inAudit("recreate it with jobs_create from the settings", auditCall, "them", earlier); kept != "" {
		return kept + "; it gets a new id"
	}
	if text := callText(catalog.CreateJob.Name, earlier); text != "" {
		return text + "; it gets a new id"
	}
	return ""
}

func resetArguments(id string, settings gjson.Result) json.RawMessage {
	var o object
	o.text("job_id", id)
	o.raw("new_settings", settings.Raw)
	return o.bytes()
}

func undoJobChange(call *catalog.Call, earlier json.RawMessage, auditCall string) string {
	settings := gjson.GetBytes(earlier, "new_settings")
	given := cleanSettings(call.Args["new_settings"])
	reset := callText(catalog.ResetJob.Name, earlier)
	text := reset
	if call.Row.Name == catalog.ResetJob.Name {
		var d difference
		if d.reset(settings, given); d.count() == 0 {
			return ""
		}
	} else {
		remove, _ := argument[[]string](call, "fields_to_remove")
		back, exact := inverseUpdate(settings, given, remove)
		if exact && back.empty() {
			return ""
		}
		if exact {
			text = callText(catalog.UpdateJob.Name, back.arguments(argumentText(call, "job_id")))
		}
	}
	if text == "" {
		text = reset
	}
	if text == "" {
		text = inAudit("the earlier settings are", auditCall, "them for jobs_reset", earlier)
	}
	return text
}

// jobUpdate is a jobs_update in the making.
type jobUpdate struct {
	fields []string            // in order
	values map[string][]string // the JSON of a field, or of the elements of a keyed one
	keyed  map[string]bool
	remove []string
}

func (u *jobUpdate) empty() bool { return len(u.fields)+len(u.remove) == 0 }

func (u *jobUpdate) set(field, value string, element bool) {
	if u.values == nil {
		u.values, u.keyed = map[string][]string{}, map[string]bool{}
	}
	if u.values[field] == nil {
		u.fields = append(u.fields, field)
	}
	u.values[field] = append(u.values[field], value)
	u.keyed[field] = element
}

func (u *jobUpdate) arguments(id string) json.RawMessage {
	var settings, o object
	for _, field := range u.fields {
		if u.keyed[field] {
			settings.raw(field, "["+strings.Join(u.values[field], ",")+"]")
		} else {
			settings.raw(field, u.values[field][0])
		}
	}
	o.text("job_id", id)
	if len(u.fields) > 0 {
		o.raw("new_settings", string(settings.bytes()))
	}
	if len(u.remove) > 0 {
		o.texts("fields_to_remove", u.remove)
	}
	return o.bytes()
}

// inverseUpdate is the jobs_update that takes another one back. It is not exact
// where an update cannot say it: elements that were added can be removed one by one
// only from tasks and job_clusters, and the order of setting and removing the same
// field is not documented.
func inverseUpdate(before, given gjson.Result, remove []string) (back jobUpdate, exact bool) {
	exact = true
	removed := map[string]bool{}
	for _, path := range remove {
		removed[path] = true
	}
	given.ForEach(func(field, value gjson.Result) bool {
		old := member(before, field.Str)
		key, _ := elementKey(field.Str)
		elements, keyed := pairs(field.Str, old, value)
		switch {
		case removed[field.Str], key != "" && old.Exists() && !keyed, field.Str == "run_as" && !old.Exists():
			exact = false
		case keyed:
			for _, e := range elements {
				switch path := field.Str + "/" + e.key; {
				case removed[path]:
					exact = exact && !e.now.Exists()
				case !e.now.Exists() || same(e.old, e.now) && !strings.Contains(e.old.Raw, catalog.Hidden):
				case e.old.Exists():
					back.set(field.Str, e.old.Raw, true)
				case field.Str == "tasks" || field.Str == "job_clusters":
					back.remove = append(back.remove, path)
				default:
					exact = false
				}
			}
		case !old.Exists():
			back.remove = append(back.remove, field.Str)
		case !same(old, value) || strings.Contains(old.Raw, catalog.Hidden):
			back.set(field.Str, old.Raw, false)
		}
		return exact
	})
	for _, path := range remove {
		field, name, inside := strings.Cut(path, "/")
		old := member(before, field)
		if inside {
			if element := find(field, old, name); element.Exists() {
				back.set(field, element.Raw, true)
			}
		} else if old.Exists() {
			back.set(field, old.Raw, false)
		}
	}
	return back, exact
}
