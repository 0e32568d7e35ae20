package policy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"brickmcp/catalog"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"a", "a", true}, {"a", "ab", false}, {"a", "A", false},
		{"*", "", true}, {"*", "any thing", true}, {"**", "x", true}, {"a*", "a", true}, {"a*", "ab", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"*a", "ab", false}, {"*prod*", "prod", true}, {"*prod*", "preprod-2", true}, {"*prod*", "prd", false},
		{"a*b*c", "abc", true}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "a-c-b", false}, {"*ab", "aab", true}, {"a*a", "a", false},
		{"a.c", "abc", false}, {"a?c", "abc", false}, {"[a]", "a", false}, {"ü*", "über", true}, {"*\n", "a\n", true},
	} {
		if glob(c.pattern, c.text) != c.want {
			t.Errorf("glob(%q, %q) = %t", c.pattern, c.text, !c.want)
		}
	}
}

// Many stars over a long text stay quick.
func TestGlobIsQuick(t *testing.T) {
	if glob(strings.Repeat("*a", 100)+"b", strings.Repeat("a", 10_000)) {
		t.Error("there is no b")
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*b", "aXb")
	f.Add("*ab*ab*", "abab")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 50 || !utf8.ValidString(pattern) || !utf8.ValidString(text) {
			return
		}
		parts := strings.Split(pattern, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		want := regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(text)
		if glob(pattern, text) != want {
			t.Errorf("glob(%q, %q) = %t", pattern, text, !want)
		}
	})
}

func TestSplitName(t *testing.T) {
	for text, want := range map[string]string{
		"main": "main", "Main.Sales": "main|sales", "a.b.c.d": "a|b|c|d", "`a.b`.c": "a.b|c", "`a``b`": "a`b", "`A B`.`c`": "a b|c",
		"": "none", ".": "none", "a.": "none", ".a": "none", "a..b": "none", "`a": "none", "`a`b": "none", "``": "none", "`a`.": "none", "a`b`": "a`b`",
	} {
		parts, ok := splitName(text)
		got := strings.Join(parts, "|")
		if !ok {
			got = "none"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestNamePatterns(t *testing.T) {
	for _, c := range []struct {
		pattern string
		// Whether it matches the table, reaches into the catalog or schema, and covers it.
		name                   string
		match, reaches, covers bool
	}{
		{"main.sales.orders", "main.sales.orders", true, false, false},
		{"main.sales.orders", "main.sales", false, true, false},
		{"main.sales.orders", "main", false, true, false},
		{"main.sales.*", "main.sales.orders", true, true, true},
		{"main.sales.*", "main.sales", false, true, true},
		{"main.sales.*", "main", false, true, false},
		{"main.sales.*", "main.salesx.orders", false, false, false},
		{"main.*", "main.sales.orders", true, true, true},
		{"main.*", "main.sales", true, true, true},
		{"main.*", "main", false, true, true},
		{"main.s*", "main.sales.orders", true, true, true},
		{"main.s*", "main", false, true, false},
		{"main.s*", "main.hr.s", false, false, false},
		{"main.*.orders", "main.sales.orders", true, false, false},
		{"main.*.orders", "main.sales", false, true, false},
		{"main.*.orders", "main.sales.items", false, false, false},
		{"*", "main.sales.orders", true, true, true},
		{"*.sales.*", "main.sales", false, true, true},
		{"*.sales.*", "main.hr", false, false, false},
		{"*.*.*", "main", false, true, true},
	} {
		parts, ok := splitName(c.pattern)
		name, ok2 := splitName(c.name)
		if !ok || !ok2 {
			t.Fatal(c)
		}
		if got := matchName(parts, name); got != c.match {
			t.Errorf("%s matches %s: %t", c.pattern, c.name, got)
		}
		if got := reachesInto(parts, name); len(name) < 3 && got != c.reaches {
			t.Errorf("%s reaches into %s: %t", c.pattern, c.name, got)
		}
		if got := coversAll(parts, name); len(name) < 3 && got != c.covers {
			t.Errorf("%s covers %s: %t", c.pattern, c.name, got)
		}
	}
}

// FuzzNames: a pattern that matches a table reaches into its schema and catalog,
// and one that covers these matches every table in them.
func FuzzNames(f *testing.F) {
	f.Add("main.sales.*", "main.sales.orders")
	f.Add("ma*", "main.a.b")
	f.Add("*.x.*", "`a.b`.x.y")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, problem := parsePattern(catalog.ScopeTables, pattern)
		name, ok := splitName(text)
		if problem != "" || !ok || len(name) != 3 {
			return
		}
		matches := matchName(p.parts, name)
		for _, container := range [][]string{name[:1], name[:2]} {
			if matches && !reachesInto(p.parts, container) {
				t.Errorf("%q matches %q and does not reach into %q", pattern, name, container)
			}
			if coversAll(p.parts, container) && !matches {
				t.Errorf("%q covers %q and does not match %q", pattern, container, name)
			}
			if coversAll(p.parts, container) && !reachesInto(p.parts, container) {
				t.Errorf("%q covers %q and does not reach into it", pattern, container)
			}
		}
	})
}

func TestSplitPath(t *testing.T) {
	for _, c := range []struct {
		scope      catalog.Scope
		path, want string
	}{
		{catalog.ScopeVolumes, "/Volumes/Main/Default/Data/Sub/File.CSV", "Volumes|main|default|data|Sub|File.CSV"},
		{catalog.ScopeVolumes, "dbfs:/Volumes/Main/a/b", "Volumes|main|a|b"},
		{catalog.ScopeVolumes, "dbfs:dbfs:/tmp/X", "dbfs:/|tmp|X"},
		{catalog.ScopeVolumes, "dbfs:/", "dbfs:/"},
		{catalog.ScopeVolumes, "/dbfs:/tmp", "dbfs:|tmp"},
		{catalog.ScopeVolumes, "/Volumes//main///a/", "Volumes|main|a"},
		{catalog.ScopeVolumes, "/Volumes/main/../x", "none"},
		{catalog.ScopeVolumes, "/Volumes/./x", "none"},
		{catalog.ScopeVolumes, "Volumes/x", "none"},
		{catalog.ScopeVolumes, "dbfs:tmp", "none"},
		{catalog.ScopeVolumes, `/Volumes/a\..\b`, "none"},
		{catalog.ScopeVolumes, "", "none"},
		{catalog.ScopeWorkspacePaths, "/Workspace/Users/ana", "Users|ana"},
		{catalog.ScopeWorkspacePaths, "/Users/Ana/", "Users|Ana"},
		{catalog.ScopeWorkspacePaths, "/Workspace/Workspace/x", "Workspace|x"},
		{catalog.ScopeWorkspacePaths, "/", ""},
		{catalog.ScopeWorkspacePaths, "/..", "none"},
	} {
		parts, ok := splitPath(c.scope, c.path)
		got := strings.Join(parts, "|")
		if !ok {
			got = "none"
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.path, got, c.want)
		}
	}
}

// FuzzPaths: what is below a path that matches matches too, and no spelling of a
// path leaves what the pattern names.
func FuzzPaths(f *testing.F) {
	f.Add("/Volumes/main/*/data", "/Volumes/main/x/data/y")
	f.Add("dbfs:/tmp", "dbfs:/tmp/../x")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		for _, scope := range []catalog.Scope{catalog.ScopeVolumes, catalog.ScopeWorkspacePaths} {
			p, problem := parsePattern(scope, pattern)
			segments, ok := splitPath(scope, path)
			if problem != "" || !ok {
				continue
			}
			if slices.Contains(segments, "..") || slices.Contains(segments, ".") || slices.Contains(segments, "") {
				t.Errorf("%q has the segments %q", path, segments)
			}
			below, ok := splitPath(scope, path+"/x")
			if matchPath(p.parts, segments) && (!ok || !matchPath(p.parts, below)) {
				t.Errorf("%q matches %q and not what is below it", pattern, path)
			}
		}
	})
}

func TestIsID(t *testing.T) {
	for _, c := range []struct {
		scope catalog.Scope
		text  string
		want  bool
	}{
		{catalog.ScopeJobs, "5001", true}, {catalog.ScopeJobs, "nightly-1", false}, {catalog.ScopeJobs, "", false}, {catalog.ScopeJobs, "50*", false},
		{catalog.ScopeWarehouses, "0123456789abcdef", true}, {catalog.ScopeWarehouses, "0123456789abcdeg", false}, {catalog.ScopeWarehouses, "abc123", false},
		{catalog.ScopeClusters, "1021-093015-abc12def", true}, {catalog.ScopeClusters, "1021-093015-*", false}, {catalog.ScopeClusters, "shared", false},
		{catalog.ScopeServicePrincipals, "77", true}, {catalog.ScopeSecretScopes, "77", false},
	} {
		if isID(c.scope, c.text) != c.want {
			t.Errorf("isID(%s, %q) = %t", c.scope, c.text, !c.want)
		}
	}
}
