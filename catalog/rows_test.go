package catalog

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// toolFacts is the table of tools that users were promised.
type toolFacts struct {
	Name, Group, Method, Path, Access, Permission, Limit string
}

func readTestdata[T any](t testing.TB, name string) (value T) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return value
}

func TestEveryRowFollowsTheRules(t *testing.T) {
	names := map[string]bool{}
	for _, row := range declared() {
		if err := row.Check(); err != nil {
			t.Error(err)
		}
		if names[row.Name] {
			t.Errorf("%s is declared twice", row.Name)
		}
		names[row.Name] = true
	}
}

func TestRowsAreTheTableOfTools(t *testing.T) {
	table := readTestdata[[]toolFacts](t, "tools.json")
	if got, want := len(All()), len(table); got != want {
		t.Errorf("%d tools, the table has %d", got, want)
	}
	for _, want := range table {
		row := Find(want.Name)
		if row == nil {
			t.Errorf("%s is missing", want.Name)
			continue
		}
		if row.Group.ID != want.Group {
			t.Errorf("%s: group %s, want %s", row.Name, row.Group.ID, want.Group)
		}
		if got, want := row.Endpoint(), want.Method+" "+ourPath(want.Path); got != want {
			t.Errorf("%s: endpoint %s, want %s", row.Name, got, want)
		}
		if got := accessLetters(row.Effect); got != want.Access {
			t.Errorf("%s: effect %s shows as %q, want %q", row.Name, row.Effect, got, want.Access)
		}
		needs := want.Permission
		if needs == "none" {
			needs = "no permission"
		}
		if !strings.Contains(row.Needs, needs) && row.Name != "secrets_list_scopes" {
			t.Errorf("%s: Needs %q does not say %q", row.Name, row.Needs, needs)
		}
		if got := limitWords(row.Limit); got != want.Limit {
			t.Errorf("%s: limit %q, want %q", row.Name, got, want.Limit)
		}
	}
}

// ourPath writes a path of the table with the names of our arguments.
func ourPath(path string) string {
	if strings.HasPrefix(path, "/api/2.0/sql/warehouses/{id}") {
		return strings.Replace(path, "{id}", "{warehouse_id}", 1)
	}
	return strings.Replace(path, "/fs/files{path}", "/fs/files/{path...}", 1)
}

func accessLetters(e Effect) string {
	if e.ReadOnly() {
		return "R"
	}
	letters := "W"
	if e.Destructive() {
		letters += " D"
	}
	if e.Idempotent() {
		letters += " I"
	}
	return letters
}

func limitWords(l Limit) string {
	return strings.ReplaceAll(l.String(), ", shared by ", " shared ")
}

func TestOrderIsTheTables(t *testing.T) {
	at := map[string]int{}
	for i, row := range All() {
		at[row.Name] = i
	}
	last := -1
	for _, f := range readTestdata[[]toolFacts](t, "tools.json")[:40] {
		if at[f.Name] < last {
			t.Errorf("%s stands before its predecessor of the table", f.Name)
		}
		last = at[f.Name]
	}
}

// An endpoint that is declared but in no list would silently be no tool.
func TestEveryDeclaredEndpointIsListed(t *testing.T) {
	defined, listed := map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == 1 && callsDefine(v.Values[0]) {
						defined[v.Names[0].Name] = true
					}
				}
			case *ast.FuncDecl:
				if !strings.HasSuffix(d.Name.Name, "Rows") {
					continue
				}
				ast.Inspect(d, func(n ast.Node) bool {
					if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Row" {
						if id, ok := sel.X.(*ast.Ident); ok {
							listed[id.Name] = true
						}
					}
					return true
				})
			}
		}
	}
	if len(defined) < 42 {
		t.Fatalf("only %d endpoints found: the test looks in the wrong place", len(defined))
	}
	for name := range defined {
		if !listed[name] {
			t.Errorf("%s is declared with Define but in no list", name)
		}
	}
	if got, want := len(declared()), len(defined); got != want {
		t.Errorf("%d rows are in the book, %d are declared: a group's list is missing in declared()", got, want)
	}
}

func callsDefine(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	index, ok := call.Fun.(*ast.IndexListExpr)
	if !ok {
		return false
	}
	id, ok := index.X.(*ast.Ident)
	return ok && id.Name == "Define"
}

// What a Doc names must exist: an agent would look for it in vain.
func TestTextsNameRealTools(t *testing.T) {
	prefixes := []string{}
	for _, g := range Groups() {
		for _, p := range g.Prefixes {
			prefixes = append(prefixes, p+"_")
		}
	}
	for _, row := range All() {
		texts := []string{row.Doc, row.Verify}
		params, _ := row.lookup()
		arguments := row.Arguments()
		for _, p := range params {
			texts = append(texts, p.doc)
		}
		for _, text := range texts {
			for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') }) {
				named := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(word, p) })
				if !named || slices.Contains(arguments, word) || slices.ContainsFunc(settingNames, func(s string) bool { return s == word }) {
					continue
				}
				if Find(word) == nil {
					t.Errorf("%s: %q names %s, which is no tool", row.Name, text, word)
				}
			}
		}
	}
}

// settingNames look like tools in a text, but are keys of the API's objects.
var settingNames = []string{"sql_task", "uc_function", "uc_connection"}

func TestEffects(t *testing.T) {
	if Effect(0).Valid() || Effect(200).Valid() {
		t.Error("an effect that nobody named is valid")
	}
	for e := Read; e <= Run; e++ {
		if !e.Valid() {
			t.Errorf("effect %d has no facts", e)
		}
		if e.ReadOnly() && (e.Destructive() || e.Needs() != LevelRead) {
			t.Errorf("%s reads, but is destructive or needs more than read", e)
		}
		if !e.ReadOnly() && e.Needs() != LevelFull {
			t.Errorf("%s writes, but does not need full", e)
		}
	}
	for _, e := range []Effect{Create, Run} {
		if e.Repeatable() {
			t.Errorf("%s must not be repeated blindly", e)
		}
	}
}

func TestBucketsAreShared(t *testing.T) {
	limits := map[string]Limit{}
	for _, row := range declared() {
		if row.Limit.Calls == 0 {
			continue
		}
		if per := row.Limit.Per; per != time.Second && (per == 0 || per%time.Minute != 0) {
			t.Errorf("%s: a limit per %s", row.Name, row.Limit.Per)
		}
		if known, ok := limits[row.Bucket()]; ok && known != row.Limit {
			t.Errorf("%s: bucket %s has two limits", row.Name, row.Bucket())
		}
		limits[row.Bucket()] = row.Limit
	}
	for _, row := range declared() {
		want := map[bool]string{true: "/dbfs"}[strings.HasPrefix(row.Path, "/api/2.0/dbfs/")]
		if strings.HasPrefix(row.Path, "/api/2.0/secrets/") {
			want = "secrets"
		}
		if want != "" && row.Bucket() != want {
			t.Errorf("%s is in bucket %s, want %s", row.Name, row.Bucket(), want)
		}
	}
}

// Check has to find what it promises to find.
func TestCheckFindsBrokenRows(t *testing.T) {
	type request struct {
		ID    string `json:"id,omitempty" jsonschema_description:"Id"`
		Value string `json:"value,omitempty"`
	}
	type items struct {
		Things string `json:"things"`
	}
	broken := Define[request, items](Row{
		Name: "Jobs-get", Title: "", Group: Jobs, Method: "POST", Path: "/elsewhere/{id}/{other}",
		Items: "things", Token: "nothing", OneOf: []string{"absent"}, Doc: "no sentence", Effect: Read,
	})
	err := broken.Check()
	if err == nil {
		t.Fatal("Check accepts a row that breaks every rule")
	}
	for _, want := range []string{
		"must match", "does not go with method", "/api/, ", "Needs", `"other" is used`, `"absent" is used`,
		"must be a required argument", `token "nothing"`, "is not described", "looks secret", "no array of the response", "must embed Paged",
		"Items and Paging go together", "title", "sentences",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("Check does not say %q in:\n%v", want, err)
		}
	}
	for _, row := range []Row{
		{Name: "sql_x", Group: SQL, Effect: Read, Method: "GET", Proven: true},
		{Name: "sql_x", Group: SQL, Effect: Read, Method: "POST", Proven: true, Inner: true},
		{Name: "sql_x", Group: SQL, Effect: Run, Method: "POST", Proven: true},
		{Name: "sql_x", Group: SQL, Effect: Read, Method: "POST"},
	} {
		if err := row.Check(); !strings.Contains(err.Error(), "Proven is for") && !strings.Contains(err.Error(), "does not go with method") {
			t.Errorf("%+v: %v", row, err)
		}
	}
	unset := &Row{Name: "jobs_x", Group: Jobs}
	if err := unset.Check(); err == nil || !strings.Contains(err.Error(), "Effect is not set") || !strings.Contains(err.Error(), "not made by Define") {
		t.Errorf("a row without effect and types: %v", err)
	}
}
