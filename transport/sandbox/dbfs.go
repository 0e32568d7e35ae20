package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// dbfsBlock is the most that one put, add-block or read carries, decoded.
	dbfsBlock = 1 << 20
	// dbfsRead is how much a read without length answers.
	dbfsRead = 512 << 10
	// handleIdle is how long a handle lives between two calls.
	handleIdle = 10 * time.Minute
)

// dbfs is the legacy file system of the workspace; every user shares it.
type dbfs struct {
	w     *Workspace
	blobs blobs
	seed  sync.Once

	mu      sync.Mutex
	files   *tree[stored]
	handles map[int64]*dbfsHandle
	next    int64
}

// dbfsHandle is a file being written; it is visible, and empty, until it is closed.
type dbfsHandle struct {
	path    string
	content *blob
	used    time.Time
}

func addDBFS(w *Workspace) error {
	d := &dbfs{w: w, files: newTree[stored](), handles: map[int64]*dbfsHandle{}, next: 5903411178265401}
	w.dbfs = d
	w.close = append(w.close, d.close)
	d.on("GET /api/2.0/dbfs/read", d.read)
	d.on("GET /api/2.0/dbfs/get-status", d.getStatus)
	d.on("GET /api/2.0/dbfs/list", d.list)
	d.w.on("POST /api/2.0/dbfs/put", d.put)
	d.on("POST /api/2.0/dbfs/create", d.create)
	d.on("POST /api/2.0/dbfs/add-block", d.addBlock)
	d.on("POST /api/2.0/dbfs/close", d.closeHandle)
	d.on("POST /api/2.0/dbfs/mkdirs", d.mkdirs)
	d.on("POST /api/2.0/dbfs/delete", d.delete)
	d.on("POST /api/2.0/dbfs/move", d.move)
	return nil
}

func (d *dbfs) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range d.handles {
		h.content.discard()
	}
	clear(d.handles)
	return d.blobs.close()
}

// on registers a route; the lock is held for the whole handler.
func (d *dbfs) on(pattern string, h handler) {
	h = locked(&d.mu, h)
	d.w.on(pattern, func(r *request) (any, error) {
		d.seed.Do(d.plant)
		return h(r)
	})
}

// dbfsPath checks a path; the dbfs: prefix is accepted.
func dbfsPath(p string) (string, error) {
	p = strings.TrimPrefix(p, "dbfs:")
	switch {
	case p == "":
		return "", badArgument("Missing required field: path")
	case !strings.HasPrefix(p, "/"):
		return "", badArgument(fmt.Sprintf("Path must be absolute: %s", p))
	case p == "/Volumes" || strings.HasPrefix(p, "/Volumes/"):
		return "", badArgument("No operations allowed on this path.")
	}
	for _, s := range segments(p) {
		if s == "." || s == ".." {
			return "", badArgument(fmt.Sprintf("Path must not contain relative segments: %s", p))
		}
	}
	return path.Clean(p), nil
}

func dbfsMissing(p string) *apiError {
	return failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "No file or directory exists on path "+p+".")
}

func dbfsExists(p string) *apiError {
	return failure(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "A file or directory already exists at the input path "+p+".")
}

// at finds what a request's path names.
func (d *dbfs) at(p string) (*node[stored], error) {
	p, err := dbfsPath(p)
	if err != nil {
		return nil, err
	}
	n := d.files.lookup(p)
	if n == nil {
		return nil, dbfsMissing(p)
	}
	return n, nil
}

func (d *dbfs) fileInfo(n *node[stored]) shape {
	o := shape{"path": n.path(), "is_dir": n.directory(), "file_size": int64(0), "modification_time": n.value.modified.UnixMilli()}
	if !n.directory() {
		o["file_size"] = n.value.content.size()
	}
	return o
}

func (d *dbfs) getStatus(r *request) (any, error) {
	n, err := d.at(r.URL.Query().Get("path"))
	if err != nil {
		return nil, err
	}
	return d.fileInfo(n), nil
}

func (d *dbfs) list(r *request) (any, error) {
	n, err := d.at(r.URL.Query().Get("path"))
	if err != nil {
		return nil, err
	}
	if !n.directory() {
		return shape{"files": []shape{d.fileInfo(n)}}, nil
	}
	body, files := shape{}, []shape(nil)
	for _, c := range n.list() {
		files = append(files, d.fileInfo(c))
	}
	if files != nil {
		body["files"] = files
	}
	return body, nil
}

func (d *dbfs) read(r *request) (any, error) {
	query := r.URL.Query()
	number := func(name string, absent int64) (int64, error) {
		text := query.Get(name)
		if text == "" {
			return absent, nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return 0, badArgument(fmt.Sprintf("%s must be a non-negative integer, not %s.", name, text))
		}
		return n, nil
	}
	offset, err := number("offset", 0)
	if err != nil {
		return nil, err
	}
	length, err := number("length", dbfsRead)
	if err != nil {
		return nil, err
	}
	if length > dbfsBlock {
		return nil, failure(http.StatusBadRequest, "MAX_READ_SIZE_EXCEEDED", fmt.Sprintf("The read length %d exceeds the maximum of %d bytes.", length, dbfsBlock))
	}
	n, err := d.at(query.Get("path"))
	if err != nil {
		return nil, err
	}
	if n.directory() {
		return nil, badArgument("Cannot read a directory: " + n.path())
	}
	data, err := readRange(n.value.content, offset, length)
	if err != nil {
		return nil, err
	}
	return shape{"bytes_read": len(data), "data": base64.StdEncoding.EncodeToString(data)}, nil
}

func (d *dbfs) mkdirs(r *request) (any, error) {
	var in struct {
		Path string `json:"path"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	p, err := dbfsPath(in.Path)
	if err != nil {
		return nil, err
	}
	if _, err := d.files.mkdirs(p, func(n *node[stored]) { n.value.modified = r.now }); err != nil {
		return nil, dbfsExists(p)
	}
	return nil, nil
}

// delete succeeds on a path that is not there.
func (d *dbfs) delete(r *request) (any, error) {
	var in struct {
		Path      string `json:"path"`
		Recursive bool   `json:"recursive"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	p, err := dbfsPath(in.Path)
	if err != nil {
		return nil, err
	}
	n := d.files.lookup(p)
	switch {
	case n == nil:
		return nil, nil
	case n.parent == nil:
		return nil, badArgument("The root of DBFS cannot be deleted.")
	case len(n.children) > 0 && !in.Recursive:
		return nil, failure(http.StatusBadRequest, "IO_ERROR", "Directory is not empty. Use recursive delete or remove contents first.")
	case n.directory():
		discardBelow(n)
	default:
		n.value.content.discard()
	}
	n.remove()
	return nil, nil
}

func (d *dbfs) move(r *request) (any, error) {
	var in struct {
		Source      string `json:"source_path"`
		Destination string `json:"destination_path"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	n, err := d.at(in.Source)
	if err != nil {
		return nil, err
	}
	to, err := dbfsPath(in.Destination)
	if err != nil {
		return nil, err
	}
	switch from := n.path(); {
	case n.parent == nil || to == from || strings.HasPrefix(to, from+"/"):
		return nil, badArgument(fmt.Sprintf("Cannot move %s to %s.", from, to))
	case d.files.lookup(to) != nil:
		return nil, dbfsExists(to)
	}
	dir, name := dirBase(to)
	parent, err := d.files.mkdirs(dir, func(n *node[stored]) { n.value.modified = r.now })
	if err != nil {
		return nil, dbfsExists(dir)
	}
	n.remove()
	n.name, n.parent = name, parent
	parent.children[name] = n
	return nil, nil
}

// plant makes the files that DBFS starts with.
func (d *dbfs) plant() {
	for _, f := range []struct{ path, text string }{
		{"/FileStore/README.txt", "Files here are served to every user of the workspace. New work belongs in volumes.\n"},
		{"/FileStore/tables/legacy_prices.csv", csvText([]string{"sku", "price"}, func(yield func([]any) bool) {
			for row := range productRows() {
				if !yield([]any{row[1], row[4]}) {
					return
				}
			}
		})},
		{"/databricks-datasets/README.md", "# Data sets\n\nSee the catalog samples for tables.\n"},
		{"/tmp/nightly_sales_ingest/checkpoint.json", `{"last_file":"/Volumes/main/retail/landing/orders/` + dayBack(1) + `.csv","rows":14}` + "\n"},
	} {
		dir, name := dirBase(f.path)
		parent, _ := d.files.mkdirs(dir, func(n *node[stored]) { n.value.modified = seeded }) // no file stands above a seeded one
		parent.put(name, stored{d.blobs.bytes([]byte(f.text)), seeded})
	}
}
