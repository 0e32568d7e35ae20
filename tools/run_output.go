package tools

import (
	"context"
	"fmt"
	"unicode/utf8"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// runTexts are the members of a run's output that may be megabytes long.
var runTexts = []string{"error", "error_trace", "logs", "info", "notebook_output.result"}

// runOutput reads a task run's output. Long texts come in pieces: page_token
// goes on in all of them at the same byte.
func (s *Server) runOutput(ctx context.Context, call *catalog.Call) ([]byte, error) {
	answer, err := s.api.Do(ctx, call)
	if err != nil {
		return nil, err
	}
	out := call.Projection().Append(nil, string(answer.Body))
	skip := call.Page.Skip
	if skip == 0 && len(out) <= s.budget {
		return out, nil
	}
	long := 0
	for _, path := range runTexts {
		if len(gjson.GetBytes(out, path).Str) > skip {
			long++
		}
	}
	if long == 0 {
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: call.About() + ": page_token is behind the end of the output", Advice: "There is nothing more to read."}
	}
	rest := out
	for _, path := range runTexts {
		rest, _ = sjson.DeleteBytes(rest, path)
	}
	if skip > 0 || len(rest) > s.budget/2 {
		rest = shorten(rest, s.budget/4)
	}
	piece := max((s.budget-len(rest)-headRoom)/long, 100)
	more := false
	for _, path := range runTexts {
		text := gjson.GetBytes(out, path).Str
		if len(text) <= skip {
			continue
		}
		more = more || skip+piece < len(text)
		part := text[runeStart(text, skip):runeStart(text, skip+piece)]
		if rest, err = sjson.SetBytes(rest, path, part); err != nil {
			return nil, fmt.Errorf("put %s together: %w", path, err)
		}
	}
	o := object{buf: rest[:len(rest)-1]}
	o.boolean("truncated", more)
	if more {
		o.text("next_page_token", catalog.Page{Skip: skip + piece}.String())
	}
	return o.bytes(), nil
}

// runeStart is the first beginning of a rune at or behind byte i.
func runeStart(s string, i int) int {
	i = min(i, len(s))
	for i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return i
}
