// Package cmd_test holds the rules of the house: who may import whom.
package cmd_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed are the imports of our own packages that each package may have.
var allowed = map[string][]string{
	"catalog":                       {},
	"auth":                          {},
	"tools":                         {"catalog", "tools/runs", "tools/audit", "tools/policy", "tools/sqlguard"},
	"tools/policy":                  {"catalog", "tools/sqlguard"},
	"tools/runs":                    {"catalog"},
	"tools/audit":                   {},
	"tools/sqlguard":                {},
	"transport/metrics":             {},
	"transport/serve":               {},
	"transport/rest":                {"catalog"},
	"transport/otlp":                {},
	"transport/managed":             {"catalog"},
	"transport/sandbox":             {"transport/sandbox/engine"},
	"transport/sandbox/engine":      {},
	"transport/sandbox/browsertest": {}, // for tests: no package may import it
	"cmd/brickmcp":                  {"catalog", "tools", "tools/policy", "tools/audit", "auth", "transport/managed", "transport/metrics", "transport/otlp", "transport/serve", "transport/rest", "transport/sandbox", "cmd/install", fixtures},
	"cmd/install":                   {},
	"cmd/npm":                       {},
	"cmd/gen":                       {"catalog", "tools", "tools/policy"},
}

// fixtures are those of the conformance suite, in a build of their own: see
// TestFixturesStayOut in cmd/brickmcp.
const fixtures = "testdata/conformance"

// reserved are imports that only the named packages may have.
var reserved = map[string][]string{
	"net/http": {
		"catalog",    // http.Header in Call and Answer only; see TestCatalogIsQuiet
		"tools/runs", // likewise, for http.Header and the names of statuses
		"auth", "tools", "transport/serve", "transport/metrics", "transport/rest", "transport/otlp", "transport/managed", "transport/sandbox", "cmd/brickmcp",
	},
	"github.com/mark3labs/mcp-go/mcp":    {"tools", "transport/serve", "transport/managed", "transport/sandbox", "cmd/brickmcp", "cmd/gen"},
	"github.com/mark3labs/mcp-go/server": {"tools", "transport/serve", "transport/sandbox"}, // the sandbox hosts servers
	"github.com/mark3labs/mcp-go/client": {"cmd/brickmcp", "transport/managed"},             // the demo is a client
	"modernc.org/sqlite":                 {"transport/sandbox/engine"},
	// Either keeps the linker from dropping unused methods: 3 MB of binary.
	"html/template": {}, "text/template": {},
}

func TestImports(t *testing.T) {
	seen := map[string]bool{}
	eachFile(t, func(pkg, file string, imports []string) {
		seen[pkg] = true
		mayImport, known := allowed[pkg]
		if !known {
			t.Errorf("%s: package %s has no line in the table", file, pkg)
			return
		}
		for _, imported := range imports {
			if own, ok := strings.CutPrefix(imported, "brickmcp/"); ok && !slices.Contains(mayImport, own) {
				t.Errorf("%s: %s may not import %s", file, pkg, own)
			}
			if who, ok := reserved[imported]; ok && !slices.Contains(who, pkg) {
				t.Errorf("%s: %s may not import %s", file, pkg, imported)
			}
		}
	})
	for pkg := range allowed {
		if !seen[pkg] {
			t.Errorf("the table names %s, which does not exist", pkg)
		}
	}
}

// TestRoomsAreDescribed: who looks for their way finds every room in CONTRIBUTING.md.
func TestRoomsAreDescribed(t *testing.T) {
	text, err := os.ReadFile("../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range allowed {
		if strings.HasPrefix(pkg, "transport/sandbox/") {
			continue // the sandbox's own affair
		}
		if !strings.Contains(string(text), "\n| `"+pkg+"` | ") {
			t.Errorf("CONTRIBUTING.md has no line for %s", pkg)
		}
	}
}

// TestCatalogIsQuiet: the catalog describes; it opens no socket, reads no clock
// or environment and logs nothing.
func TestCatalogIsQuiet(t *testing.T) {
	eachFile(t, func(pkg, file string, imports []string) {
		if pkg != "catalog" {
			return
		}
		for _, loud := range []string{"os", "net", "log", "log/slog", "go.uber.org/zap", "database/sql"} {
			if slices.Contains(imports, loud) {
				t.Errorf("%s imports %s", file, loud)
			}
		}
	})
}

func eachFile(t *testing.T, visit func(pkg, file string, imports []string)) {
	t.Helper()
	root := ".."
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") && name != root) {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		var imports []string
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			imports = append(imports, imported)
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		visit(path.Dir(filepath.ToSlash(rel)), filepath.ToSlash(rel), imports)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
