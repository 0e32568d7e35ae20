package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sort"
	"strings"
	"sync"
	"time"

	"brickmcp/transport/sandbox/engine"
)

// MetastoreID is the id of the metastore the workspace is attached to.
const MetastoreID = "6f1d2c3b-9a48-4e57-8c21-0b7a5d3e9f14"

// Kinds of securable, spelt as in the path of the permissions API.
const (
	kindMetastore = "metastore"
	kindCatalog   = "catalog"
	kindSchema    = "schema"
	kindTable     = "table" // views too
	kindVolume    = "volume"
	kindFunction  = "function"
	kindModel     = "model" // registered models; their grants are those of a function
)

// securable is one object of Unity Catalog. Tables and views share one
// namespace within a schema; volumes and functions have their own.
type securable struct {
	kind    string
	name    string // last part, lower case
	parent  *securable
	below   map[string]*securable // by kind and name
	id      string
	owner   string
	comment string
	props   map[string]string
	created stamp
	updated stamp
	grants  map[string][]string // principal -> privileges, sorted
	dropped bool                // kept for its place in the listing order, answers as missing

	catalogType string // catalogs
	table       *tableInfo
	volumeType  string
	function    *functionInfo
	model       *modelInfo
}

type stamp struct {
	at time.Time
	by string
}

// tableInfo is what a table or view has beyond other securables.
type tableInfo struct {
	tableType   string // MANAGED, EXTERNAL, VIEW
	format      string // DELTA, CSV; empty for views
	columns     []engine.Column
	partitions  []string
	view        string    // definition of a view
	viewIn      [2]string // catalog and schema its incomplete names resolve in
	depends     []string  // full names of the tables a view reads
	primaryKey  []string
	foreignKeys []foreignKey
	location    string // of an external table
}

type foreignKey struct {
	column, parent, parentColumn string
}

type functionInfo struct {
	parameters    []engine.Column
	returns, body string
	language      string // SQL or PYTHON
}

// fullName is the dotted name, for the metastore its id.
func (s *securable) fullName() string {
	if s.parent == nil {
		return MetastoreID
	}
	if s.kind == kindCatalog {
		return s.name
	}
	return s.parent.fullName() + "." + s.name
}

// title is how messages name the object: Table 'main.retail.orders'.
func (s *securable) title() string { return titles[s.kind] + " '" + s.fullName() + "'" }

var titles = map[string]string{
	kindMetastore: "Metastore", kindCatalog: "Catalog", kindSchema: "Schema", kindTable: "Table",
	kindVolume: "Volume", kindFunction: "Routine or Model", kindModel: "Routine or Model",
}

func (s *securable) child(kind, name string) *securable {
	c := s.below[kind+" "+strings.ToLower(name)]
	if c == nil || c.dropped {
		return nil
	}
	return c
}

// children lists the objects of one kind in name order, dropped ones included:
// listings page over raw records and filter afterwards, as the real service.
func (s *securable) children(kind string) []*securable {
	var out []*securable
	for _, c := range s.below {
		if c.kind == kind {
			out = append(out, c)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

func (s *securable) empty() bool {
	for _, c := range s.below {
		if !c.dropped && c.name != informationSchema {
			return false
		}
	}
	return true
}

// add puts a new object below s.
func (s *securable) add(kind, name, owner string, at time.Time) *securable {
	name = strings.ToLower(name)
	c := &securable{
		kind: kind, name: name, parent: s, below: map[string]*securable{}, owner: owner,
		created: stamp{at, owner}, updated: stamp{at, owner}, grants: map[string][]string{},
	}
	c.id = stableUUID(kind + " " + c.fullName())
	s.below[kind+" "+name] = c
	if kind == kindCatalog {
		info := c.add(kindSchema, informationSchema, "System user", at)
		info.comment = "Information schema (auto-created)"
		for _, view := range informationViews {
			info.add(kindTable, view, "System user", at).table = &tableInfo{tableType: "VIEW"}
		}
	}
	return c
}

// informationViews are listed; what they show is the SQL engine's own.
var informationViews = []string{
	"catalog_privileges", "catalogs", "columns", "information_schema_catalog_name", "routines", "schema_privileges",
	"schemata", "table_privileges", "tables", "views", "volumes",
}

// touch records a change.
func (s *securable) touch(by string, at time.Time) { s.updated = stamp{at, by} }

// informationSchema is in every catalog, cannot be dropped, and does not count
// as content.
const informationSchema = "information_schema"

// stableUUID makes an id that is the same in every run of the sandbox.
func stableUUID(of string) string {
	h := sha256.Sum256([]byte(of))
	h[6], h[8] = h[6]&0x0f|0x40, h[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// lakehouse is Unity Catalog: the tree of securables and their grants, and
// beneath it the SQL engine that holds the rows. Both are seeded on first use.
type lakehouse struct {
	w    *Workspace
	seed sync.Once

	mu        sync.RWMutex // never held while the engine is called: it calls back
	metastore *securable
	made      int      // objects created by REST
	orphans   []string // ids of tables dropped by REST, whose rows are still stored

	engine   *engine.Engine
	arrivals func(context.Context) // loads rows that have become due; called without the lock
}

func addLakehouse(w *Workspace) error {
	l := &lakehouse{w: w}
	w.lakehouse = l
	began := w.clock.Now()
	rows := func(t engine.Table) iter.Seq[[]any] {
		if past := pastLogs(t, began); past != nil {
			return past
		}
		return seedRows(t)
	}
	l.engine = engine.New(engine.Options{Catalog: sqlCatalog{l}, Rows: rows, Now: w.clock.Now})
	w.close = append(w.close, l.engine.Close)
	l.addCatalogRoutes()
	l.addGrantRoutes()
	l.addModelRoutes()
	return nil
}

// ready makes sure that the seed is there.
func (l *lakehouse) ready() {
	l.seed.Do(func() {
		l.metastore = &securable{
			kind: kindMetastore, name: "sandbox", below: map[string]*securable{}, owner: anaName,
			created: stamp{seeded, anaName}, updated: stamp{seeded, anaName}, grants: map[string][]string{}, id: MetastoreID,
		}
		seedCatalogs(l.metastore)
	})
}

// on registers a Unity Catalog route; the lock is held for the whole handler.
func (l *lakehouse) on(pattern string, h handler) {
	read := strings.HasPrefix(pattern, "GET ")
	if read {
		h = locked(l.mu.RLocker(), h)
	} else {
		h = locked(&l.mu, h)
	}
	l.w.on(pattern, func(r *request) (any, error) {
		l.ready()
		l.arrivals(r.Context())
		body, err := h(r)
		if !read {
			err = errors.Join(err, l.discardOrphans(r.Context()))
		}
		return body, err
	})
}

// discardOrphans deletes the rows of tables that REST has dropped.
func (l *lakehouse) discardOrphans(ctx context.Context) error {
	l.mu.Lock()
	orphans := l.orphans
	l.orphans = nil
	l.mu.Unlock()
	var errs []error
	for _, id := range orphans {
		errs = append(errs, l.engine.Discard(ctx, id))
	}
	return errors.Join(errs...)
}

// missing is the 404 for an object of this kind.
func missing(kind, fullName string) *apiError {
	code := map[string]string{
		kindCatalog: "CATALOG_DOES_NOT_EXIST", kindSchema: "SCHEMA_DOES_NOT_EXIST",
		kindTable: "TABLE_DOES_NOT_EXIST", kindMetastore: "METASTORE_DOES_NOT_EXIST",
	}[kind]
	if code == "" {
		code = "RESOURCE_DOES_NOT_EXIST"
	}
	return failure(http.StatusNotFound, code, titles[kind]+" '"+fullName+"' does not exist.")
}

// find looks an object up by its dotted name. What is missing is named by the
// outermost part that does not exist.
func (l *lakehouse) find(kind, fullName string) (*securable, error) {
	if kind == kindMetastore {
		if strings.EqualFold(fullName, MetastoreID) {
			return l.metastore, nil
		}
		return nil, missing(kind, fullName)
	}
	path := map[string][]string{
		kindCatalog: {kindCatalog}, kindSchema: {kindCatalog, kindSchema}, kindTable: {kindCatalog, kindSchema, kindTable},
		kindVolume: {kindCatalog, kindSchema, kindVolume}, kindFunction: {kindCatalog, kindSchema, kindFunction},
		kindModel: {kindCatalog, kindSchema, kindModel},
	}[kind]
	parts := strings.Split(fullName, ".")
	if len(parts) != len(path) {
		return nil, badArgument(fmt.Sprintf("'%s' is not a valid name for a %s: %d parts are needed, separated by periods.", fullName, kind, len(path)))
	}
	at := l.metastore
	for i, k := range path {
		next := at.child(k, parts[i])
		if next == nil {
			return nil, missing(k, strings.ToLower(strings.Join(parts[:i+1], ".")))
		}
		at = next
	}
	return at, nil
}

// validName applies the naming rules of new objects.
func validName(kind, name string) error {
	if name == "" {
		return badArgument("Missing required field: name")
	}
	if len(name) > 255 || strings.ContainsFunc(name, func(r rune) bool { return r == ' ' || r == '.' || r == '/' || r < 0x20 || r == 0x7f }) {
		return badArgument(fmt.Sprintf("Invalid input: \"%s\" is not a valid name for a %s. Names cannot contain spaces, periods, forward slashes, or control characters, and have at most 255 characters.", name, kind))
	}
	return nil
}
