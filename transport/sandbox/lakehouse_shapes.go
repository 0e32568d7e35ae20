package sandbox

import (
	"encoding/json"
	"strings"

	"brickmcp/transport/sandbox/engine"
)

// shape is a JSON object; set leaves out what is empty, as the API does.
type shape map[string]any

func (o shape) set(key string, v any) {
	switch v := v.(type) {
	case string:
		if v == "" {
			return
		}
	case map[string]string:
		if len(v) == 0 {
			return
		}
	case bool:
		if !v {
			return
		}
	}
	o[key] = v
}

// describe is what every securable's shape has.
func (s *securable) describe(browseOnly bool) shape {
	o := shape{"name": s.name, "full_name": s.fullName(), "owner": s.owner, "metastore_id": MetastoreID}
	o.set("comment", s.comment)
	if browseOnly {
		o["browse_only"] = true
		return o
	}
	o.set("properties", s.props)
	o["created_at"], o["created_by"] = s.created.at.UnixMilli(), s.created.by
	o["updated_at"], o["updated_by"] = s.updated.at.UnixMilli(), s.updated.by
	return o
}

func showCatalog(s *securable, browseOnly bool) any {
	o := s.describe(browseOnly)
	o["catalog_type"], o["isolation_mode"], o["securable_type"] = s.catalogType, "OPEN", "CATALOG"
	if browseOnly {
		return o
	}
	o["provisioning_info"] = shape{"state": "ACTIVE"}
	if s.catalogType == "MANAGED_CATALOG" {
		o["storage_root"] = storageRoot
		o["storage_location"] = storageRoot + "/__unitystorage/catalogs/" + s.id
		o["enable_predictive_optimization"] = "INHERIT"
		o["effective_predictive_optimization_flag"] = shape{"value": "ENABLE", "inherited_from_type": "METASTORE", "inherited_from_name": "sandbox"}
	}
	return o
}

// storageRoot is where the metastore would keep managed data.
const storageRoot = "s3://sandbox-metastore-root/" + MetastoreID

func showSchema(s *securable, browseOnly bool) any {
	o := s.describe(browseOnly)
	o["catalog_name"], o["catalog_type"], o["schema_id"] = s.parent.name, s.parent.catalogType, s.id
	if !browseOnly && s.parent.catalogType == "MANAGED_CATALOG" && s.name != informationSchema {
		o["enable_predictive_optimization"] = "INHERIT"
		o["effective_predictive_optimization_flag"] = shape{"value": "ENABLE", "inherited_from_type": "METASTORE", "inherited_from_name": "sandbox"}
	}
	return o
}

// inSchema adds the parents' names.
func (s *securable) inSchema(browseOnly bool) shape {
	o := s.describe(browseOnly)
	o["catalog_name"], o["schema_name"] = s.parent.parent.name, s.parent.name
	return o
}

func showTable(s *securable, browseOnly bool) any {
	o, t := s.inSchema(browseOnly), s.table
	o["table_type"] = t.tableType
	o.set("data_source_format", t.format)
	o["table_id"] = s.id
	if browseOnly {
		return o
	}
	if t.columns != nil {
		o["columns"] = columnInfos(t)
	}
	o.set("view_definition", t.view)
	o.set("storage_location", t.location)
	if t.tableType == "MANAGED" {
		o["storage_location"] = storageRoot + "/__unitystorage/catalogs/" + s.parent.parent.id + "/tables/" + s.id
		o["data_access_configuration_id"] = "00000000-0000-0000-0000-000000000000"
	}
	return o
}

// showTableWhole adds what only the single read carries.
func showTableWhole(s *securable) shape {
	o := showTable(s, false).(shape)
	t := s.table
	if len(t.depends) > 0 {
		var all []shape
		for _, name := range t.depends {
			all = append(all, shape{"table": shape{"table_full_name": name}})
		}
		o["view_dependencies"] = shape{"dependencies": all}
	}
	var constraints []shape
	if len(t.primaryKey) > 0 {
		constraints = append(constraints, shape{"primary_key_constraint": shape{"name": s.name + "_pk", "child_columns": t.primaryKey}})
	}
	for _, k := range t.foreignKeys {
		constraints = append(constraints, shape{"foreign_key_constraint": shape{
			"name": s.name + "_" + k.column + "_fk", "child_columns": []string{k.column},
			"parent_table": k.parent, "parent_columns": []string{k.parentColumn},
		}})
	}
	if constraints != nil {
		o["table_constraints"] = constraints
	}
	return o
}

func columnInfos(t *tableInfo) []shape {
	out := make([]shape, 0, len(t.columns))
	for i, c := range t.columns {
		o := shape{
			"name": c.Name, "position": i, "nullable": !c.NotNull,
			"type_name": c.Type.Kind, "type_text": strings.ToLower(c.Type.String()), "type_json": typeJSON(c),
			"type_precision": c.Type.Precision, "type_scale": c.Type.Scale,
		}
		o.set("comment", c.Comment)
		for at, name := range t.partitions {
			if strings.EqualFold(name, c.Name) {
				o["partition_index"] = at
			}
		}
		out = append(out, o)
	}
	return out
}

// typeJSON is a column as Spark's schema JSON writes it, a JSON text.
func typeJSON(c engine.Column) string {
	metadata := map[string]string{}
	if c.Comment != "" {
		metadata["comment"] = c.Comment
	}
	text, _ := json.Marshal(struct { // of strings and bools: cannot fail
		Name     string            `json:"name"`
		Type     any               `json:"type"`
		Nullable bool              `json:"nullable"`
		Metadata map[string]string `json:"metadata"`
	}{c.Name, sparkType(c.Type), !c.NotNull, metadata})
	return string(text)
}

func sparkType(t engine.Type) any {
	switch t.Kind {
	case engine.Array:
		return shape{"type": "array", "elementType": sparkType(*t.Elem), "containsNull": true}
	case engine.Map:
		return shape{"type": "map", "keyType": sparkType(*t.Key), "valueType": sparkType(*t.Elem), "valueContainsNull": true}
	case engine.Struct:
		fields := make([]shape, 0, len(t.Fields))
		for _, f := range t.Fields {
			fields = append(fields, shape{"name": f.Name, "type": sparkType(f.Type), "nullable": true, "metadata": shape{}})
		}
		return shape{"type": "struct", "fields": fields}
	case engine.Int:
		return "integer"
	case engine.Decimal:
		return strings.ToLower(t.String())
	}
	return strings.ToLower(string(t.Kind))
}

func showVolume(s *securable, browseOnly bool) any {
	o := s.inSchema(browseOnly)
	delete(o, "properties")
	o["volume_id"], o["volume_type"] = s.id, s.volumeType
	if !browseOnly {
		o["storage_location"] = storageRoot + "/__unitystorage/catalogs/" + s.parent.parent.id + "/volumes/" + s.id
	}
	return o
}

func showFunction(s *securable, browseOnly bool) any {
	o, f := s.inSchema(browseOnly), s.function
	delete(o, "properties")
	o["function_id"], o["specific_name"], o["security_type"], o["parameter_style"] = s.id, s.name, "DEFINER", "S"
	if browseOnly {
		return o
	}
	returns, err := engine.ParseType(f.returns)
	if err != nil {
		returns = engine.Scalar(engine.String)
	}
	o["data_type"], o["full_data_type"] = returns.Kind, f.returns
	o["routine_definition"], o["is_deterministic"], o["is_null_call"] = f.body, true, false
	o["routine_body"], o["sql_data_access"] = "SQL", "CONTAINS_SQL"
	if f.language != "SQL" {
		o["routine_body"], o["external_language"], o["sql_data_access"] = "EXTERNAL", f.language, "NO_SQL"
	}
	params := make([]shape, 0, len(f.parameters))
	for i, c := range f.parameters {
		p := shape{
			"name": c.Name, "position": i, "type_name": c.Type.Kind, "type_text": strings.ToLower(c.Type.String()),
			"type_json": typeJSON(c), "parameter_mode": "IN", "parameter_type": "PARAM",
		}
		p.set("comment", c.Comment)
		p.set("parameter_default", c.Default)
		params = append(params, p)
	}
	o["input_params"] = shape{"parameters": params}
	return o
}
