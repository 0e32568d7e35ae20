package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"brickmcp/catalog"
	"brickmcp/tools/sqlguard"
)

// protect asks for confirmation of a write when what it touches is protected, or
// may be and nobody can tell.
func (j *judgement) protect() {
	for i := range j.objects {
		o := &j.objects[i]
		p := j.protecting(o)
		if p == nil && o.ID != "" && o.Name == "" && hasNames(o.Scope) {
			if err := j.name(o); err != nil {
				first := j.protected[0]
				j.ask(first, o, fmt.Sprintf("the name of %s could not be looked up, so it may be one of %s: %s.", o, j.place(first.rule, first.line), reason(err)))
				return
			}
			p = j.protecting(o)
		}
		if p != nil {
			j.ask(*p, o, fmt.Sprintf("%s is protected by %s: writes on it ask for confirmation.", o, j.place(p.rule, p.line)))
			return
		}
	}
	tags := newTags(j.call)
	if p := j.protecting(&Object{Tags: tags}); p != nil {
		j.ask(*p, nil, fmt.Sprintf("%s gives a tag that is protected by %s: it asks for confirmation.", j.call.Row.Name, j.place(p.rule, p.line)))
	}
	if text, ok := j.text(); ok {
		j.protectNames(text)
	}
}

// protecting is the protection that an object's id, name or tags fall under.
func (j *judgement) protecting(o *Object) *protection {
	texts := make([]string, 0, 8)
	for _, text := range []string{o.ID, o.Name} {
		texts = appendParts(texts, text)
	}
	for _, tag := range o.Tags {
		texts = append(texts, tag)
		if key, value, ok := strings.Cut(tag, "="); ok {
			texts = append(texts, key, value)
		}
	}
	return j.protects(texts)
}

// appendParts adds a text, and the parts of it when it is a dotted name or a path.
func appendParts(texts []string, text string) []string {
	if text == "" {
		return texts
	}
	texts = append(texts, text)
	if strings.ContainsAny(text, "./:`") {
		for part := range strings.FieldsFuncSeq(text, func(c rune) bool { return c == '.' || c == '/' || c == ':' || c == '`' }) {
			texts = append(texts, part)
		}
	}
	return texts
}

func (j *judgement) protects(texts []string) *protection {
	for _, text := range texts {
		text = strings.ToLower(text)
		for i := range j.protected {
			if glob(j.protected[i].pattern, text) {
				return &j.protected[i]
			}
		}
	}
	return nil
}

// protectNames asks when any name or literal of a statement is protected: it is
// no plain read, so what each of them is for is not known.
func (j *judgement) protectNames(text string) {
	first := j.protected[0]
	names, ok := sqlguard.Names(text)
	if !ok {
		j.ask(first, nil, fmt.Sprintf("the statement cannot be read, so it may touch one of %s.", j.place(first.rule, first.line)))
		return
	}
	// What stands outside the text can name what it touches too.
	texts := []string{j.argument("catalog"), j.argument("schema")}
	for _, p := range parameters(j.call) {
		texts = appendParts(texts, p)
	}
	for _, name := range names {
		texts = append(texts, name.String(), strings.Join(name, "."))
		for _, part := range name {
			texts = appendParts(texts, part)
		}
		if len(name) == 1 && (strings.EqualFold(name[0], "identifier") || strings.EqualFold(name[0], "immediate")) {
			j.ask(first, nil, fmt.Sprintf("the statement computes what it touches (%s), which may be one of %s.", name[0], j.place(first.rule, first.line)))
			return
		}
	}
	for _, text := range texts {
		if p := j.protects([]string{text}); p != nil && text != "" {
			j.ask(*p, &Object{Scope: catalog.ScopeSQL, ID: short(text)}, fmt.Sprintf("the statement names %s, which is protected by %s: writes ask for confirmation.", short(text), j.place(p.rule, p.line)))
			return
		}
	}
}

// newTags are the tags that a job, a cluster or a warehouse is created with.
func newTags(call *catalog.Call) []string {
	var tags []string
	for _, argument := range []string{"tags", "custom_tags"} {
		var given any
		if raw, ok := call.Args[argument]; ok && json.Unmarshal(raw, &given) == nil {
			tags = appendTags(tags, given)
		}
	}
	slices.Sort(tags)
	return tags
}

// appendTags reads {"env":"prod"} and {"custom_tags":[{"key":"env","value":"prod"}]}.
func appendTags(tags []string, given any) []string {
	switch given := given.(type) {
	case []any:
		for _, one := range given {
			tags = appendTags(tags, one)
		}
	case map[string]any:
		if key, ok := given["key"].(string); ok {
			value, _ := given["value"].(string)
			return append(tags, key+"="+value)
		}
		for key, value := range given {
			if text, ok := value.(string); ok {
				tags = append(tags, key+"="+text)
			} else {
				tags = appendTags(tags, value)
			}
		}
	}
	return tags
}

// parameters are the values of a statement's parameters.
func parameters(call *catalog.Call) []string {
	var given []struct {
		Value any `json:"value"`
	}
	if raw, ok := call.Args["parameters"]; !ok || json.Unmarshal(raw, &given) != nil {
		return nil
	}
	var values []string
	for _, p := range given {
		if text, ok := p.Value.(string); ok {
			values = append(values, text)
		}
	}
	return values
}
