package sqlguard

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUserFunctions(t *testing.T) {
	options := Options{Function: func(n Name) bool { return len(n) == 3 && n[0] == "main" }}
	q, err := Read("SELECT main.tools.mask_it(a), upper(b) FROM main.tools.rows(1) r JOIN t ON main.tools.mask_it(a) = 1", options)
	if err != nil {
		t.Fatal(err)
	}
	if got := describe(q, nil); got != "SELECT tables: t functions: main.tools.mask_it main.tools.rows" {
		t.Error(got)
	}
	for _, s := range []string{
		"SELECT f(1)", "SELECT tools.f(1)", "SELECT other.tools.f(1)", // not allowed
		"SELECT main.tools.f(secret('a', 'b'))",
		"SELECT main.tools.f(1)(2)", "SELECT main.tools.f(1).g(2)", "SELECT main.tools.IDENTIFIER('x')",
	} {
		if _, err := Read(s, options); err == nil {
			t.Errorf("accepted: %s", s)
		}
	}
	// A policy cannot allow what is refused for itself.
	all := Options{Function: func(Name) bool { return true }, Path: func(string) bool { return true }}
	for _, s := range []string{
		"SELECT secret('a', 'b')", "SELECT builtin.secret('a', 'b')", "SELECT http_request(1)", "SELECT ai_query('m', 'p')", "SELECT IDENTIFIER('f')(1)",
		"SELECT a.b.c.d(1)", "SELECT * FROM csv.`/Volumes/a/../b`", "SELECT * FROM read_files('/Volumes/a', badRecordsPath => '/x')", "DELETE FROM t", "SELECT 1; SELECT 2",
	} {
		if _, err := Read(s, all); err == nil {
			t.Errorf("accepted: %s", s)
		}
	}
}

func TestPathOption(t *testing.T) {
	options := Options{Path: func(p string) bool { return strings.HasPrefix(p, "s3://lake/") }}
	q, err := Read("SELECT * FROM read_files('s3://lake/x') JOIN csv.`s3://lake/y` USING (id)", options)
	if err != nil || !slices.Equal(q.Paths, []string{"s3://lake/x", "s3://lake/y"}) {
		t.Errorf("%v %v", q, err)
	}
	for _, s := range []string{"SELECT * FROM csv.`s3://other/x`", "SELECT * FROM csv.`/Volumes/a/b/c`", "SELECT * FROM csv.`s3://lake/../other`"} {
		if _, err := Read(s, options); err == nil {
			t.Errorf("accepted: %s", s)
		}
	}
}

func TestRefusalText(t *testing.T) {
	_, err := Read("SELECT 1,\n  größe", Options{})
	const want = "a character outside ASCII stands outside quotes (line 2, column 5, at \"ö\"). Put names in `backticks` and texts in 'quotes'; write plain spaces and quotes."
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	_, err = Read("SELECT '"+strings.Repeat("ü", 100), Options{})
	var r *Refusal
	if !errors.As(err, &r) || len(r.Token) > 64 || strings.Contains(r.Token, "\ufffd") {
		t.Errorf("the token is not cut between characters: %q", r.Token)
	}
}

func TestNameString(t *testing.T) {
	for want, n := range map[string]Name{
		"main.sales.orders":       {"main", "sales", "orders"},
		"`my catalog`.`a``b`.x":   {"my catalog", "a`b", "x"},
		"`2024`.`a.b`.``.`größe`": {"2024", "a.b", "", "größe"},
	} {
		if n.String() != want {
			t.Errorf("%q: %s, want %s", []string(n), n, want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"DELETE FROM main.sales.orders WHERE a = 'x'", "main.sales.orders a x"},
		{"MERGE INTO t USING `my db`.u ON t.id = u.id WHEN MATCHED THEN UPDATE SET *", "t `my db`.u t.id u.id MATCHED SET"},
		{"EXECUTE IMMEDIATE 'main.prod.x'", "EXECUTE IMMEDIATE `main.prod.x` main.prod.x"},
		{`SELECT 'a\u002eb', r'c\d', "e"."f"`, "`a.b` a.b `c\\d` e e.f"},
		{"DROP TABLE a.b; DROP TABLE `c`.`d`", "DROP a.b c.d"},
		{"GRANT select ON t TO `ana@example.com`", "GRANT t TO `ana@example.com`"},
		{"DELETE FROM a.`b@v1` WHERE c = '\\'' OR d = ' e '", "a.`b@v1` a.b c `'` d ` e ` e"},
		{"", ""},
	} {
		names, ok := Names(c.text)
		var got []string
		for _, n := range names {
			got = append(got, n.String())
		}
		if s := strings.Join(got, " "); !ok || s != c.want {
			t.Errorf("%s\n got %v %s\nwant %s", c.text, ok, s, c.want)
		}
	}
	for _, s := range []string{"SELECT 'a", "CREATE FUNCTION f() AS $$ x $$", "SELECT \x00", "/* /* */ */"} {
		if names, ok := Names(s); ok || names != nil {
			t.Errorf("%q: %v %v", s, names, ok)
		}
	}
}

// TestBounds: neither depth nor length nor a pile of one thing takes the
// reader down or far beyond linear time.
func TestBounds(t *testing.T) {
	for _, s := range []string{
		"SELECT " + strings.Repeat("(", 190) + "1" + strings.Repeat(")", 190),
		"SELECT 1" + strings.Repeat(" + 1", 20000),
		"SELECT " + strings.Repeat("- ", 20000) + "1",
		"SELECT * FROM t WHERE a IN (" + strings.Repeat("'x', ", 40000) + "'y')",
		"SELECT 1" + strings.Repeat(" UNION SELECT 1", 10000),
		"SELECT * FROM a" + strings.Repeat(", a", 60000),
	} {
		timed(t, s, true)
	}
	for _, s := range []string{
		"SELECT " + strings.Repeat("(", 100000), strings.Repeat("(", 200000), "SELECT " + strings.Repeat("a[", 100000), "SELECT " + strings.Repeat("CASE ", 50000),
		"SELECT " + strings.Repeat("upper(", 40000), "SELECT CAST(a AS " + strings.Repeat("ARRAY<", 40000), "SELECT * FROM " + strings.Repeat("(", 200000),
		strings.Repeat("WITH a AS (", 20000), "WITH " + strings.Repeat("a AS (SELECT 1), ", 10000) + "b AS (SELECT 1) SELECT 1", "SELECT " + strings.Repeat("x -> ", 40000),
		strings.Repeat("EXPLAIN ", 30000) + "SELECT 1", "SELECT " + strings.Repeat("'a' ", 60000) + "(", strings.Repeat("/* */", 50000), "SELECT 1 -- " + strings.Repeat("x", maxText),
		"SELECT " + strings.Repeat("EXISTS (SELECT ", 10000), "FROM t" + strings.Repeat(" |> WHERE", 20000),
	} {
		timed(t, s, false)
	}
}

func timed(t *testing.T, s string, accept bool) {
	t.Helper()
	start := time.Now()
	_, err := Read(s, Options{})
	if (err == nil) != accept {
		t.Errorf("%.40s… (%d bytes): %v", s, len(s), err)
	}
	if took := time.Since(start); took > 2*time.Second { // 256 KiB in some 20 ms
		t.Errorf("%.40s… (%d bytes) took %v", s, len(s), took)
	}
	Names(s)
}

func TestLists(t *testing.T) {
	for label, list := range map[string][]string{"builtins": builtins[:], "readFilesOptions": readFilesOptions[:]} {
		if !slices.IsSorted(list) || len(slices.Compact(slices.Clone(list))) != len(list) {
			t.Errorf("%s is not sorted, or not without duplicates", label)
		}
		for _, name := range list {
			if name != strings.ToLower(name) {
				t.Errorf("%s: %s is not in lower case", label, name)
			}
		}
	}
	for _, name := range builtins {
		if refusedFunction(name) != nil {
			t.Errorf("%s is both built in and refused", name)
		}
		if _, err := Read("SELECT "+name+"(TABLE x)", Options{}); err != nil && strings.Contains(err.Error(), "no built-in") {
			t.Error(err)
		}
	}
}

// knownRefusals are reads of the engine's tests that are refused with reason.
var knownRefusals = []string{
	"SELECT sandbox_sleep(0)", // a function of the sandbox alone
	"SELECT id -- a comment\nFROM orders /* nested /* comment */ here */ WHERE id = 1;", // see blockComment
}

// TestSandboxStatements runs the guard over what the sandbox's own engine is
// tested with: its reads are honest, its writes are not reads.
func TestSandboxStatements(t *testing.T) {
	files, err := filepath.Glob("../../transport/sandbox/engine/testdata/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("no statements of the engine: %v", err)
	}
	reads, writes := 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
			statement, outcome, _ := strings.Cut(block, "\n----")
			statement = strings.TrimPrefix(statement, "as ben\n")
			first, _, _ := strings.Cut(strings.TrimSpace(outcome), " ")
			_, err := Read(statement, Options{})
			switch verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimLeft(statement, "(")), " "); verb {
			case "SELECT", "WITH", "VALUES", "TABLE", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "FROM":
				if first == "error" {
					continue // what fails there may be refused here
				}
				if reads++; err != nil && !slices.Contains(knownRefusals, statement) {
					t.Errorf("%s: %s\n%v", filepath.Base(file), statement, err)
				}
			default:
				if writes++; err == nil && first != "error" {
					t.Errorf("%s: accepted %s", filepath.Base(file), statement)
				}
			}
		}
	}
	if reads < 100 || writes < 30 {
		t.Errorf("only %d reads and %d writes", reads, writes)
	}
	t.Logf("%d reads, %d writes", reads, writes)
}

func BenchmarkRead(b *testing.B) {
	var typical string
	for _, c := range readCases(b, "accept_tpcds.txt") {
		if strings.Contains(c.text, "date_trunc('week'") {
			typical = c.text
		}
	}
	b.SetBytes(int64(len(typical)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(typical, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNames(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Names("DELETE FROM main.sales.orders WHERE id IN (SELECT id FROM main.sales.gone) AND note = 'old'")
	}
}
