package sandbox

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// notebooks is the workspace's tree of folders, notebooks and files.
type notebooks struct {
	w     *Workspace
	blobs blobs
	seed  sync.Once

	mu   sync.Mutex
	tree *tree[item]
	next int64 // object ids
}

// item is one workspace object. A notebook is kept as source in its language's
// form with the marker line; a file as bytes.
type item struct {
	id                int64
	kind              string // DIRECTORY, NOTEBOOK, FILE, REPO
	language          string // of notebooks
	source            string
	jupyter           bool    // a notebook that came as .ipynb
	content           content // of files
	created, modified time.Time
}

const (
	kindDirectory = "DIRECTORY"
	kindNotebook  = "NOTEBOOK"
	kindFile      = "FILE"
	kindRepo      = "REPO"
)

func addNotebooks(w *Workspace) error {
	nb := &notebooks{w: w, tree: newTree[item](), next: 3141592653589000}
	w.notebooks = nb
	w.close = append(w.close, nb.blobs.close)
	nb.on("GET /api/2.0/workspace/list", nb.list)
	nb.on("GET /api/2.0/workspace/get-status", nb.getStatus)
	nb.on("POST /api/2.0/workspace/mkdirs", nb.mkdirs)
	nb.on("POST /api/2.0/workspace/delete", nb.delete)
	w.on("GET /api/2.0/workspace/export", nb.export)
	w.on("POST /api/2.0/workspace/import", nb.importObject)
	w.on("POST /api/2.0/workspace-files/import-file/{path...}", nb.importRaw)
	return nil
}

// on registers a route; the lock is held for the whole handler.
func (nb *notebooks) on(pattern string, h handler) {
	h = locked(&nb.mu, h)
	nb.w.on(pattern, func(r *request) (any, error) {
		nb.seed.Do(nb.plant)
		return h(r)
	})
}

// wsPath is a workspace path as asked for and in its plain form: /Workspace/x
// and /x name the same object, and answers echo the form of the question.
type wsPath struct{ plain, prefix string }

func readPath(p string) (wsPath, error) {
	if p == "" {
		return wsPath{}, badArgument("Missing required field: path")
	}
	if !strings.HasPrefix(p, "/") {
		return wsPath{}, badArgument(fmt.Sprintf("Path (%s) doesn't start with '/'", p))
	}
	parts := segments(p)
	for _, s := range parts {
		if s == "." || s == ".." {
			return wsPath{}, badArgument(fmt.Sprintf("Path (%s) contains a relative segment", p))
		}
	}
	out := wsPath{}
	if len(parts) > 0 && parts[0] == "Workspace" {
		out.prefix, parts = "/Workspace", parts[1:]
	}
	out.plain = "/" + strings.Join(parts, "/")
	return out, nil
}

// String is the path as asked for.
func (p wsPath) String() string {
	if p.plain == "/" && p.prefix != "" {
		return p.prefix
	}
	return p.prefix + p.plain
}

// Levels of access to workspace objects.
const (
	canNothing = iota
	canRead
	canManage
)

// access says what a user may do at a path: admins everything; everyone
// manages the own home and /Shared, and reads the folders that lead there.
func access(user *principal, plain string) int {
	if user.Admin {
		return canManage
	}
	parts := segments(plain)
	switch {
	case len(parts) == 0:
		return canRead
	case parts[0] == "Shared":
		return canManage
	case parts[0] != "Users" && parts[0] != "Repos":
		return canNothing
	case len(parts) == 1:
		return canRead
	case strings.EqualFold(parts[1], user.UserName):
		return canManage
	case len(parts) > 2 && parts[2] == "published": // what a colleague shows to everyone
		return canRead
	}
	return canNothing
}

func noObject(p wsPath) *apiError {
	return failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf("Path (%s) doesn't exist.", p))
}

// at finds an object that the user may read; others do not exist for him.
func (nb *notebooks) at(user *principal, p wsPath) (*node[item], error) {
	n := nb.tree.lookup(p.plain)
	if n == nil || access(user, p.plain) < canRead {
		return nil, noObject(p)
	}
	return n, nil
}

// writable refuses a change at p: as missing when it cannot even be read.
func (nb *notebooks) writable(user *principal, p wsPath) error {
	switch access(user, p.plain) {
	case canManage:
		return nil
	case canNothing:
		return noObject(p)
	}
	return failure(http.StatusForbidden, "PERMISSION_DENIED", fmt.Sprintf("%s does not have Manage permissions on %s. Please contact the owner or an administrator for access.", user.UserName, p))
}

// newItem fills in what every new object has.
func (nb *notebooks) newItem(v item, now time.Time) item {
	nb.next++
	v.id, v.created, v.modified = nb.next, now, now
	return v
}

func (nb *notebooks) info(n *node[item], prefix string) shape {
	v := n.value
	path := n.path()
	if prefix != "" && path == "/" {
		path = ""
	}
	o := shape{
		"path": prefix + path, "object_id": v.id, "object_type": v.kind, "resource_id": fmt.Sprint(v.id),
		"created_at": v.created.UnixMilli(), "modified_at": v.modified.UnixMilli(),
	}
	switch v.kind {
	case kindNotebook:
		o["language"] = v.language
	case kindFile:
		o["size"] = v.content.size()
	}
	return o
}

// list answers the children of a folder, or the one object asked for.
func (nb *notebooks) list(r *request) (any, error) {
	p, err := readPath(r.URL.Query().Get("path"))
	if err != nil {
		return nil, err
	}
	after, err := r.int("notebooks_modified_after", 0)
	if err != nil {
		return nil, err
	}
	n, err := nb.at(r.user, p)
	if err != nil {
		return nil, err
	}
	if !n.directory() {
		return shape{"objects": []shape{nb.info(n, p.prefix)}}, nil
	}
	body, objects := shape{}, []shape(nil)
	for _, c := range n.list() {
		old := c.value.kind == kindNotebook && c.value.modified.UnixMilli() <= after && after > 0
		if !old && (access(r.user, c.path()) >= canRead || nb.leadsTo(r.user, c)) {
			objects = append(objects, nb.info(c, p.prefix))
		}
	}
	if objects != nil {
		body["objects"] = objects
	}
	return body, nil
}

// leadsTo: a folder with something readable directly in it is listed.
func (nb *notebooks) leadsTo(user *principal, n *node[item]) bool {
	for _, c := range n.children {
		if access(user, c.path()) >= canRead {
			return true
		}
	}
	return false
}

func (nb *notebooks) getStatus(r *request) (any, error) {
	p, err := readPath(r.URL.Query().Get("path"))
	if err != nil {
		return nil, err
	}
	n, err := nb.at(r.user, p)
	if err != nil {
		return nil, err
	}
	o := nb.info(n, p.prefix)
	if n.value.kind == kindNotebook && r.URL.Query().Get("return_export_info") == "true" {
		o["repos_export_format"] = "SOURCE"
		if n.value.jupyter {
			o["repos_export_format"] = "JUPYTER"
		}
	}
	return o, nil
}

func (nb *notebooks) mkdirs(r *request) (any, error) {
	var in struct {
		Path string `json:"path"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	p, err := readPath(in.Path)
	if err != nil {
		return nil, err
	}
	if n := nb.tree.lookup(p.plain); n != nil && n.directory() && access(r.user, p.plain) >= canRead {
		return nil, nil // idempotent, also where one may only read
	}
	if err := nb.writable(r.user, p); err != nil {
		return nil, err
	}
	if _, err := nb.tree.mkdirs(p.plain, func(n *node[item]) { n.value = nb.newItem(item{kind: kindDirectory}, r.now) }); err != nil {
		return nil, failure(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", fmt.Sprintf("Path (%s) already exists or an object that is no folder stands above it.", p))
	}
	return nil, nil
}

func (nb *notebooks) delete(r *request) (any, error) {
	var in struct {
		Path      string `json:"path"`
		Recursive bool   `json:"recursive"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	p, err := readPath(in.Path)
	if err != nil {
		return nil, err
	}
	n, err := nb.at(r.user, p)
	if err != nil {
		return nil, err
	}
	if err := nb.writable(r.user, p); err != nil {
		return nil, err
	}
	switch parts := segments(p.plain); {
	case len(parts) < 2 && n.directory(), len(parts) == 2 && parts[0] == "Users":
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", fmt.Sprintf("Folder %s is protected", p))
	case len(n.children) > 0 && !in.Recursive:
		return nil, failure(http.StatusBadRequest, "DIRECTORY_NOT_EMPTY", fmt.Sprintf("Folder (%s) is not empty", p))
	}
	discard := func(n *node[item]) {
		if n.value.content != nil {
			n.value.content.discard()
		}
	}
	discard(n)
	n.walk(discard)
	n.remove()
	return nil, nil
}
