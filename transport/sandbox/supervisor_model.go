package sandbox

import (
	"slices"
	"strings"
)

// The model behind the sandbox's Supervisor API is a handful of rules: the same
// request gets the same answer. It goes through the user's message clause by
// clause and calls the tools whose words stand there.

// plannedCall is one call that the model wants.
type plannedCall struct {
	tool      *hostedTool
	arguments string // JSON
}

// plan decides what to call for a message, and what to say about tools that
// could not be called.
func plan(message string, tools []*hostedTool, magic map[string]bool) (calls []plannedCall, notes []string) {
	add := func(t *hostedTool, text string) {
		arguments, ok := t.arguments(text)
		if !ok {
			notes = append(notes, "To call "+t.label+" I need a value for each of its parameters.")
			return
		}
		calls = append(calls, plannedCall{t, arguments})
		if magic["two"] && t.needsApproval() {
			if arguments, ok = t.arguments(text + ", once more"); ok {
				calls = append(calls, plannedCall{t, arguments})
			}
		}
	}
	for _, clause := range clauses(message) {
		before := len(calls) + len(notes)
		for rank := range 3 {
			for _, t := range tools {
				if t.rank() == rank && t.fits(clause) {
					add(t, clause)
				}
			}
			if len(calls)+len(notes) > before {
				break
			}
		}
	}
	if len(calls)+len(notes) == 0 && len(tools) == 1 && message != "" {
		add(tools[0], message)
	}
	return calls, notes
}

// rank orders the tools of a clause: one that is called by its name, else data,
// else documents.
func (t *hostedTool) rank() int {
	switch {
	case t.assistant != nil:
		return 2
	case t.space != nil:
		return 1
	}
	return 0
}

// clauses cuts a message where its sentences end.
func clauses(message string) []string {
	cut := strings.NewReplacer("? ", "?\x00", "! ", "!\x00", ". ", ".\x00", "; ", "\x00", "\n", "\x00", ", then ", "\x00", " and then ", "\x00").Replace(message)
	var out []string
	for _, c := range strings.Split(cut, "\x00") {
		if c = strings.TrimSpace(c); c != "" {
			out = append(out, c)
		}
	}
	return out
}

// fits says whether the words of a clause ask for the tool.
func (t *hostedTool) fits(clause string) bool {
	words := wordsOf(clause)
	named := func(name string, least int) bool {
		return slices.ContainsFunc(wordsOf(strings.ReplaceAll(name, "_", " ")), func(part string) bool {
			return len(part) >= least && slices.Contains(words, part)
		})
	}
	switch {
	case t.space != nil:
		return understand(t.space.measures, clause, nil).measure != nil || slices.Contains(words, "genie")
	case t.function != nil:
		return named(t.function.name, 3)
	case t.connection != nil:
		return named(t.connection.name, 3) || named(t.connection.tool, 4)
	case t.app != nil:
		return strings.Contains(clause, t.app.name) || slices.Contains(words, "agent")
	}
	return len(t.assistant.search(clause)) > 0
}

// finding is the first paragraph of a tool's output.
func finding(label, output string) string {
	first, _, _ := strings.Cut(output, "\n\n")
	first, _, _ = strings.Cut(first, "\n")
	return "According to " + label + ": " + first
}
