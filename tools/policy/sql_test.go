package policy

import (
	"errors"
	"testing"

	"brickmcp/tools/sqlguard"
)

// TestSQL: what sql_query may read beyond tables.
func TestSQL(t *testing.T) {
	for _, c := range []struct {
		file, text string
		want       bool
	}{
		{"", "SELECT main.sales.mask(1)", false},
		{"", "SELECT * FROM read_files('/Volumes/main/default/data/x')", true},
		{"", "SELECT * FROM read_files('dbfs:/tmp/x')", false},
		{"scopes: {functions: [main.sales.mask, main.ops.*]}", "SELECT main.sales.mask(1), MAIN.OPS.f(2), upper('x')", true},
		{"scopes: {functions: [main.sales.mask]}", "SELECT main.sales.other(1)", false},
		{"scopes: {functions: [main.sales.mask]}", "SELECT sales.mask(1)", false}, // of which catalog?
		{"scopes: {functions: ['*']}", "SELECT a.b.c(1)", true},
		{"scopes: {functions: ['*'], catalogs: [main]}", "SELECT a.b.c(1)", false},
		{"scopes: {functions: []}", "SELECT a.b.c(1)", false},
		{"scopes: {functions: ['*']}", "SELECT http_request(conn => 'x')", false},
		{"scopes: {volumes: [/Volumes/main/default/data]}", "SELECT * FROM read_files('/Volumes/main/default/data/x')", true},
		{"scopes: {volumes: [/Volumes/main/default/data]}", "SELECT * FROM read_files('/Volumes/main/default/other/x')", false},
		{"scopes: {volumes: ['*']}", "SELECT * FROM read_files('dbfs:/tmp/x')", false},
		{"scopes: {volumes: ['dbfs:/tmp']}", "SELECT * FROM read_files('dbfs:/tmp/x')", false}, // a policy widens no path
		{"scopes: {catalogs: [main]}", "SELECT * FROM csv.`/Volumes/other/a/b/c.csv`", false},
	} {
		p := None()
		if c.file != "" {
			p = parse(t, c.file)
		}
		_, err := sqlguard.Read(c.text, p.Rules(Subject{}).SQL())
		var refusal *sqlguard.Refusal
		if (err == nil) != c.want || err != nil && !errors.As(err, &refusal) {
			t.Errorf("%s: %s: %v", c.file, c.text, err)
		}
	}
}
