package catalog

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// The budget of one tool's JSON in tools/list. Agents pay for it on every request.
const maxToolBytes = 3000

var (
	namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{2,63}$`)
	// what paths of a workspace, or of an app in it, begin with
	pathRoots   = []string{"/api/", "/ai-gateway/", "/serving-endpoints/", "/responses"}
	secretWords = []string{"secret", "token", "password", "value"}
)

// Check is the constitution: it returns every rule that the row breaks. A test
// holds all rows to it.
func (r *Row) Check() error {
	var errs []error
	breaks := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: "+format, append([]any{r.Name}, args...)...))
	}
	if r.Group == nil || !slices.ContainsFunc(r.Group.Prefixes, func(p string) bool { return strings.HasPrefix(r.Name, p+"_") }) {
		breaks("the name is not a prefix of its group, an underscore and a verb")
	}
	if !namePattern.MatchString(r.Name) {
		breaks("the name must match %s", namePattern)
	}
	if !r.Effect.Valid() {
		breaks("Effect is not set")
	}
	looks := r.Method == "GET" || r.Method == "HEAD"
	if r.Effect.ReadOnly() != (looks || r.Proven) {
		breaks("effect %s does not go with method %s", r.Effect, r.Method)
	}
	if r.Proven && (looks || r.Inner) {
		breaks("Proven is for tools that read with another method than GET")
	}
	if !slices.ContainsFunc(pathRoots, func(root string) bool { return strings.HasPrefix(r.Path, root) }) {
		breaks("the path begins with none of %s", strings.Join(pathRoots, ", "))
	}
	if r.Needs == "" {
		breaks("Needs (the permission) is not set")
	}
	if !r.Effect.Repeatable() && r.Verify == "" {
		breaks("effect %s may not be repeated, so Verify must say how to check a call of unknown fate", r.Effect)
	}
	if r.req == nil || r.resp == nil {
		breaks("not made by Define")
		return errors.Join(errs...)
	}
	params, byName := r.lookup()
	named := append(append(r.holes(), r.OneOf...), holesOf(r.Object)...)
	for _, t := range r.Touches {
		named = append(append(named, holesOf(t.ID)...), holesOf(t.Name)...)
	}
	for _, name := range named {
		if byName[name] == nil {
			breaks("%q is used by Path, Object, Touches or OneOf but is no argument", name)
		}
	}
	for _, name := range r.holes() {
		if p := byName[name]; p != nil && !p.required {
			breaks("the hole {%s} must be a required argument", name)
		}
	}
	if r.Token != "" && (byName[r.Token] == nil || byName[r.Token].in != inBody) {
		breaks("the idempotency token %q is no body argument", r.Token)
	}
	for _, p := range params {
		for _, problem := range p.breaks() {
			breaks("argument %q %s", p.name, problem)
		}
	}
	errs = append(errs, r.checkPaging(byName)...)
	if !r.Inner {
		errs = append(errs, r.checkTool()...)
	}
	return errors.Join(errs...)
}

func (p *param) breaks() []string {
	var problems []string
	if p.doc == "" {
		problems = append(problems, "is not described")
	}
	secret := slices.ContainsFunc(secretWords, func(w string) bool {
		return p.name == w || strings.HasSuffix(p.name, "_"+w)
	})
	if secret && !p.hide && p.name != "page_token" && p.name != "idempotency_token" {
		problems = append(problems, `looks secret: tag it audit:"hide", or rename it`)
	}
	if p.in == inPath && p.kind != kindString && p.kind != kindID && p.kind != kindInteger {
		problems = append(problems, "is a hole but no string, id or integer")
	}
	return problems
}

func (r *Row) checkPaging(byName map[string]*param) []error {
	var errs []error
	paged := byName["page_token"] != nil
	if r.list() {
		field, ok := fieldByJSON(r.resp, r.Items)
		if !ok || field.Type.Kind() != reflect.Slice {
			errs = append(errs, fmt.Errorf("%s: Items %q is no array of the response", r.Name, r.Items))
		}
		if !r.Inner && (!paged || byName["fields"] == nil) {
			errs = append(errs, fmt.Errorf("%s: a list must embed Paged", r.Name))
		}
	}
	if r.list() != (r.Paging != NotPaged) {
		errs = append(errs, fmt.Errorf("%s: Items and Paging go together", r.Name))
	}
	if len(r.Gather) > 0 && !paged {
		errs = append(errs, fmt.Errorf("%s: a row that gathers pages must embed Resumed", r.Name))
	}
	return errs
}

func (r *Row) checkTool() []error {
	var errs []error
	if r.Did == "" {
		errs = append(errs, fmt.Errorf("%s: Did (what audit says of a success) is not set", r.Name))
	}
	if r.Effect == Create && r.Token == "" && !r.Deduplicated() {
		errs = append(errs, fmt.Errorf("%s: a create that the API may do twice must embed Forced", r.Name))
	}
	if len(r.Touches) == 0 && r.Object != "" || r.list() && r.Shows.Scope == "" && len(r.Touches) == 0 {
		errs = append(errs, fmt.Errorf("%s: Touches or Shows must say what policies narrow", r.Name))
	}
	if r.Title == "" || len(r.Title) > 40 {
		errs = append(errs, fmt.Errorf("%s: the title must have 1 to 40 characters", r.Name))
	}
	if sentences := strings.Count(r.Doc+" ", ". "); sentences < 1 || sentences > 3 {
		errs = append(errs, fmt.Errorf("%s: Doc must be one to three sentences, not %d", r.Name, sentences))
	}
	if size := len(r.Name) + len(r.Title) + len(r.Doc) + len(r.Schema()) + 160; size > maxToolBytes {
		errs = append(errs, fmt.Errorf("%s: about %d bytes of tools/list, the limit is %d", r.Name, size, maxToolBytes))
	}
	return errs
}

func fieldByJSON(t reflect.Type, name string) (reflect.StructField, bool) {
	if t.Kind() != reflect.Struct {
		return reflect.StructField{}, false
	}
	for field := range t.Fields() {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag == name {
			return field, true
		}
	}
	return reflect.StructField{}, false
}

func holesOf(pattern string) []string { return (&Row{Path: pattern}).holes() }
