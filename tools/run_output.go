package tools

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
	answer, err := s.ask(ctx, call)
	if err != nil {
		return nil, err
	}
	// Cleaned at once: logs are full of colours, and a page's end may fall into one.
	out, removed := catalog.CleanJSON(call.Projection().Append(nil, string(answer.Body)))
	skip := call.Page.Skip
	if removed > 0 && skip == 0 {
		o := object{buf: out[:len(out)-1]}
		o.integer(removedCharacters, int64(removed))
		out = o.bytes()
	}
	if skip == 0 && len(out) <= s.budget {
		return append(runMark(out, nil), out[1:]...), nil
	}
	texts := map[string]string{}
	rest := out
	for _, path := range runTexts {
		if text := gjson.GetBytes(out, path).String(); len(text) > skip {
			texts[path] = text
		}
		if rest, err = sjson.DeleteBytes(rest, path); err != nil {
			return nil, fmt.Errorf("take %s out of the run's output: %w", path, err)
		}
	}
	switch {
	case len(texts) == 0 && skip > 0:
		return nil, behindEnd(call)
	case len(texts) == 0:
		return s.whole(append(runMark(out, nil), out[1:]...)), nil
	}
	// What is not text in pieces is on every page; whole, if at all, on the first.
	room := s.budget / 2
	if skip > 0 {
		room = s.budget / 4
	}
	shortened := len(rest) > room
	rest = shorten(rest, room)
	mark := runMark(rest, texts)
	end := windowEnd(texts, skip, s.budget-len(mark)-len(rest))
	more := false
	for _, path := range runTexts {
		text, ok := texts[path]
		if !ok {
			continue
		}
		more = more || end < len(text)
		part := appendText(nil, text[runeStart(text, skip):runeStart(text, end)])
		if rest, err = sjson.SetRawBytes(rest, path, part); err != nil {
			return nil, fmt.Errorf("put %s together: %w", path, err)
		}
	}
	o := object{buf: append(mark, rest[1:len(rest)-1]...)}
	o.boolean("truncated", more)
	if more {
		o.text("next_page_token", catalog.Page{Skip: end}.String())
	}
	if shortened {
		o.shortened(shortNote)
	}
	return o.bytes(), nil
}

// runMark begins an object of a run's output. Whatever it has beside metadata, and
// the texts that are still to be put into it, the task's code or data wrote.
func runMark(output []byte, texts map[string]string) []byte {
	var names []string
	gjson.ParseBytes(output).ForEach(func(key, value gjson.Result) bool {
		if (value.Type == gjson.String || value.IsObject()) && key.Str != "metadata" {
			names = append(names, key.Str)
		}
		return true
	})
	for _, path := range runTexts {
		name, _, _ := strings.Cut(path, ".")
		if _, ok := texts[path]; ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []byte{'{'}
	}
	var o object
	o.untrusted(names...)
	return append(o.buf, ',')
}

// windowEnd is the last byte up to which the texts, all from byte skip on, have
// room together. Escapes count: logs are full of line ends and colours.
func windowEnd(texts map[string]string, skip, room int) int {
	for path := range texts {
		room -= len(path) + len(`,"":""`)
	}
	fits := func(length int) bool {
		left := room
		for _, text := range texts {
			part := text[runeStart(text, skip):runeStart(text, skip+length)]
			if fitting(part, left) < len(part) {
				return false
			}
			left -= len(appendText(nil, part)) - len(`""`)
		}
		return true
	}
	least, length := utf8.UTFMax, max(room, utf8.UTFMax) // a page has at least one rune
	for least < length {
		if middle := (least + length + 1) / 2; fits(middle) {
			least = middle
		} else {
			length = middle - 1
		}
	}
	return skip + least
}

// runeStart is the first beginning of a rune at or behind byte i.
func runeStart(s string, i int) int {
	i = min(i, len(s))
	for i < len(s) && !utf8.RuneStart(s[i]) {
		i++
	}
	return i
}
