package policy

import (
	"strings"

	"brickmcp/catalog"
)

// glob reports whether s is of the pattern, in which * stands for any run of
// bytes, also none.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, mark := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0: // let the last star take one byte more
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// pattern is one entry of a scope.
type pattern struct {
	text  string   // as written
	parts []string // of names and paths; each a glob
	exact bool     // the id of an object, never its name
}

// splitName splits a dotted name into its parts, without backticks and in lower
// case, as Unity Catalog compares them. A name with an empty part or an open
// backtick is none.
func splitName(name string) ([]string, bool) {
	if !strings.Contains(name, "`") {
		parts := strings.Split(strings.ToLower(name), ".")
		for _, part := range parts {
			if part == "" {
				return nil, false
			}
		}
		return parts, true
	}
	var parts []string
	for {
		var part string
		if after, quoted := strings.CutPrefix(name, "`"); quoted {
			var ok bool
			if part, name, ok = unquote(after); !ok {
				return nil, false
			}
		} else {
			end := strings.IndexByte(name, '.')
			if end < 0 {
				end = len(name)
			}
			part, name = name[:end], name[end:]
		}
		if part == "" || name != "" && name[0] != '.' {
			return nil, false
		}
		parts = append(parts, strings.ToLower(part))
		if name == "" {
			return parts, true
		}
		name = name[1:]
	}
}

// unquote reads up to the closing backtick; two of them stand for one.
func unquote(s string) (part, rest string, ok bool) {
	var b strings.Builder
	for {
		before, after, closed := strings.Cut(s, "`")
		if !closed {
			return "", "", false
		}
		b.WriteString(before)
		if !strings.HasPrefix(after, "`") {
			return b.String(), after, true
		}
		b.WriteByte('`')
		s = after[1:]
	}
}

// takesRest reports a trailing star: it stands for all parts that follow too.
func takesRest(parts []string) bool { return strings.HasSuffix(parts[len(parts)-1], "*") }

// matchName reports whether a whole name is of the pattern.
func matchName(parts, name []string) bool {
	if len(name) < len(parts) || len(name) > len(parts) && !takesRest(parts) {
		return false
	}
	for i, part := range parts {
		if !glob(part, name[i]) {
			return false
		}
	}
	return true
}

// reachesInto reports whether the pattern may match something in a catalog or
// schema.
func reachesInto(parts, container []string) bool {
	for i, part := range parts {
		if i == len(container) {
			break
		}
		if !glob(part, container[i]) {
			return false
		}
	}
	return len(parts) > len(container) || takesRest(parts)
}

// coversAll reports whether the pattern matches everything in a catalog or schema.
func coversAll(parts, container []string) bool {
	for i, part := range parts {
		switch {
		case i >= len(container) && part != "*":
			return false
		case i < len(container) && !glob(part, container[i]):
			return false
		}
	}
	return len(parts) > len(container) || takesRest(parts)
}

// splitPath splits a path of a volume, of DBFS or of the workspace into segments,
// so that two spellings of one path are equal: dbfs:/Volumes/… is /Volumes/…,
// catalog, schema and volume are in lower case, and /Workspace/Users/… is
// /Users/…. A path with dot segments is none.
func splitPath(scope catalog.Scope, path string) ([]string, bool) {
	dbfs := false
	if scope == catalog.ScopeVolumes {
		for strings.HasPrefix(path, "dbfs:") {
			dbfs, path = true, path[len("dbfs:"):]
		}
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "\\\x00") {
		return nil, false
	}
	segments := make([]string, 0, 8)
	for segment := range strings.SplitSeq(path, "/") {
		switch segment {
		case "":
			continue
		case ".", "..":
			return nil, false
		}
		segments = append(segments, segment)
	}
	switch {
	case scope == catalog.ScopeWorkspacePaths && len(segments) > 0 && segments[0] == "Workspace":
		segments = segments[1:]
	case scope == catalog.ScopeVolumes && len(segments) > 0 && segments[0] == volumesRoot:
		for i := 1; i < min(len(segments), 4); i++ {
			segments[i] = strings.ToLower(segments[i])
		}
	case dbfs:
		segments = append([]string{dbfsRoot}, segments...)
	}
	return segments, true
}

// The first segments of paths of volumes and of DBFS; no segment of a path can be
// the latter.
const volumesRoot, dbfsRoot = "Volumes", "dbfs:/"

// matchPath reports whether a path is the pattern's or below it. A star stays
// within its segment.
func matchPath(parts, path []string) bool {
	if len(path) < len(parts) {
		return false
	}
	for i, part := range parts {
		if !glob(part, path[i]) {
			return false
		}
	}
	return true
}

// isID reports a text that is the id of an object of the scope, and so never
// meant as a name: somebody may call a job "5001".
func isID(scope catalog.Scope, text string) bool {
	switch scope {
	case catalog.ScopeJobs, catalog.ScopeServicePrincipals:
		return all(text, "0123456789")
	case catalog.ScopeWarehouses:
		return len(text) == 16 && all(text, "0123456789abcdef")
	case catalog.ScopeClusters: // 1021-093015-abc12def
		parts := strings.Split(text, "-")
		return len(parts) == 3 && len(parts[0]) == 4 && len(parts[1]) == 6 &&
			all(parts[0]+parts[1], "0123456789") && all(parts[2], "0123456789abcdefghijklmnopqrstuvwxyz")
	}
	return false
}

func all(text, of string) bool { return text != "" && strings.Trim(text, of) == "" }
