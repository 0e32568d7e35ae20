package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// What feedback is held to here, because the feedback model answers success to
// anything: agents.md, section 5.1.
const (
	maxRatings     = 20
	maxRatingName  = 100
	maxRatingText  = 1000
	maxFeedbackLen = 10000 // characters of a comment or a rationale
)

// commentName is the assessment that a comment without one rating to stand by becomes.
const commentName = "comment"

// rating is one judgement: a value, or a reason, or both.
type rating struct {
	name      string
	value     gjson.Result
	rationale string
}

// feedback is what was given, checked.
type feedback struct {
	requestID, traceID string
	location           string // of a trace that Unity Catalog keeps
	text, retrieval    []rating
	comment            string
}

// giveFeedback writes a judgement of one answer down: on its trace when there is one,
// else with the endpoint's feedback model. It is the signed-in user's.
func (s *Server) giveFeedback(ctx context.Context, call *catalog.Call) ([]byte, error) {
	f, problems := newFeedback(call)
	if len(problems) > 0 {
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: call.About() + ": " + strings.Join(problems[:min(len(problems), 10)], "; "),
			Advice: `Give ratings such as {"answer_correct": {"value": "positive", "rationale": "…"}}, or comment. Nothing was sent.`}
	}
	if f.traceID != "" {
		user, err := s.giver(ctx, call)
		if err != nil {
			return nil, err
		}
		return s.assess(ctx, call, f, user)
	}
	e, err := s.endpointNamed(ctx, call, argumentText(call, "endpoint_name"))
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(e.served(), func(one entity) bool { return one.name == feedbackEntity }) {
		return nil, &catalog.Error{Kind: catalog.Missing, Message: call.About() + ": it has no feedback model, and request_id is not that of a trace",
			Advice: "Ask the agent with return_trace=true, and give the trace_id of its answer. Nothing was sent."}
	}
	user, err := s.giver(ctx, call)
	if err != nil {
		return nil, err
	}
	sent := *call
	sent.Body = f.body(user)
	if _, err := s.api.Do(ctx, &sent); err != nil {
		return nil, err
	}
	var o object
	o.text("recorded_by", "feedback model")
	o.text("request_id", f.requestID)
	o.text("source", user)
	o.text("next", "agents_read_logs with kind=assessments shows it, within the hour.")
	return o.bytes(), nil
}

// giver is who gives the feedback: whoever is signed in, never whom an agent names.
func (s *Server) giver(ctx context.Context, call *catalog.Call) (string, error) {
	who, err := s.identities.current(ctx)
	switch {
	case err != nil:
		return "", onTheWay(call, "finding out who gives it", err)
	case who.User == "":
		return "", &catalog.Error{Kind: catalog.SignIn, Message: call.About() + ": who is signed in is not known, and feedback is somebody's",
			Advice: "Sign in, and check it with whoami. Nothing was sent."}
	}
	return who.User, nil
}

// newFeedback reads and checks the arguments.
func newFeedback(call *catalog.Call) (f feedback, problems []string) {
	f.requestID, f.traceID, f.comment = argumentText(call, "request_id"), argumentText(call, "trace_id"), argumentText(call, "comment")
	if isTraceID(f.requestID) { // newer deployments call their traces so
		f.requestID, f.traceID = "", f.requestID
	}
	switch {
	case f.traceID != "":
		var ok bool
		if f.location, f.traceID, ok = splitTraceID(f.traceID); !ok {
			problems = append(problems, `trace_id is no id such as tr-… or trace:/catalog.schema/…`)
		}
	case !isUUID(f.requestID):
		problems = append(problems, "request_id is no UUID and no trace id; it is databricks_request_id of an answer")
	}
	f.text, problems = ratings("ratings", call, f.traceID != "", problems)
	f.retrieval, problems = ratings("retrieval_ratings", call, f.traceID != "", problems)
	if strings.TrimSpace(f.comment) == "" {
		f.comment = ""
	}
	if n := len([]rune(f.comment)); n > maxFeedbackLen {
		problems = append(problems, fmt.Sprintf("comment has %d characters, at most %d are possible", n, maxFeedbackLen))
	}
	if len(f.text)+len(f.retrieval) == 0 && f.comment == "" && len(problems) == 0 {
		problems = append(problems, "there is neither a rating nor a comment")
	}
	return f, problems
}

// ratings reads {name: {value, rationale}}, or {name: value}. A trace takes texts,
// numbers, booleans and lists of texts; the feedback model texts alone.
func ratings(argument string, call *catalog.Call, onTrace bool, problems []string) ([]rating, []string) {
	var all []rating
	seen := map[string]bool{}
	complain := func(name, format string, args ...any) {
		problems = append(problems, argument+"."+cutText(name, maxRatingName)+" "+fmt.Sprintf(format, args...))
	}
	gjson.ParseBytes(call.Args[argument]).ForEach(func(key, given gjson.Result) bool {
		name := key.String()
		r := rating{name: name, value: given}
		switch {
		case len(all) == maxRatings:
			problems = append(problems, fmt.Sprintf("%s has more than %d names", argument, maxRatings))
			return false
		case strings.TrimSpace(name) == "" || len(name) > maxRatingName || strings.ContainsAny(name, ".\n\r\t\x00"):
			complain(name, "is no name of a rating: 1 to %d bytes, without a full stop", maxRatingName)
		case seen[name]:
			complain(name, "is given twice")
		}
		seen[name] = true
		if given.IsObject() {
			r.value = gjson.Result{}
			given.ForEach(func(member, value gjson.Result) bool {
				switch member.Str {
				case "value":
					r.value = value
				case "rationale":
					if value.Type != gjson.String {
						complain(name, "has a rationale that is no text")
					}
					r.rationale = value.Str
				default:
					complain(name, "has an unknown member %q%s", cutText(member.Str, 40), perhaps(member.Str, "value", "rationale"))
				}
				return true
			})
		}
		if len([]rune(r.rationale)) > maxFeedbackLen {
			complain(name, "has a rationale of more than %d characters", maxFeedbackLen)
		}
		if why := wrongValue(r.value, onTrace); why != "" {
			complain(name, "%s", why)
		}
		all = append(all, r)
		return true
	})
	return all, problems
}

func perhaps(name string, known ...string) string {
	if best := catalog.Nearest(name, known); best != "" {
		return fmt.Sprintf(" (did you mean %q?)", best)
	}
	return "; valid: " + strings.Join(known, ", ")
}

// wrongValue says what is wrong with the value of a rating; "" when nothing is.
func wrongValue(v gjson.Result, onTrace bool) string {
	switch {
	case !v.Exists() || v.Type == gjson.Null:
		return "has no value"
	case v.Type == gjson.String && strings.TrimSpace(v.Str) == "":
		return "has an empty value"
	case v.Type == gjson.String && len(v.Str) > maxRatingText:
		return fmt.Sprintf("has a value of more than %d bytes", maxRatingText)
	case v.Type == gjson.String, v.Type == gjson.True, v.Type == gjson.False:
		return ""
	case v.IsObject():
		return "has an object as its value; give a text such as positive or negative"
	case !onTrace:
		return "must be a text such as positive or negative: the feedback model takes no other value"
	case v.IsArray():
		for _, item := range v.Array() {
			if item.Type != gjson.String || len(item.Str) > maxRatingText {
				return "has a list that holds something else than short texts"
			}
		}
		if len(v.Array()) == 0 || len(v.Array()) > maxRatings {
			return fmt.Sprintf("has a list without texts, or with more than %d", maxRatings)
		}
	}
	return ""
}

// isTraceID reports an id of a trace, in either form.
func isTraceID(id string) bool {
	return strings.HasPrefix(id, "tr-") || strings.HasPrefix(id, "trace:/")
}

// splitTraceID reads tr-… and trace:/location/id.
func splitTraceID(text string) (location, id string, ok bool) {
	if rest, located := strings.CutPrefix(text, "trace:/"); located {
		location, id, _ = strings.Cut(rest, "/")
		ok = location != "" && isPlainID(location, ".") && id != "" && isPlainID(id, "")
		return location, id, ok
	}
	id = text
	rest, ok := strings.CutPrefix(text, "tr-")
	return "", id, ok && rest != "" && isPlainID(rest, "")
}

// isPlainID reports letters, digits, - and _, and what else is named.
func isPlainID(s, more string) bool {
	return len(s) <= 300 && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"+more) == "" && !strings.Contains(s, "..")
}

// isUUID reports 8-4-4-4-12 hexadecimal digits.
func isUUID(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) != 5 {
		return false
	}
	for i, n := range []int{8, 4, 4, 4, 12} {
		if len(parts[i]) != n || strings.Trim(parts[i], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// body is the feedback as the feedback model takes it.
func (f feedback) body(user string) []byte {
	var source, row object
	source.text("id", user)
	source.text("type", "human")
	row.raw("source", string(source.bytes()))
	row.text("request_id", f.requestID)
	if len(f.text) > 0 || f.comment != "" {
		var text object
		text.raw("ratings", ratingsJSON(f.text))
		if f.comment != "" {
			text.text("free_text_comment", f.comment)
		}
		row.raw("text_assessments", "["+string(text.bytes())+"]")
	}
	if len(f.retrieval) > 0 {
		row.raw("retrieval_assessments", `[{"ratings":`+ratingsJSON(f.retrieval)+`}]`)
	}
	var o object
	o.raw("dataframe_records", "["+string(row.bytes())+"]")
	return o.bytes()
}

func ratingsJSON(all []rating) string {
	var o object
	for _, r := range all {
		var one object
		one.text("value", r.word())
		if r.rationale != "" {
			one.text("rationale", r.rationale)
		}
		o.raw(quotedKey(r.name), string(one.bytes()))
	}
	return string(o.bytes())
}

// word is the value as the feedback model writes it.
func (r rating) word() string {
	switch r.value.Type {
	case gjson.True:
		return "positive"
	case gjson.False:
		return "negative"
	}
	return r.value.Str
}

// assess writes one assessment for each rating to the trace. One that fails says
// which are there already: none is sent twice.
func (s *Server) assess(ctx context.Context, call *catalog.Call, f feedback, user string) ([]byte, error) {
	all := append(slices.Clone(f.text), f.retrieval...)
	switch {
	case f.comment == "":
	case len(all) == 1 && all[0].rationale == "":
		all[0].rationale = f.comment
	default:
		all = append(all, rating{name: commentName, value: gjson.ParseBytes(appendText(nil, f.comment))})
	}
	var done, ids []string
	for _, r := range all {
		id, err := s.assessOne(ctx, f, r, user)
		if err != nil {
			e := *catalog.AsError(onTheWay(call, "assessing "+r.name, err))
			switch {
			case e.MissingRoute:
				e.Advice = "This workspace takes no feedback on such traces through its API: a person can give it on the page of the trace."
			case e.Kind == catalog.Missing:
				e.Advice = "The trace may not be stored yet (a few minutes), or be in an experiment that this user cannot see. Check trace_id, then call again."
			}
			if len(done) > 0 {
				e.Message += "; recorded before it: " + strings.Join(done, ", ")
				e.Advice = "Do not send those again. " + e.Advice
			}
			return nil, &e
		}
		done, ids = append(done, r.name), append(ids, id)
	}
	var o object
	o.text("recorded_by", "MLflow")
	o.text("trace_id", f.traceID)
	o.text("source", user)
	o.texts("assessments", done)
	o.texts("assessment_ids", ids)
	return o.bytes(), nil
}

func (s *Server) assessOne(ctx context.Context, f feedback, r rating, user string) (string, error) {
	var source, value, a object
	source.text("source_type", "HUMAN")
	source.text("source_id", user)
	value.raw("value", r.value.Raw)
	a.text("assessment_name", r.name)
	a.raw("source", string(source.bytes()))
	a.raw("feedback", string(value.bytes()))
	if r.rationale != "" {
		a.text("rationale", r.rationale)
	}
	a.raw("metadata", `{"client":"mcp"}`)
	assessment := catalog.Object(a.bytes())
	var answer *catalog.Assessed
	var err error
	if f.location != "" {
		answer, err = catalog.AssessLocatedTrace.Call(ctx, s.api, catalog.AssessLocatedTraceRequest{Location: f.location, TraceID: f.traceID, Assessment: assessment})
	} else {
		answer, err = catalog.AssessTrace.Call(ctx, s.api, catalog.AssessTraceRequest{TraceID: f.traceID, Assessment: assessment})
	}
	if err != nil {
		return "", err
	}
	return cmp.Or(answer.Assessment.AssessmentID, "unknown"), nil
}
