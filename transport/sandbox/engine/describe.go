package engine

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// described finds a table whose metadata may be seen.
func (a *analyzer) described(n nameRef) (*Table, error) {
	parts, err := a.nameParts(n)
	if err != nil {
		return nil, err
	}
	full, err := a.fullName(parts)
	if err != nil {
		return nil, err
	}
	if full.Schema == "information_schema" {
		return a.informationTable(full, parts)
	}
	t, err := a.lookUp(full, parts)
	if err != nil {
		return nil, err
	}
	if !a.shown("table", full.String()) {
		return nil, errDenied("SELECT", "table", full.String())
	}
	return t, nil
}

var describeColumns = columns("col_name", "data_type", "comment")

func (a *analyzer) describe(x *execution, s *describeStmt) error {
	switch s.what {
	case "QUERY":
		a.describing = true
		p, err := a.query(s.query, nil)
		if err != nil {
			return err
		}
		return x.table(describeColumns, columnRows(p.cols))
	case "FUNCTION":
		return describeFunction(x, s.function)
	case "CATALOG", "SCHEMA":
		return a.describeContainer(x, s)
	}
	t, err := a.described(s.name)
	if err != nil {
		return err
	}
	switch {
	case s.what == "HISTORY":
		return describeHistory(x, t)
	case s.what == "DETAIL":
		return describeDetail(x, t)
	case s.column != "":
		i := columnIndex(t, s.column)
		if i < 0 {
			return errColumn([]string{s.column}, quotedNames(t.Columns))
		}
		c := t.Columns[i]
		return x.table(columns("info_name", "info_value"), [][]Cell{cells("col_name", c.Name), cells("data_type", lowerType(c.Type)), {{Text: "comment"}, orNullCell(c.Comment)}})
	}
	rows := columnRows(t.Columns)
	if len(t.PartitionedBy) > 0 {
		rows = append(rows, cells("# Partition Information", "", ""), cells("# col_name", "data_type", "comment"))
		for _, p := range t.PartitionedBy {
			if i := columnIndex(t, p); i >= 0 {
				rows = append(rows, columnRows(t.Columns[i:i+1])...)
			}
		}
	}
	if s.extended {
		rows = append(rows, cells("", "", ""), cells("# Detailed Table Information", "", ""))
		for _, kv := range tableDetails(t) {
			rows = append(rows, cells(kv[0], kv[1], ""))
		}
	}
	return x.table(describeColumns, rows)
}

func lowerType(t Type) string { return strings.ToLower(t.String()) }

func columnRows(cols []Column) [][]Cell {
	rows := make([][]Cell, len(cols))
	for i, c := range cols {
		rows[i] = []Cell{{Text: c.Name}, {Text: lowerType(c.Type)}, orNullCell(c.Comment)}
	}
	return rows
}

func tableDetails(t *Table) [][2]string {
	d := [][2]string{{"Catalog", t.Catalog}, {"Database", t.Schema}, {"Table", t.Table}, {"Created Time", t.CreatedAt.UTC().Format("Mon Jan 02 15:04:05 MST 2006")},
		{"Created By", t.CreatedBy}, {"Type", orElse(t.Type, "MANAGED")}}
	if t.Comment != "" {
		d = append(d, [2]string{"Comment", t.Comment})
	}
	d = append(d, [2]string{"Owner", t.Owner})
	if t.isView() {
		return append(d, [2]string{"View Text", t.ViewDefinition}, [2]string{"View Catalog and Namespace", orElse(t.ViewCatalog, t.Catalog) + "." + orElse(t.ViewSchema, t.Schema)})
	}
	var props []string
	for _, k := range sortedKeys(t.Properties) {
		props = append(props, k+"="+t.Properties[k])
	}
	return append(d, [2]string{"Provider", strings.ToLower(orElse(t.Format, "DELTA"))}, [2]string{"Table Properties", "[" + strings.Join(props, ",") + "]"})
}

func (a *analyzer) describeContainer(x *execution, s *describeStmt) error {
	parts, err := a.nameParts(s.name)
	if err != nil {
		return err
	}
	if s.what == "CATALOG" {
		c := a.catalogInfo(strings.Join(parts, "."))
		if c == nil || !a.shown("catalog", strings.ToLower(c.Name)) {
			return errCatalogNotFound(strings.Join(parts, "."))
		}
		rows := [][]Cell{cells("Catalog Name", c.Name), cells("Comment", c.Comment), cells("Owner", c.Owner)}
		if s.extended {
			rows = append(rows, cells("Catalog Type", orElse(c.Type, "MANAGED_CATALOG")), cells("Created By", c.CreatedBy), cells("Created At", c.CreatedAt.UTC().Format("2006-01-02 15:04:05")))
		}
		return x.table(columns("info_name", "info_value"), rows)
	}
	catalog, schema, err := a.schemaName(parts)
	if err != nil {
		return err
	}
	if err := a.checkSchema(catalog, schema); err != nil {
		return err
	}
	info := a.schemaInfo(catalog, schema)
	if info == nil {
		info = &SchemaInfo{Catalog: catalog, Name: schema, Owner: "System user", Comment: "Information schema"}
	}
	if schema != "information_schema" && !a.shown("schema", catalog+"."+schema) {
		return errDenied("USE_SCHEMA", "schema", catalog+"."+schema)
	}
	rows := [][]Cell{cells("Catalog Name", catalog), cells("Namespace Name", schema), cells("Comment", info.Comment), cells("Location", ""), cells("Owner", info.Owner)}
	if s.extended {
		var props []string
		for _, k := range sortedKeys(info.Properties) {
			props = append(props, "("+k+","+info.Properties[k]+")")
		}
		rows = append(rows, cells("Properties", "("+strings.Join(props, ", ")+")"))
	}
	return x.table(columns("database_description_item", "database_description_value"), rows)
}

func describeFunction(x *execution, name string) error {
	names := builtinNames()
	i := sort.SearchStrings(names, strings.ToLower(name))
	if i == len(names) || names[i] != strings.ToLower(name) {
		return errRoutine(name)
	}
	return x.table(columns("function_desc"), [][]Cell{cells("Function: " + names[i]), cells("Usage: " + names[i] + "(…)")})
}

// describeHistory knows the creation only: the sandbox keeps no versions.
func describeHistory(x *execution, t *Table) error {
	cols := columns("version LONG", "timestamp TIMESTAMP", "userId", "userName", "operation", "operationParameters", "readVersion LONG", "isolationLevel", "isBlindAppend BOOLEAN")
	str := Scalar(String)
	cols[5].Type = Type{Kind: Map, Key: &str, Elem: &str}
	created := Cell{Text: formatTimestamp(t.CreatedAt.UnixMicro())}
	return x.table(cols, [][]Cell{{{Text: "0"}, created, {Null: true}, orNullCell(t.CreatedBy), {Text: "CREATE TABLE"}, {Text: "{}"}, {Null: true}, {Text: "WriteSerializable"}, {Text: "true"}}})
}

func describeDetail(x *execution, t *Table) error {
	cols := columns("format", "id", "name", "description", "location", "createdAt TIMESTAMP", "lastModified TIMESTAMP", "partitionColumns", "numFiles LONG", "properties")
	cols[7].Type = ArrayOf(Scalar(String))
	str := Scalar(String)
	cols[9].Type = Type{Kind: Map, Key: &str, Elem: &str}
	partitions, err := jsonText(append([]string{}, t.PartitionedBy...))
	if err != nil {
		return err
	}
	props, err := jsonText(withProperties(t.Properties, nil))
	if err != nil {
		return err
	}
	updated := t.UpdatedAt
	if updated.IsZero() {
		updated = t.CreatedAt
	}
	return x.table(cols, [][]Cell{{{Text: strings.ToLower(orElse(t.Format, "DELTA"))}, {Text: t.ID}, {Text: t.Name.String()}, orNullCell(t.Comment), {Text: "s3://sandbox/" + t.ID},
		{Text: formatTimestamp(t.CreatedAt.UnixMicro())}, {Text: formatTimestamp(updated.UnixMicro())}, {Text: fmt.Sprint(partitions)}, {Text: "1"}, {Text: fmt.Sprint(props)}}})
}

// createStatement is SHOW CREATE TABLE.
func createStatement(t *Table) string {
	var b strings.Builder
	if t.isView() {
		fmt.Fprintf(&b, "CREATE VIEW %s (\n  %s)\nAS %s\n", quotedName(t), strings.Join(plainNames(t.Columns), ",\n  "), t.ViewDefinition)
		return b.String()
	}
	fmt.Fprintf(&b, "CREATE TABLE %s (\n", quotedName(t))
	for i, c := range t.Columns {
		b.WriteString("  " + c.Name + " " + c.Type.String())
		if c.NotNull {
			b.WriteString(" NOT NULL")
		}
		if c.Default != "" {
			b.WriteString(" DEFAULT " + c.Default)
		}
		if c.Comment != "" {
			b.WriteString(" COMMENT " + sqlString(c.Comment))
		}
		if i < len(t.Columns)-1 {
			b.WriteByte(',')
		} else {
			b.WriteByte(')')
		}
		b.WriteByte('\n')
	}
	b.WriteString("USING " + strings.ToLower(orElse(t.Format, "DELTA")) + "\n")
	if len(t.PartitionedBy) > 0 {
		b.WriteString("PARTITIONED BY (" + strings.Join(t.PartitionedBy, ", ") + ")\n")
	}
	if t.Comment != "" {
		b.WriteString("COMMENT " + sqlString(t.Comment) + "\n")
	}
	if len(t.Properties) > 0 {
		var props []string
		for _, k := range sortedKeys(t.Properties) {
			props = append(props, "  "+sqlString(k)+" = "+sqlString(t.Properties[k]))
		}
		b.WriteString("TBLPROPERTIES (\n" + strings.Join(props, ",\n") + ")\n")
	}
	return b.String()
}

func sqlString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quotedName(t *Table) string { return t.Catalog + "." + t.Schema + "." + t.Table }

func plainNames(cols []Column) []string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.Name
	}
	return names
}

// explain analyses the statement; the plan is a sketch, there being no Spark.
func (a *analyzer) explain(x *execution, s *explainStmt) error {
	text := "== Physical Plan ==\n"
	if q, ok := s.inner.(*selectStmt); ok {
		a.describing = true
		p, err := a.query(q.query, nil)
		if err != nil {
			return x.table(columns("plan"), [][]Cell{cells("Error occurred during query planning: \n" + translate(err).Error())})
		}
		text += "*(1) Project [" + strings.Join(plainNames(p.cols), ", ") + "]\n+- Sandbox engine, " + strconv.Itoa(len(p.cols)) + " columns\n"
	} else {
		text += "Execute a command\n"
	}
	return x.table(columns("plan"), [][]Cell{cells(text)})
}

// use checks the name only: a statement is a session of its own.
func (a *analyzer) use(s *useStmt) error {
	parts, err := a.nameParts(s.name)
	if err != nil {
		return err
	}
	if s.catalog {
		name := strings.ToLower(strings.Join(parts, "."))
		if a.catalogInfo(name) == nil {
			return errCatalogNotFound(name)
		}
		return a.require("USE_CATALOG", "catalog", name)
	}
	catalog, schema, err := a.schemaName(parts)
	if err != nil {
		return err
	}
	if err := a.checkSchema(catalog, schema); err != nil {
		return err
	}
	return a.enterSchema(catalog, schema)
}

// set echoes the setting, as SET does; it lasts no longer than the statement.
func (a *analyzer) set(x *execution, s *setStmt) error {
	cols := columns("key", "value")
	settings := map[string]string{"timezone": "Etc/UTC", "ansi_mode": "true", "statement_timeout": "172800", "use_cached_result": "true"}
	switch {
	case s.key == "" || s.key == "-v":
		var rows [][]Cell
		for _, k := range sortedKeys(settings) {
			rows = append(rows, cells(k, settings[k]))
		}
		return x.table(cols, rows)
	case s.value != "":
		return x.table(cols, [][]Cell{cells(s.key, s.value)})
	}
	value, known := settings[strings.ToLower(s.key)]
	if !known {
		value = "<undefined>"
	}
	return x.table(cols, [][]Cell{cells(s.key, value)})
}
