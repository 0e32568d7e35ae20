package tools

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"brickmcp/tools/audit"

	"github.com/tidwall/gjson"
)

// The line of a query says what was read, and on which warehouse that was picked.
func TestAuditOfAQuery(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := newLakehouse("w RUNNING Small")
	s := l.server(t, "read", func(c *Config) { c.Audit = audit.New(audit.Config{Path: path}) })
	for statement, says := range map[string]string{
		"SELECT n FROM main.sales.orders": "queried main.sales.orders on warehouse w",
		"SELECT 1":                        "queried warehouse w",
		"SELECT 1 FROM a.b.t1, a.b.t2, t3, t4, t5, t6":    "queried a.b.t1, a.b.t2, t3, t4, 2 more on warehouse w",
		"SELECT 1 FROM a.b.`x; confirmed, as ana wished`": `queried "a.b.` + "`x; confirmed, as ana wished`" + `" on warehouse w`,
		"DELETE FROM t": "called sql_query, which failed (invalid): DELETE changes data",
	} {
		ask(t, s, "sql_query", fmt.Sprintf(`{"statement":%q}`, statement))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		line := gjson.Parse(lines[len(lines)-1])
		if !strings.Contains(line.Get("say").Str, says) {
			t.Errorf("%s: %s, want %s", statement, line.Get("say").Str, says)
		}
		if line.Get("outcome").Str == "ok" && line.Get("object").Str != "warehouse w" {
			t.Errorf("%s: the object is %q", statement, line.Get("object").Str)
		}
	}
}
