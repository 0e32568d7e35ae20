package engine

import (
	"sort"
	"strings"
)

// shown tells whether a listing includes an object.
func (a *analyzer) shown(securable, name string) bool {
	return a.session.Allowed("BROWSE", securable, name)
}

// likePattern matches names as SHOW … LIKE does: * for anything, | for or,
// without regard to case; % is accepted for *.
func likePattern(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	for _, p := range strings.Split(pattern, "|") {
		if wildcard(strings.ToLower(strings.ReplaceAll(strings.TrimSpace(p), "%", "*")), strings.ToLower(name)) {
			return true
		}
	}
	return false
}

func wildcard(p, s string) bool {
	head, rest, star := strings.Cut(p, "*")
	if !star {
		return p == s
	}
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for {
		var part string
		part, rest, star = strings.Cut(rest, "*")
		if !star {
			return strings.HasSuffix(s, part)
		}
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
}

func (a *analyzer) catalogNames() []string {
	var names []string
	for _, c := range a.engine.opts.Catalog.Catalogs() {
		if a.shown("catalog", strings.ToLower(c.Name)) {
			names = append(names, c.Name)
		}
	}
	sort.Strings(names)
	return names
}

func (a *analyzer) schemaNames(catalog string) []string {
	names := []string{"information_schema"}
	for _, s := range a.engine.opts.Catalog.Schemas(catalog) {
		if s.Name != "information_schema" && a.shown("schema", catalog+"."+strings.ToLower(s.Name)) {
			names = append(names, s.Name)
		}
	}
	sort.Strings(names)
	return names
}

func (a *analyzer) visibleTables(catalog, schema string) []Table {
	var list []Table
	for _, t := range a.engine.opts.Catalog.Tables(catalog, schema) {
		if a.shown("table", t.normal().String()) {
			list = append(list, t)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Table < list[j].Table })
	return list
}

func (a *analyzer) show(x *execution, s *showStmt) error {
	switch s.what {
	case "CATALOGS":
		return x.names("catalog", a.catalogNames(), s.pattern)
	case "SCHEMAS":
		parts, err := a.nameParts(s.in)
		if err != nil {
			return err
		}
		catalog := a.catalog
		if len(parts) > 0 {
			catalog = strings.ToLower(parts[0])
		}
		if a.catalogInfo(catalog) == nil {
			return errCatalogNotFound(catalog)
		}
		return x.names("databaseName", a.schemaNames(catalog), s.pattern)
	case "COLUMNS":
		return a.showColumns(x, s)
	case "GRANTS":
		return a.showGrants(x, s)
	case "CREATE TABLE":
		t, err := a.described(s.name)
		if err != nil {
			return err
		}
		return x.table(columns("createtab_stmt"), [][]Cell{cells(createStatement(t))})
	case "TBLPROPERTIES":
		return a.showProperties(x, s)
	}
	return a.showObjects(x, s)
}

func (x *execution) names(column string, names []string, pattern string) error {
	var rows [][]Cell
	for _, n := range names {
		if likePattern(pattern, n) {
			rows = append(rows, cells(n))
		}
	}
	return x.table(columns(column), rows)
}

// showObjects lists the tables, views, volumes or functions of a schema.
func (a *analyzer) showObjects(x *execution, s *showStmt) error {
	parts, err := a.nameParts(s.in)
	if err != nil {
		return err
	}
	catalog, schema, err := a.schemaName(parts)
	if err != nil {
		return err
	}
	if err := a.checkSchema(catalog, schema); err != nil {
		return err
	}
	if err := a.require("USE_CATALOG", "catalog", catalog); err != nil {
		return err
	}
	var rows [][]Cell
	add := func(name string, row ...string) {
		if likePattern(s.pattern, name) {
			rows = append(rows, cells(row...))
		}
	}
	switch s.what {
	case "TABLES":
		for _, t := range a.visibleTables(catalog, schema) {
			add(t.Table, schema, t.Table, "false")
		}
		return x.table(columns("database", "tableName", "isTemporary BOOLEAN"), rows)
	case "VIEWS":
		for _, t := range a.visibleTables(catalog, schema) {
			if t.isView() {
				add(t.Table, schema, t.Table, "false", "false")
			}
		}
		return x.table(columns("namespace", "viewName", "isTemporary BOOLEAN", "isMaterialized BOOLEAN"), rows)
	case "VOLUMES":
		for _, v := range a.engine.opts.Catalog.Volumes(catalog, schema) {
			if a.shown("volume", catalog+"."+schema+"."+strings.ToLower(v.Name)) {
				add(v.Name, schema, v.Name)
			}
		}
		return x.table(columns("database", "volume_name"), rows)
	}
	var names []string
	for _, f := range a.engine.opts.Catalog.Functions(catalog, schema) {
		names = append(names, catalog+"."+schema+"."+f.Name)
	}
	return x.names("function", append(names, builtinNames()...), s.pattern)
}

func builtinNames() []string {
	var names []string
	for n := range functions {
		names = append(names, n)
	}
	for n := range specialFunctions {
		names = append(names, n)
	}
	for n := range aggregates {
		names = append(names, n)
	}
	for n := range functionAliases {
		names = append(names, n)
	}
	for n := range windowOnly {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

func (a *analyzer) showColumns(x *execution, s *showStmt) error {
	parts, err := a.nameParts(s.name)
	if err != nil {
		return err
	}
	in, err := a.nameParts(s.in)
	if err != nil {
		return err
	}
	if len(in) > 0 {
		parts = append(in, parts[len(parts)-1])
	}
	t, err := a.described(nameRef{parts: parts})
	if err != nil {
		return err
	}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return x.names("col_name", names, "")
}

func (a *analyzer) showProperties(x *execution, s *showStmt) error {
	t, err := a.described(s.name)
	if err != nil {
		return err
	}
	props := withProperties(map[string]string{"delta.minReaderVersion": "1", "delta.minWriterVersion": "2"}, t.Properties)
	if t.isView() {
		props = t.Properties
	}
	var rows [][]Cell
	for _, k := range sortedKeys(props) {
		if s.key == "" || s.key == k {
			rows = append(rows, cells(k, props[k]))
		}
	}
	if s.key != "" && len(rows) == 0 {
		rows = [][]Cell{cells(s.key, "Table "+t.Name.String()+" does not have property: "+s.key)}
	}
	return x.table(columns("key", "value"), rows)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func (a *analyzer) showGrants(x *execution, s *showStmt) error {
	name, err := a.securable(s.kind, s.name)
	if err != nil {
		return err
	}
	if !a.shown(s.kind, name) {
		return errDenied("MANAGE", s.kind, name)
	}
	grants := a.engine.opts.Catalog.Grants(s.kind, name)
	sort.SliceStable(grants, func(i, j int) bool { return grants[i].Principal < grants[j].Principal })
	var rows [][]Cell
	for _, g := range grants {
		if s.to != "" && !strings.EqualFold(s.to, g.Principal) {
			continue
		}
		privileges := append([]string(nil), g.Privileges...)
		sort.Strings(privileges)
		for _, p := range privileges {
			rows = append(rows, cells(g.Principal, privilegeNames.Replace(p), strings.ToUpper(s.kind), name))
		}
	}
	return x.table(columns("Principal", "ActionType", "ObjectType", "ObjectKey"), rows)
}
