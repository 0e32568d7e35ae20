package tools

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

const (
	// maxChanges bounds the sentences of a preview.
	maxChanges = 30
	// maxShown bounds, in bytes, each value or name in a sentence.
	maxShown = 80
)

// difference says in one sentence each what changes between two values.
type difference struct {
	sentences []string
	more      int // that did not fit
}

func (d *difference) say(format string, args ...any) {
	if len(d.sentences) == maxChanges {
		d.more++
		return
	}
	d.sentences = append(d.sentences, fmt.Sprintf(format, args...))
}

func (d *difference) count() int { return len(d.sentences) + d.more }

func (d *difference) all() []string {
	if d.more == 0 {
		return d.sentences
	}
	return append(d.sentences, fmt.Sprintf("and %d more changes", d.more))
}

// update says what a jobs_update changes: given fields are replaced whole, those
// with keyed elements are merged, and then removals are made (contract/jobs.md
// section 2.4).
func (d *difference) update(now, given gjson.Result, remove []string) {
	given.ForEach(func(key, value gjson.Result) bool {
		old := member(now, key.Str)
		if elements, keyed := pairs(key.Str, old, value); keyed {
			d.elements(plainKey(key.Str), elements, false)
		} else {
			d.member(plainKey(key.Str), old, value)
		}
		return true
	})
	for _, path := range remove {
		field, name, within := strings.Cut(path, "/")
		old := member(now, field)
		if !within {
			switch {
			case !old.Exists() && !member(given, field).Exists():
				d.say("%s is not set: there is nothing to remove", plainKey(field))
			case old.Exists():
				d.fallsBack(plainKey(field), old)
			}
			continue
		}
		_, noun := elementKey(field)
		if element := find(field, old, name); element.Exists() {
			d.say("%s %s is removed%s", noun, quoted(name), kindOf(element))
		} else {
			d.say("there is no %s %s to remove, and the workspace may refuse", cmp.Or(noun, "element of "+plainKey(field)), quoted(name))
		}
	}
}

// reset says what a jobs_reset changes: what is left out falls back to its default,
// but for run_as, which stays.
func (d *difference) reset(now, given gjson.Result) {
	now.ForEach(func(key, old gjson.Result) bool {
		value := member(given, key.Str)
		switch {
		case value.Exists():
			d.member(plainKey(key.Str), old, value)
		case key.Str != "run_as":
			d.fallsBack(plainKey(key.Str), old)
		}
		return true
	})
	given.ForEach(func(key, value gjson.Result) bool {
		if !member(now, key.Str).Exists() {
			d.member(plainKey(key.Str), gjson.Result{}, value)
		}
		return true
	})
}

// fallsBack says what a setting was that is not set any more.
func (d *difference) fallsBack(field string, old gjson.Result) {
	if elements, keyed := pairs(field, old, gjson.Parse("[]")); keyed {
		d.elements(field, elements, true)
	} else if !unset(field, old) {
		d.say("%s falls back to its default (was %s)", field, brief(old))
	}
}

// member says what changes in one member, and inside it.
func (d *difference) member(path string, old, value gjson.Result) {
	secret := strings.Contains(value.Raw, catalog.Hidden)
	switch {
	case same(old, value) && !secret:
	case old.Type == gjson.String && old.Str == catalog.Hidden && value.Str == catalog.Hidden:
		d.say("%s is written anew (a secret, not shown)", path)
	case !old.Exists() || old.Type == gjson.Null:
		d.added(path, value)
	case old.IsObject() && value.IsObject():
		d.object(path, old, value)
	default:
		if elements, keyed := pairs(path[strings.LastIndexAny(path, " .")+1:], old, value); keyed {
			d.elements(path, elements, true)
			return
		}
		from, to := briefPair(old, value)
		d.say("%s changes from %s to %s", path, from, to)
	}
}

func (d *difference) added(path string, value gjson.Result) {
	if elements, keyed := pairs(path, gjson.Parse("[]"), value); keyed {
		d.elements(path, elements, false)
		return
	}
	d.say("%s is set to %s", path, brief(value))
}

func (d *difference) object(path string, old, value gjson.Result) {
	old.ForEach(func(key, was gjson.Result) bool {
		is := member(value, key.Str)
		switch {
		case is.Exists():
			d.member(inside(path, key.Str), was, is)
		case !unset(key.Str, was):
			d.say("%s is left out (was %s)", inside(path, key.Str), brief(was))
		}
		return true
	})
	value.ForEach(func(key, is gjson.Result) bool {
		if !member(old, key.Str).Exists() {
			d.member(inside(path, key.Str), gjson.Result{}, is)
		}
		return true
	})
}

// element is one element of an array that has keys, before and after.
type element struct {
	key      string
	old, now gjson.Result
}

// elements says what changes in keyed elements. With whole, those that are not
// there any more are removed; otherwise they stay.
func (d *difference) elements(path string, elements []element, whole bool) {
	_, noun := elementKey(path[strings.LastIndexAny(path, " .")+1:])
	before := path[:strings.LastIndexAny(path, " .")+1]
	for _, e := range elements {
		name := before + noun + " " + quoted(e.key)
		switch {
		case !e.old.Exists():
			d.say("%s is added%s", name, kindOf(e.now))
		case e.now.Exists():
			if e.old.IsObject() && e.now.IsObject() {
				d.object(name+": ", e.old, e.now)
			}
		case whole:
			d.say("%s is removed%s", name, kindOf(e.old))
		}
	}
}

// elementKey is what tells the elements of an array in job settings apart, and
// what one is called.
func elementKey(field string) (key, noun string) {
	switch field {
	case "tasks":
		return "task_key", "task"
	case "job_clusters":
		return "job_cluster_key", "job cluster"
	case "environments":
		return "environment_key", "environment"
	case "parameters":
		return "name", "parameter"
	case "depends_on":
		return "task_key", "dependency"
	}
	return "", ""
}

// pairs joins the elements of two arrays by key. It reports false where they have
// no keys, or one twice: such arrays are compared whole.
func pairs(field string, old, now gjson.Result) (elements []element, keyed bool) {
	key, _ := elementKey(field)
	if key == "" || !old.IsArray() || !now.IsArray() {
		return nil, false
	}
	at := map[string]int{}
	add := func(array gjson.Result, side func(*element) *gjson.Result) bool {
		fine := true
		array.ForEach(func(_, item gjson.Result) bool {
			name := member(item, key)
			if fine = name.Type == gjson.String; !fine {
				return false
			}
			i, known := at[name.Str]
			if !known {
				i = len(elements)
				at[name.Str] = i
				elements = append(elements, element{key: name.Str})
			}
			place := side(&elements[i])
			fine = !place.Exists()
			*place = item
			return fine
		})
		return fine
	}
	if !add(old, func(e *element) *gjson.Result { return &e.old }) || !add(now, func(e *element) *gjson.Result { return &e.now }) {
		return nil, false
	}
	return elements, true
}

// find is the element of a keyed array with that key.
func find(field string, array gjson.Result, name string) (found gjson.Result) {
	key, _ := elementKey(field)
	if key == "" || !array.IsArray() {
		return found
	}
	array.ForEach(func(_, item gjson.Result) bool {
		if v := member(item, key); v.Type == gjson.String && v.Str == name {
			found = item
		}
		return !found.Exists()
	})
	return found
}

// member is a member of an object by its exact name: in a path, dots and stars of
// a key would mean something else.
func member(object gjson.Result, name string) (found gjson.Result) {
	if !object.IsObject() {
		return found
	}
	object.ForEach(func(key, value gjson.Result) bool {
		if key.Str == name {
			found = value
		}
		return true
	})
	return found
}

// unset reports a setting that says what its absence says, as the service fills it
// in on reading (contract/jobs.md section 2.2).
func unset(field string, v gjson.Result) bool {
	switch field {
	case "format":
		return true
	case "max_concurrent_runs":
		return v.Raw == "1"
	case "queue":
		return member(v, "enabled").Type == gjson.True
	case "run_if":
		return v.Str == "ALL_SUCCESS"
	}
	switch v.Type {
	case gjson.Null, gjson.False:
		return true
	case gjson.Number:
		return v.Raw == "0"
	case gjson.String:
		return v.Str == ""
	}
	return v.Raw == "{}" || v.Raw == "[]"
}

func same(a, b gjson.Result) bool {
	return a.Exists() == b.Exists() && string(appendCanonical(nil, a, 1)) == string(appendCanonical(nil, b, 1))
}

func inside(path, key string) string {
	if path == "" || strings.HasSuffix(path, " ") {
		return path + plainKey(key)
	}
	return path + "." + plainKey(key)
}

// plainKey is the name of a member as it may stand in a sentence.
func plainKey(key string) string {
	if len(key) <= maxShown && !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == '\'' || r > '~' }) {
		return key
	}
	return quoted(key)
}

// kindOf is the kind of a task, in parentheses; "" for what is none.
func kindOf(v gjson.Result) (kind string) {
	v.ForEach(func(key, _ gjson.Result) bool {
		if name, ok := strings.CutSuffix(key.Str, "_task"); ok && kind == "" {
			kind = " (" + plainKey(name+"_task") + ")"
		}
		return true
	})
	return kind
}

// quoted is a name of the workspace or the caller inside a sentence: short, on one
// line, and unable to end the quotation.
func quoted(s string) string {
	s, _ = catalog.Clean(s)
	if short := cutText(s, maxShown); short != s {
		s = short + "…"
	}
	return "'" + strings.ReplaceAll(oneLine(s), "'", `\'`) + "'"
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '\n', '\r', '\t', '\u2028', '\u2029':
			return ' '
		}
		return r
	}, s)
}

// brief is a value inside a sentence.
func brief(v gjson.Result) string {
	switch {
	case v.Type == gjson.String && v.Str == catalog.Hidden:
		return "a secret"
	case v.Type == gjson.String:
		return quoted(v.Str)
	}
	raw, _ := catalog.Clean(oneLine(v.Raw))
	if short := cutText(raw, maxShown); short != raw {
		return short + "…"
	}
	return raw
}

// briefPair shows two long texts from where they begin to differ.
func briefPair(a, b gjson.Result) (from, to string) {
	if a.Type != gjson.String || b.Type != gjson.String || max(len(a.Str), len(b.Str)) <= maxShown {
		return brief(a), brief(b)
	}
	const lead = 20 // of what is the same, for orientation
	n := 0
	for n < min(len(a.Str), len(b.Str)) && a.Str[n] == b.Str[n] {
		n++
	}
	if n -= lead; n <= lead {
		return brief(a), brief(b)
	}
	from, to = strings.ToValidUTF8(a.Str[n:], ""), strings.ToValidUTF8(b.Str[n:], "")
	return quoted("…" + from), quoted("…" + to)
}

// cleanSettings are settings of a job as jobs_get would show them: ids as strings,
// secrets hidden.
func cleanSettings(settings json.RawMessage) gjson.Result {
	if len(settings) == 0 {
		return gjson.Parse("{}")
	}
	call := catalog.Call{Row: &catalog.GetJob.Row}
	return gjson.GetBytes(call.Projection().Append(nil, `{"settings":`+string(settings)+`}`), "settings")
}
