package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// assessmentFields are what a caller may set.
var assessmentFields = []string{"assessment_name", "source", "feedback", "expectation", "rationale", "metadata", "span_id", "overrides"}

type assessmentRequest struct {
	Assessment object `json:"assessment"`
	Mask       string `json:"update_mask"`
}

// createAssessment has no idempotency key: asked twice it makes two.
func (m *mlflow) createAssessment(r *request) (any, error) {
	var in assessmentRequest
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	t, err := m.find(r, "CAN_EDIT")
	if err != nil {
		return nil, err
	}
	a := in.Assessment
	maps.DeleteFunc(a, func(key string, v any) bool { return v == nil || !slices.Contains(assessmentFields, key) })
	if err := checkAssessment(a); err != nil {
		return nil, err
	}
	m.made++
	a["assessment_id"] = "a-" + strings.ReplaceAll(stableUUID("assessment "+strconv.Itoa(m.made)), "-", "")
	a["trace_id"], a["valid"] = t.id, true
	a["create_time"], a["last_update_time"] = stampText(r.now), stampText(r.now)
	t.assessments = append(t.assessments, a)
	return object{"assessment": clone(a)}, nil
}

// checkAssessment applies the rules of shape.
func checkAssessment(a object) error {
	name, _ := a["assessment_name"].(string)
	source, _ := a["source"].(object)
	kind, _ := source["source_type"].(string)
	feedback, isFeedback := a["feedback"].(object)
	expectation, isExpectation := a["expectation"].(object)
	switch {
	case name == "":
		return badArgument("Missing value for required parameter 'assessment.assessment_name'.")
	case strings.Contains(name, "."):
		return badArgument("Assessment name '" + name + "' is invalid: it must not contain a period.")
	case source == nil:
		return badArgument("Missing value for required parameter 'assessment.source'.")
	case !slices.Contains([]string{"HUMAN", "LLM_JUDGE", "CODE"}, kind):
		return badArgument("Invalid source_type '" + kind + "' of an assessment. Valid types are: HUMAN, LLM_JUDGE, CODE")
	case isFeedback == isExpectation:
		return badArgument("Exactly one of 'assessment.feedback' and 'assessment.expectation' must be given.")
	case isExpectation && expectation["value"] == nil && expectation["serialized_value"] == nil:
		return badArgument("Missing value for required parameter 'assessment.expectation.value'.")
	}
	if isFeedback {
		if err := checkFeedback(feedback); err != nil {
			return err
		}
	}
	for _, key := range []string{"rationale", "span_id"} {
		if _, text := a[key].(string); a[key] != nil && !text {
			return badArgument("Invalid value for parameter 'assessment." + key + "': it must be a string.")
		}
	}
	if metadata, there := a["metadata"]; there {
		values, ok := metadata.(object)
		for _, v := range values {
			_, text := v.(string)
			ok = ok && text
		}
		if !ok {
			return badArgument("Invalid value for parameter 'assessment.metadata': it must be a map of strings to strings.")
		}
	}
	return nil
}

func checkFeedback(feedback object) error {
	switch v := feedback["value"].(type) {
	case json.Number, bool, string:
		return nil
	case []any:
		if !slices.ContainsFunc(v, func(x any) bool { _, text := x.(string); return !text }) {
			return nil
		}
	case nil:
		if feedback["error"] != nil {
			return nil // a judge that failed
		}
		return badArgument("Missing value for required parameter 'assessment.feedback.value'.")
	}
	return badArgument("Invalid value for parameter 'assessment.feedback.value': it must be a number, a boolean, a string or a list of strings.")
}

// assessment finds the {id} of the path.
func (m *mlflow) assessment(r *request, level string) (t *trace, at int, err error) {
	t, err = m.find(r, level)
	if err != nil {
		return nil, 0, err
	}
	at = slices.IndexFunc(t.assessments, func(a object) bool { return a["assessment_id"] == r.PathValue("id") })
	if at < 0 {
		return nil, 0, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf("Assessment with ID '%s' not found for trace '%s'.", r.PathValue("id"), t.id))
	}
	return t, at, nil
}

func (m *mlflow) getAssessment(r *request) (any, error) {
	t, at, err := m.assessment(r, "CAN_READ")
	if err != nil {
		return nil, err
	}
	return object{"assessment": clone(t.assessments[at])}, nil
}

func (m *mlflow) updateAssessment(r *request) (any, error) {
	var in assessmentRequest
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	t, at, err := m.assessment(r, "CAN_EDIT")
	if err != nil {
		return nil, err
	}
	next := clone(t.assessments[at])
	for _, key := range strings.Split(in.Mask, ",") {
		if !slices.Contains([]string{"assessment_name", "expectation", "feedback", "rationale", "metadata"}, key) {
			return nil, badArgument("Invalid path '" + key + "' in update_mask. Valid paths are: assessment_name, expectation, feedback, rationale, metadata")
		}
		next[key] = in.Assessment[key]
	}
	if err := checkAssessment(next); err != nil {
		return nil, err
	}
	next["last_update_time"] = stampText(r.now)
	t.assessments[at] = next
	return object{"assessment": clone(next)}, nil
}

func (m *mlflow) deleteAssessment(r *request) (any, error) {
	t, at, err := m.assessment(r, "CAN_EDIT")
	if err != nil {
		return nil, err
	}
	t.assessments = slices.Delete(t.assessments, at, at+1)
	return nil, nil
}
