package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"brickmcp/catalog"

	"go.yaml.in/yaml/v4"
)

// Cases are calls with the decisions that people expect of a policy, for their
// own tests of it.
type Cases struct {
	Policy *Policy
	Cases  []Case
}

// Case is one call and what is expected of it.
type Case struct {
	Line      int
	Who       Subject
	Row       *catalog.Row
	Arguments json.RawMessage // nil: of no particular call, judged by level and tool alone
	Expect    Action
	objects   *known
}

// Failure is a case that came out otherwise.
type Failure struct {
	Case
	Got     Decision
	Problem string // why nothing could be decided; or empty
}

// String says it in one line.
func (f Failure) String() string {
	who := ""
	for _, of := range []string{f.Who.User, f.Who.Client} {
		if of != "" {
			who += " for " + of
		}
	}
	if f.Problem != "" {
		return fmt.Sprintf("%s%s: %s", f.Row.Name, who, f.Problem)
	}
	text := fmt.Sprintf("%s%s: expected %s, got %s", f.Row.Name, who, f.Expect, f.Got.Action)
	if f.Got.Rule != "" {
		text += " by " + f.Got.Place()
	}
	if f.Got.Why != "" {
		text += ". " + f.Got.Why
	}
	return text
}

// LoadCases reads a file of cases and the policy that it names, beside it or else
// in the working directory. A policy given here takes its place; prefixes are those
// of Load. Its error is an *Error.
func LoadCases(path, policy string, prefixes ...string) (*Cases, error) {
	text, err := readFile(path)
	if err != nil {
		return nil, err
	}
	c := caseReader{reader: reader{file: filepath.Base(path)}}
	if root := c.document(text); root != nil {
		if isPolicy(root) {
			c.problem(root.Line, "", "this is a policy, not a file of cases: {policy: %s, cases: [{tool: …, expect: allow|confirm|deny}]}", c.file)
			return nil, c.err()
		}
		c.read(root)
	}
	if policy == "" && c.policy != "" {
		policy = c.policy
		beside := filepath.Join(filepath.Dir(path), policy)
		if !filepath.IsAbs(policy) && (!missing(beside) || missing(policy)) {
			policy = beside
		}
	}
	if policy == "" {
		c.problem(0, "policy", "is required: the policy file, beside this one")
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	p, err := Load(policy, prefixes...)
	if err != nil {
		return nil, err
	}
	return &Cases{Policy: p, Cases: c.cases}, nil
}

// isPolicy: it has keys of a policy, and none of a file of cases.
func isPolicy(root *yaml.Node) bool {
	if root.Kind != yaml.MappingNode {
		return false
	}
	policy := false
	for i := 0; i < len(root.Content); i += 2 {
		switch key := root.Content[i].Value; {
		case key == "cases" || key == "policy" || key == "objects":
			return false
		case slices.Contains(fileKeys, key):
			policy = true
		}
	}
	return policy
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return err != nil
}

// Run judges all cases and returns those that fail. allows is what --access says.
func (c *Cases) Run(ctx context.Context, allows func(*catalog.Row) bool) []Failure {
	var failures []Failure
	for _, one := range c.Cases {
		got, problem := c.Policy.judgeCase(ctx, one, allows)
		if problem != "" || got.Action != one.Expect {
			failures = append(failures, Failure{Case: one, Got: got, Problem: problem})
		}
	}
	return failures
}

func (p *Policy) judgeCase(ctx context.Context, c Case, allows func(*catalog.Row) bool) (d Decision, problem string) {
	if !allows(c.Row) {
		return Decision{Action: Deny, Rule: "--access", Needs: c.Row.Effect.Needs()}, ""
	}
	rules := p.Rules(c.Who)
	if d = rules.Tool(c.Row); d.Action == Deny {
		return d, ""
	}
	call, err := c.Row.Bind(c.Arguments)
	switch {
	case err != nil && c.Arguments == nil:
		return d, ""
	case err != nil:
		return d, "the arguments are wrong: " + err.Error()
	}
	d, _ = rules.Judge(ctx, call, c.objects)
	return d, ""
}

// known stands in for the workspace: what a file of cases says of its objects.
type known struct {
	objects map[catalog.Scope]map[string]Object
	runs    map[string]string
	parent  *known // of the whole file
}

// Object implements Lookup.
func (k *known) Object(_ context.Context, scope catalog.Scope, id string) (Object, error) {
	for ; k != nil; k = k.parent {
		if o, ok := k.objects[scope][id]; ok {
			return o, nil
		}
	}
	return Object{}, fmt.Errorf("objects.%s in the file of cases does not have %s", scope, id)
}

// JobOfRun implements Lookup.
func (k *known) JobOfRun(_ context.Context, runID string) (string, error) {
	for ; k != nil; k = k.parent {
		if job, ok := k.runs[runID]; ok {
			return job, nil
		}
	}
	return "", fmt.Errorf("objects.runs in the file of cases does not have %s", runID)
}

// caseReader reads a file of cases.
type caseReader struct {
	reader
	policy string
	cases  []Case
}

func (c *caseReader) read(root *yaml.Node) {
	all := &known{}
	c.mapping(root, "", []string{"policy", "objects", "cases"}, func(name string, at, value *yaml.Node) {
		switch name {
		case "policy":
			c.policy, _ = c.text(value, name)
		case "objects":
			c.objects(all, value, name)
		case "cases":
			c.sequence(value, name, func(key string, item *yaml.Node) { c.one(item, key, all) })
		}
	})
	if len(c.cases) == 0 {
		c.problem(root.Line, "cases", "has nothing to test")
	}
}

func (c *caseReader) one(n *yaml.Node, key string, all *known) {
	one := Case{Line: n.Line, objects: all}
	keys := []string{"user", "groups", "client", "tool", "arguments", "expect", "objects"}
	c.mapping(n, key, keys, func(name string, at, value *yaml.Node) {
		key := join(key, name)
		switch name {
		case "user":
			one.Who.User, _ = c.text(value, key)
		case "client":
			one.Who.Client, _ = c.text(value, key)
		case "groups":
			c.sequence(value, key, func(key string, item *yaml.Node) {
				group, _ := c.text(item, key)
				one.Who.Groups = append(one.Who.Groups, group)
			})
		case "tool":
			tool, ok := c.text(value, key)
			if one.Row = catalog.Find(tool); ok && one.Row == nil {
				c.problem(at.Line, key, "%q is no tool%s; brickmcp tools lists them", short(tool), hint(tool, toolNames()))
			}
		case "arguments":
			raw, ok := c.json(value, key, 0)
			if n := c.follow(value); ok && n.Kind != yaml.MappingNode {
				c.problem(n.Line, key, "must be a mapping of names to values, not %s", kindOf(n))
			}
			if one.Arguments = raw; string(raw) == "{}" {
				one.Arguments = nil
			}
		case "expect":
			expect, _ := c.word(value, key, string(Allow), string(Confirm), string(Deny))
			one.Expect = Action(expect)
		case "objects":
			own := &known{parent: all}
			c.objects(own, value, key)
			one.objects = own
		}
	})
	if len(c.problems) == 0 && (one.Row == nil || one.Expect == "") {
		c.problem(n.Line, key, "needs tool and expect")
	}
	c.cases = append(c.cases, one)
}

// objects reads {jobs: {"5001": {name: …, tags: […]}}, runs: {"900": "5001"}}.
func (c *caseReader) objects(k *known, n *yaml.Node, key string) {
	k.objects, k.runs = map[catalog.Scope]map[string]Object{}, map[string]string{}
	var scopes []string
	for _, s := range catalog.Scopes() {
		if hasNames(s) {
			scopes = append(scopes, string(s))
		}
	}
	c.mapping(n, key, append(scopes, "runs"), func(scope string, _, value *yaml.Node) {
		key := join(key, scope)
		objects := map[string]Object{}
		k.objects[catalog.Scope(scope)] = objects
		c.byID(value, key, func(id string, value *yaml.Node) {
			key := join(key, id)
			if scope == "runs" {
				k.runs[id], _ = c.text(value, key)
				return
			}
			o := Object{Scope: catalog.Scope(scope), ID: id}
			c.mapping(value, key, []string{"name", "tags"}, func(name string, _, value *yaml.Node) {
				if name == "name" {
					o.Name, _ = c.text(value, join(key, name))
					return
				}
				c.sequence(value, join(key, name), func(key string, item *yaml.Node) {
					tag, _ := c.text(item, key)
					o.Tags = append(o.Tags, tag)
				})
			})
			objects[id] = o
		})
	})
}

// byID is a mapping whose keys are ids, with or without quotes.
func (c *caseReader) byID(n *yaml.Node, key string, each func(id string, value *yaml.Node)) {
	n = c.follow(n)
	if n.Kind != yaml.MappingNode {
		c.problem(n.Line, key, "must be a mapping of ids to objects, not %s", kindOf(n))
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if id, ok := c.text(n.Content[i], key); ok {
			each(id, n.Content[i+1])
		}
	}
}

// json is a YAML value as JSON; integers stay exact.
func (c *caseReader) json(n *yaml.Node, key string, depth int) (json.RawMessage, bool) {
	n = c.follow(n)
	if depth > 50 {
		c.problem(n.Line, key, "is nested too deeply")
		return nil, false
	}
	var b strings.Builder
	ok := true
	part := func(n *yaml.Node, key string) {
		raw, valid := c.json(n, key, depth+1)
		ok = ok && valid
		b.Write(raw)
	}
	switch n.Kind {
	case yaml.MappingNode:
		c.mapping(n, key, nil, func(name string, _, value *yaml.Node) {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			b.Write(quote(name))
			b.WriteByte(':')
			part(value, join(key, name))
		})
		return json.RawMessage("{" + b.String() + "}"), ok
	case yaml.SequenceNode:
		c.sequence(n, key, func(key string, item *yaml.Node) {
			if b.Len() > 0 {
				b.WriteByte(',')
			}
			part(item, key)
		})
		return json.RawMessage("[" + b.String() + "]"), ok
	}
	switch n.Tag {
	case "!!null":
		return json.RawMessage("null"), true
	case "!!int", "!!float", "!!bool":
		if !json.Valid([]byte(n.Value)) {
			c.problem(n.Line, key, "%q is not written as in JSON; quote it if it is text", short(n.Value))
			return nil, false
		}
		return json.RawMessage(n.Value), true
	}
	return quote(n.Value), true
}

func quote(text string) json.RawMessage {
	raw, err := json.Marshal(text)
	if err != nil { // a string always has a JSON form
		panic(err)
	}
	return raw
}
