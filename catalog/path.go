package catalog

import (
	"fmt"
	"math"
	"net/url"
	"strings"
)

// fill puts values into the holes of a path, each escaped as one segment, or
// segment by segment for {hole...}. Dot segments are refused: url.PathEscape
// leaves ".." alone and any URL join then climbs to another endpoint.
func (r *Row) fill(pattern string, values map[string]string) (string, error) {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(pattern, "{")
		b.WriteString(before)
		if !ok {
			return b.String(), nil
		}
		name, rest, _ := strings.Cut(after, "}")
		pattern = rest
		name, many := strings.CutSuffix(name, "...")
		segments := []string{values[name]}
		if !many && strings.ContainsAny(values[name], `/\`) && climbs(values[name]) {
			return "", r.refusal([]string{fmt.Sprintf("%q must not have \".\" or \"..\" path segments: %q", name, values[name])})
		}
		if many {
			value := values[name]
			if !strings.HasPrefix(value, "/") {
				return "", r.refusal([]string{fmt.Sprintf("%q must be an absolute path such as /Volumes/catalog/schema/volume/file, not %q", name, value)})
			}
			segments = strings.Split(value[1:], "/")
		}
		for i, segment := range segments {
			if segment == "" || segment == "." || segment == ".." || strings.Contains(segment, "\x00") {
				return "", r.refusal([]string{fmt.Sprintf("%q must not have an empty, \".\", \"..\" or NUL path segment: %q", name, values[name])})
			}
			if i > 0 {
				b.WriteByte('/')
			}
			b.WriteString(url.PathEscape(segment))
		}
	}
}

// climbs reports a dot segment anywhere: escaped slashes are decoded by some
// gateways.
func climbs(value string) bool {
	for segment := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// fillObject names the object of a call for messages. An argument that is not
// given leaves no name at all: half a name would mislead.
func fillObject(pattern string, values map[string]string) string {
	return fillBounded(pattern, values, 200)
}

// fillWhole is fillObject with every value in full.
func fillWhole(pattern string, values map[string]string) string {
	return fillBounded(pattern, values, math.MaxInt)
}

func fillBounded(pattern string, values map[string]string, bound int) string {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(pattern, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, rest, _ := strings.Cut(after, "}")
		value := values[name]
		if value == "" {
			return ""
		}
		if len(value) > bound {
			value = strings.ToValidUTF8(value[:bound], "") + "…"
		}
		b.WriteString(value)
		pattern = rest
	}
}
