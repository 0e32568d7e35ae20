package engine

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a Catalog in a few maps, with two users: ana owns everything, ben
// holds what was granted to him.
type memory struct {
	mu       sync.Mutex
	catalogs map[string]CatalogInfo
	schemas  map[string]SchemaInfo
	tables   map[string]Table
	volumes  []Volume
	grants   map[string]map[string][]string // "table main.sales.orders" -> principal -> privileges
}

func newMemory() *memory {
	return &memory{catalogs: map[string]CatalogInfo{}, schemas: map[string]SchemaInfo{}, tables: map[string]Table{}, grants: map[string]map[string][]string{}}
}

func sortedValues[V any](m map[string]V, keep func(V) bool) []V {
	var out []V
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if keep(m[k]) {
			out = append(out, m[k])
		}
	}
	return out
}

func (m *memory) Catalogs() []CatalogInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedValues(m.catalogs, func(CatalogInfo) bool { return true })
}

func (m *memory) Schemas(catalog string) []SchemaInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedValues(m.schemas, func(s SchemaInfo) bool { return s.Catalog == catalog })
}

func (m *memory) Tables(catalog, schema string) []Table {
	m.mu.Lock()
	defer m.mu.Unlock()
	return sortedValues(m.tables, func(t Table) bool { return t.Catalog == catalog && t.Schema == schema })
}

func (m *memory) Table(n Name) *Table {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tables[n.String()]; ok {
		return &t
	}
	return nil
}

func (m *memory) Volumes(catalog, schema string) []Volume {
	return slices.DeleteFunc(slices.Clone(m.volumes), func(v Volume) bool { return v.Catalog != catalog || v.Schema != schema })
}

func (m *memory) Functions(string, string) []Function { return nil }

func (m *memory) Grants(securable, name string) []Grant {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []Grant
	for p, list := range m.grants[securable+" "+name] {
		out = append(out, Grant{p, list})
	}
	return out
}

func (m *memory) PutCatalog(_ string, c CatalogInfo) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.catalogs[c.Name] = c
	return nil
}

func (m *memory) DropCatalog(_, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.catalogs, name)
	maps.DeleteFunc(m.schemas, func(k string, _ SchemaInfo) bool { return strings.HasPrefix(k, name+".") })
	maps.DeleteFunc(m.tables, func(k string, _ Table) bool { return strings.HasPrefix(k, name+".") })
	return nil
}

func (m *memory) PutSchema(_ string, s SchemaInfo) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.schemas[s.Catalog+"."+s.Name] = s
	return nil
}

func (m *memory) DropSchema(_, catalog, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.schemas, catalog+"."+name)
	maps.DeleteFunc(m.tables, func(k string, _ Table) bool { return strings.HasPrefix(k, catalog+"."+name+".") })
	return nil
}

func (m *memory) PutTable(_ string, t Table) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tables[t.Name.String()] = t
	return nil
}

func (m *memory) RenameTable(_ string, from, to Name) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.tables[from.String()]
	delete(m.tables, from.String())
	t.Name = to
	m.tables[to.String()] = t
	return nil
}

func (m *memory) DropTable(_ string, n Name) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tables, n.String())
	return nil
}

func (m *memory) Grant(_, securable, name, principal string, privileges []string, revoke bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := securable + " " + name
	if m.grants[key] == nil {
		m.grants[key] = map[string][]string{}
	}
	for _, p := range privileges {
		list := slices.DeleteFunc(slices.Clone(m.grants[key][principal]), func(x string) bool { return x == p })
		if !revoke {
			list = append(list, p)
		}
		m.grants[key][principal] = list
	}
	return nil
}

// allowed is the privilege check of ben.
func (m *memory) allowed(privilege, securable, name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := m.grants[securable+" "+name]["ben@example.com"]
	return slices.Contains(held, privilege) || privilege == "BROWSE" && len(held) > 0
}

const (
	ana = "ana@example.com"
	ben = "ben@example.com"
)

var testNow = time.Date(2024, 6, 15, 10, 30, 0, 0, time.UTC)

// seeds are the rows of the test tables.
var seeds = map[string][][]any{
	"main.sales.orders": {
		{1, "ana", "2024-01-05", 10.50, "shipped", true},
		{2, "ben", "2024-01-20", 20.25, "open", false},
		{3, "ana", "2024-02-11", 99.99, "shipped", true},
		{4, "cleo", "2024-02-28", nil, "cancelled", nil},
		{5, "ben", "2024-03-01", 5.00, "open", false},
	},
	"main.sales.customers": {{"ana", "Ana Lima", "BR"}, {"ben", "Ben Okri", "NG"}, {"dora", "Dora Kent", "UK"}},
	"main.default.events": {
		{1, time.Date(2024, 3, 1, 8, 15, 30, 0, time.UTC), `{"page":"home","n":3,"tags":["a","b"]}`},
		{2, "2024-03-01 09:45:00", `{"page":"cart","n":1}`},
		{3, "2024-03-02 00:00:00.125", nil},
	},
}

// open makes an engine on a seeded catalog.
func open(t testing.TB, change ...func(*Options)) (*Engine, *memory) {
	t.Helper()
	m := newMemory()
	for _, c := range []string{"main", "samples", "system"} {
		_ = m.PutCatalog("", CatalogInfo{Name: c, Owner: ana, Comment: c + " catalog", CreatedAt: testNow})
		_ = m.PutSchema("", SchemaInfo{Catalog: c, Name: "default", Owner: ana})
	}
	_ = m.PutSchema("", SchemaInfo{Catalog: "main", Name: "sales", Owner: ana, Comment: "orders and customers"})
	add := func(schema, name string, cols ...Column) {
		_ = m.PutTable("", Table{Name: Name{"main", schema, name}, ID: "seed-" + name, Columns: cols, Owner: ana, CreatedAt: testNow, CreatedBy: ana, Comment: "the " + name})
	}
	add("sales", "orders", Column{Name: "id", Type: Scalar(Long), NotNull: true, Comment: "key"}, Column{Name: "customer", Type: Scalar(String)}, Column{Name: "ordered", Type: Scalar(Date)},
		Column{Name: "amount", Type: DecimalOf(10, 2)}, Column{Name: "status", Type: Scalar(String)}, Column{Name: "paid", Type: Scalar(Boolean)})
	add("sales", "customers", Column{Name: "customer", Type: Scalar(String)}, Column{Name: "name", Type: Scalar(String)}, Column{Name: "country", Type: Scalar(String)})
	add("default", "events", Column{Name: "id", Type: Scalar(Int)}, Column{Name: "at", Type: Scalar(Timestamp)}, Column{Name: "payload", Type: Scalar(String)})
	m.volumes = []Volume{{Catalog: "main", Schema: "sales", Name: "landing", Type: "MANAGED", Owner: ana}}
	opts := Options{Catalog: m, Now: func() time.Time { return testNow }, TempDir: t.TempDir(), Rows: func(t Table) iter.Seq[[]any] { return slices.Values(seeds[t.Name.String()]) }}
	for _, c := range change {
		c(&opts)
	}
	e := New(opts)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e, m
}

// result collects what a statement delivers.
type result struct {
	columns []Column
	rows    [][]string
	started bool
}

func (r *result) Columns(c []Column) error { r.columns, r.started = c, true; return nil }

func (r *result) Row(cells []Cell) error {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = c.Text
		if c.Null {
			row[i] = "NULL"
		}
	}
	r.rows = append(r.rows, row)
	return nil
}

// String is the golden form: a line of columns, then one line for each row.
func (r *result) String() string {
	if !r.started {
		return "(no result)\n"
	}
	var b strings.Builder
	for i, c := range r.columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Name + " " + c.Type.String())
	}
	b.WriteByte('\n')
	for _, row := range r.rows {
		b.WriteString(strings.ReplaceAll(strings.Join(row, " | "), "\n", "\\n") + "\n")
	}
	return b.String()
}

func run(t testing.TB, e *Engine, s Session, text string) (*result, error) {
	t.Helper()
	var r result
	err := e.Run(context.Background(), s, text, &r)
	return &r, err
}

func mustRun(t testing.TB, e *Engine, s Session, text string) *result {
	t.Helper()
	r, err := run(t, e, s, text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return r
}

var _ Catalog = (*memory)(nil)
