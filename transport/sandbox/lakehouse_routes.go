package sandbox

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
)

const unity = "/api/2.1/unity-catalog"

func (l *lakehouse) addCatalogRoutes() {
	l.on("GET "+unity+"/catalogs", func(r *request) (any, error) {
		return l.list(r, l.metastore, kindCatalog, "catalogs", unpagedUnlessAsked, showCatalog)
	})
	l.on("GET "+unity+"/schemas", func(r *request) (any, error) {
		c, err := l.parent(r, kindCatalog)
		if err != nil {
			return nil, err
		}
		return l.list(r, c, kindSchema, "schemas", unpagedUnlessAsked, showSchema)
	})
	l.on("GET "+unity+"/tables", func(r *request) (any, error) {
		s, err := l.parent(r, kindSchema)
		if err != nil {
			return nil, err
		}
		return l.list(r, s, kindTable, "tables", unpagedUnlessAsked, trimmedTable(r))
	})
	l.on("GET "+unity+"/volumes", func(r *request) (any, error) {
		s, err := l.parent(r, kindSchema)
		if err != nil {
			return nil, err
		}
		return l.list(r, s, kindVolume, "volumes", alwaysPaged, showVolume)
	})
	l.on("GET "+unity+"/functions", func(r *request) (any, error) {
		s, err := l.parent(r, kindSchema)
		if err != nil {
			return nil, err
		}
		return l.list(r, s, kindFunction, "functions", unpagedUnlessAsked, showFunction)
	})
	l.on("GET "+unity+"/catalogs/{name}", l.get(kindCatalog, showCatalog))
	l.on("GET "+unity+"/schemas/{name}", l.get(kindSchema, showSchema))
	l.on("GET "+unity+"/volumes/{name}", l.get(kindVolume, showVolume))
	l.on("GET "+unity+"/functions/{name}", l.get(kindFunction, showFunction))
	l.on("GET "+unity+"/tables/{name}", l.get(kindTable, func(s *securable, browseOnly bool) any {
		if browseOnly {
			return showTable(s, true)
		}
		return showTableWhole(s)
	}))
	l.on("GET "+unity+"/tables/{name}/exists", l.tableExists)
	l.on("GET "+unity+"/table-summaries", l.tableSummaries)
	l.on("POST "+unity+"/catalogs", l.createCatalog)
	l.on("POST "+unity+"/schemas", l.createSchema)
	l.on("POST "+unity+"/volumes", l.createVolume)
	for kind, plural := range map[string]string{
		kindCatalog: "catalogs", kindSchema: "schemas", kindTable: "tables", kindVolume: "volumes", kindFunction: "functions",
	} {
		l.on("DELETE "+unity+"/"+plural+"/{name}", l.delete(kind))
		l.on("PATCH "+unity+"/"+plural+"/{name}", l.update(kind))
	}
	l.on("GET "+unity+"/metastore_summary", func(*request) (any, error) {
		return shape{
			"metastore_id": MetastoreID, "name": "sandbox", "owner": l.metastore.owner, "cloud": "aws", "region": "eu-central-1",
			"global_metastore_id": "aws:eu-central-1:" + MetastoreID, "storage_root": storageRoot,
			"delta_sharing_scope": "INTERNAL", "external_access_enabled": false, "privilege_model_version": "1.0",
			"created_at": seeded.UnixMilli(), "created_by": anaName, "updated_at": seeded.UnixMilli(), "updated_by": anaName,
		}, nil
	})
	l.on("GET "+unity+"/current-metastore-assignment", func(*request) (any, error) {
		return shape{"metastore_id": MetastoreID, "workspace_id": workspaceNumber, "default_catalog_name": "main"}, nil
	})
}

// parent resolves catalog_name (and schema_name) of a listing and checks that
// the user may look inside.
func (l *lakehouse) parent(r *request, kind string) (*securable, error) {
	query := r.URL.Query()
	catalog, schema := query.Get("catalog_name"), query.Get("schema_name")
	if catalog == "" {
		return nil, badArgument("Missing required field: catalog_name")
	}
	name := catalog
	if kind == kindSchema {
		if schema == "" {
			return nil, badArgument("Missing required field: schema_name")
		}
		name += "." + schema
	}
	s, err := l.find(kind, name)
	if err != nil {
		return nil, err
	}
	if shown, _ := visible(r.user, s, query.Get("include_browse") == "true"); !shown {
		return nil, need(r.user, s, useOf[kind])
	}
	return s, nil
}

func (l *lakehouse) list(r *request, of *securable, kind, key string, size pageSize, show func(*securable, bool) any) (any, error) {
	items, next, err := l.page(r, of, kind, size, show)
	if err != nil {
		return nil, err
	}
	body := shape{}
	if len(items) > 0 {
		body[key] = items
	}
	body.set("next_page_token", next)
	return body, nil
}

// trimmedTable applies the omit_* parameters of a table listing.
func trimmedTable(r *request) func(*securable, bool) any {
	query := r.URL.Query()
	var omit []string
	for flag, keys := range map[string][]string{
		"omit_columns": {"columns"}, "omit_properties": {"properties"}, "omit_username": {"owner", "created_by", "updated_by"},
	} {
		if query.Get(flag) == "true" {
			omit = append(omit, keys...)
		}
	}
	return func(s *securable, browseOnly bool) any {
		o := showTable(s, browseOnly).(shape)
		for _, key := range omit {
			delete(o, key)
		}
		return o
	}
}

func (l *lakehouse) get(kind string, show func(*securable, bool) any) handler {
	return func(r *request) (any, error) {
		s, err := l.find(kind, r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		shown, browseOnly := visible(r.user, s, r.URL.Query().Get("include_browse") == "true")
		if !shown {
			return nil, need(r.user, s, useOf[kind])
		}
		return show(s, browseOnly), nil
	}
}

func (l *lakehouse) tableExists(r *request) (any, error) {
	s, err := l.find(kindTable, r.PathValue("name"))
	if err != nil {
		if api := err.(*apiError); api.code != "TABLE_DOES_NOT_EXIST" {
			return nil, err
		}
		return shape{}, nil // the key is absent when false
	}
	if shown, _ := visible(r.user, s, true); !shown {
		return nil, need(r.user, s, "SELECT")
	}
	return shape{"table_exists": true}, nil
}

func (l *lakehouse) tableSummaries(r *request) (any, error) {
	c, err := l.parent(r, kindCatalog)
	if err != nil {
		return nil, err
	}
	limit, err := alwaysPaged.of(r.URL.Query())
	if err != nil {
		return nil, err
	}
	after, err := openToken(r.URL)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	body, tables := shape{}, []shape(nil)
	for _, schema := range c.children(kindSchema) {
		for _, t := range schema.children(kindTable) {
			if shown, _ := visible(r.user, t, true); !shown || t.fullName() <= after ||
				!like(query.Get("schema_name_pattern"), schema.name) || !like(query.Get("table_name_pattern"), t.name) {
				continue
			}
			if len(tables) == limit {
				body["tables"], body["next_page_token"] = tables, sealToken(r.URL, tables[limit-1]["full_name"].(string))
				return body, nil
			}
			tables = append(tables, shape{"full_name": t.fullName(), "table_type": t.table.tableType})
		}
	}
	if tables != nil {
		body["tables"] = tables
	}
	return body, nil
}

// like matches a SQL LIKE pattern; the empty pattern matches everything. Names
// hold no slash, so path.Match's * is %.
func like(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	glob := strings.NewReplacer("%", "*", "_", "?", "*", `\*`, "?", `\?`, "[", `\[`).Replace(strings.ToLower(pattern))
	ok, err := path.Match(glob, name)
	return ok && err == nil
}

type newObject struct {
	Name       string            `json:"name"`
	Catalog    string            `json:"catalog_name"`
	Schema     string            `json:"schema_name"`
	Comment    string            `json:"comment"`
	Properties map[string]string `json:"properties"`
	VolumeType string            `json:"volume_type"`
	Location   string            `json:"storage_location"`
}

// create reads the request, checks name, right and conflict, and adds the object.
func (l *lakehouse) create(r *request, in *newObject, kind string, parent func() (*securable, error), privilege string) (*securable, error) {
	if err := r.decode(in); err != nil {
		return nil, err
	}
	if err := validName(kind, in.Name); err != nil {
		return nil, err
	}
	p, err := parent()
	if err != nil {
		return nil, err
	}
	if err := need(r.user, p, privilege); err != nil {
		return nil, err
	}
	if p.child(kind, in.Name) != nil {
		name := strings.ToLower(in.Name)
		if p.kind != kindMetastore {
			name = p.fullName() + "." + name
		}
		code := strings.ToUpper(kind) + "_ALREADY_EXISTS"
		return nil, failure(http.StatusBadRequest, code, titles[kind]+" '"+name+"' already exists")
	}
	s := p.add(kind, in.Name, r.user.UserName, r.now)
	l.made++
	s.id = stableUUID(fmt.Sprintf("%s %s, made %d", kind, s.fullName(), l.made)) // not that of a dropped namesake
	s.comment, s.props = in.Comment, in.Properties
	return s, nil
}

func (l *lakehouse) createCatalog(r *request) (any, error) {
	s, err := l.create(r, new(newObject), kindCatalog, func() (*securable, error) { return l.metastore, nil }, "CREATE_CATALOG")
	if err != nil {
		return nil, err
	}
	s.catalogType = "MANAGED_CATALOG"
	s.add(kindSchema, "default", r.user.UserName, r.now).comment = "Default schema (auto-created)"
	return showCatalog(s, false), nil
}

func (l *lakehouse) createSchema(r *request) (any, error) {
	var in newObject
	s, err := l.create(r, &in, kindSchema, func() (*securable, error) {
		if in.Catalog == "" {
			return nil, badArgument("Missing required field: catalog_name")
		}
		return l.find(kindCatalog, in.Catalog)
	}, "CREATE_SCHEMA")
	if err != nil {
		return nil, err
	}
	return showSchema(s, false), nil
}

func (l *lakehouse) createVolume(r *request) (any, error) {
	var in newObject
	s, err := l.create(r, &in, kindVolume, func() (*securable, error) {
		switch {
		case in.VolumeType == "MANAGED" && in.Location != "":
			return nil, badArgument("Managed volumes must not have a storage location.")
		case in.VolumeType != "MANAGED":
			return nil, badArgument("volume_type must be MANAGED: the sandbox has no external locations.")
		}
		return l.find(kindSchema, in.Catalog+"."+in.Schema)
	}, "CREATE_VOLUME")
	if err != nil {
		return nil, err
	}
	s.volumeType = in.VolumeType
	return showVolume(s, false), nil
}

func (l *lakehouse) delete(kind string) handler {
	return func(r *request) (any, error) {
		s, err := l.find(kind, r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		if err := needManage(r.user, s); err != nil {
			return nil, err
		}
		if s.system() {
			return nil, badArgument(s.title() + " is managed by the system and cannot be deleted.")
		}
		if !s.empty() && r.URL.Query().Get("force") != "true" {
			return nil, failure(http.StatusBadRequest, "INVALID_STATE", s.title()+" is not empty. "+s.census())
		}
		l.drop(s)
		return nil, nil
	}
}

// census says what a container holds, as the refusal to delete it does.
func (s *securable) census() string {
	var parts []string
	for _, kind := range []string{kindSchema, kindTable, kindFunction, kindVolume, kindModel} {
		n := len(slices.DeleteFunc(s.children(kind), func(c *securable) bool { return c.dropped || c.name == informationSchema }))
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s(s)", n, kind))
		}
	}
	return fmt.Sprintf("The %s has %s.", s.kind, strings.Join(parts, ", "))
}

// drop takes s and everything below it out of the tree. The caller holds the
// lock; stored rows and files go afterwards.
func (l *lakehouse) drop(s *securable) {
	for _, c := range s.below {
		l.drop(c)
	}
	switch s.kind {
	case kindTable:
		l.orphans = append(l.orphans, s.id)
	case kindVolume:
		l.w.files.forget(s.id)
	}
	delete(s.parent.below, s.kind+" "+s.name)
}

// update changes comment, owner and properties; renaming by REST is not there.
func (l *lakehouse) update(kind string) handler {
	show := map[string]func(*securable, bool) any{
		kindCatalog: showCatalog, kindSchema: showSchema, kindTable: showTable, kindVolume: showVolume, kindFunction: showFunction,
	}[kind]
	return func(r *request) (any, error) {
		s, err := l.find(kind, r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		if err := needManage(r.user, s); err != nil {
			return nil, err
		}
		var in struct {
			Comment    *string            `json:"comment"`
			Owner      *string            `json:"owner"`
			NewName    string             `json:"new_name"`
			Properties *map[string]string `json:"properties"`
		}
		if err := r.decode(&in); err != nil {
			return nil, err
		}
		if in.NewName != "" && !strings.EqualFold(in.NewName, s.name) {
			return nil, failure(http.StatusNotImplemented, "NOT_IMPLEMENTED", "Renaming is not supported by the sandbox.")
		}
		if in.Owner != nil {
			name, ok := l.principal(*in.Owner)
			if !ok {
				return nil, noPrincipal(*in.Owner)
			}
			s.owner = name
		}
		if in.Comment != nil {
			s.comment = *in.Comment
		}
		if in.Properties != nil {
			s.props = *in.Properties
		}
		s.touch(r.user.UserName, r.now)
		return show(s, false), nil
	}
}
