package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// largestUpload is the most that one PUT takes.
const largestUpload = 5 << 30

// files is the Files API: what is stored in the volumes of the lakehouse.
type files struct {
	w     *Workspace
	blobs blobs

	mu      sync.Mutex
	volumes map[string]*tree[stored] // by volume id, made on first use
}

func addFiles(w *Workspace) error {
	f := &files{w: w, volumes: map[string]*tree[stored]{}}
	w.files = f
	w.close = append(w.close, f.blobs.close)
	const file, directory = "/api/2.0/fs/files/{path...}", "/api/2.0/fs/directories/{path...}"
	w.on("GET "+file, f.download)
	w.on("HEAD "+file, headOnly(f.download))
	w.on("PUT "+file, f.upload)
	w.on("DELETE "+file, f.deleteFile)
	w.on("GET "+directory, f.list)
	w.on("HEAD "+directory, headOnly(f.checkDirectory))
	w.on("PUT "+directory, f.makeDirectory)
	w.on("DELETE "+directory, f.deleteDirectory)
	return nil
}

// place is a path within a volume.
type place struct {
	volume, within string // volume id; path below the volume's root
	full           string
}

// place resolves the request's path and checks the privilege on its volume.
func (f *files) place(r *request, privilege string) (place, error) {
	full := "/" + strings.Trim(r.PathValue("path"), "/")
	parts := strings.Split(full[1:], "/")
	for _, p := range parts {
		if p == "" || p == "." || p == ".." || strings.ContainsRune(p, 0) {
			return place{}, badArgument("Invalid path: " + full)
		}
	}
	if parts[0] != "Volumes" || len(parts) < 4 {
		return place{}, badArgument(fmt.Sprintf("Invalid path: %s. The path must begin with /Volumes/<catalog>/<schema>/<volume>.", full))
	}
	id, err := f.w.lakehouse.volume(r.user, parts[1], parts[2], parts[3], privilege)
	if err != nil {
		return place{}, err
	}
	return place{volume: id, within: "/" + strings.Join(parts[4:], "/"), full: full}, nil
}

// volume finds a volume and checks a privilege on it; it returns the volume's id.
func (l *lakehouse) volume(user *principal, catalog, schema, name, privilege string) (string, error) {
	l.ready()
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, err := l.find(kindVolume, catalog+"."+schema+"."+name)
	if err != nil {
		api := err.(*apiError)
		return "", failure(api.status, "NOT_FOUND", api.message)
	}
	if err := need(user, s, privilege); err != nil {
		return "", err
	}
	return s.id, nil
}

// tree returns the files of a volume; f.mu must be held.
func (f *files) tree(volume string) *tree[stored] {
	t := f.volumes[volume]
	if t == nil {
		t = f.seedVolume(volume)
		f.volumes[volume] = t
	}
	return t
}

// forget deletes the files of a dropped volume.
func (f *files) forget(volume string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.volumes[volume]; t != nil {
		discardBelow(t.root)
		delete(f.volumes, volume)
	}
}

func discardBelow(n *node[stored]) {
	n.walk(func(n *node[stored]) {
		if n.value.content != nil {
			n.value.content.discard()
		}
	})
}

// headOnly serves a HEAD request: failures carry no body.
func headOnly(h handler) handler {
	return func(r *request) (any, error) {
		got, err := h(r)
		if api, ok := err.(*apiError); ok {
			r.w.WriteHeader(api.status)
			return nil, errWritten
		}
		return got, err
	}
}

// noContent is the answer to every write here.
var noContent = answer{status: http.StatusNoContent}

// refuse answers an error with an ErrorInfo reason.
func (r *request) refuse(status int, code, reason, message string) (any, error) {
	reply(r.w, status, map[string]any{
		"error_code": code, "message": message,
		"details": []any{map[string]any{
			"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "filesystem.databricks.com",
		}},
	})
	return nil, errWritten
}

func noFile(path string) *apiError {
	return failure(http.StatusNotFound, "NOT_FOUND", "The file being accessed is not found: "+path)
}

// download serves a file or a range of it; for HEAD its headers.
func (f *files) download(r *request) (any, error) {
	p, err := f.place(r, "READ_VOLUME")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	file, ok := f.lookup(p)
	var body io.ReadSeekCloser
	if ok {
		body, err = file.content.open() // under the lock: an overwrite discards the old content
	}
	f.mu.Unlock()
	if !ok {
		return nil, noFile(p.full)
	}
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return nil, serveContent(r, file, body)
}

// lookup finds a file; f.mu must be held.
func (f *files) lookup(p place) (stored, bool) {
	n := f.tree(p.volume).lookup(p.within)
	if n == nil {
		return benchFile(p)
	}
	return n.value, !n.directory()
}

// serveContent answers with the whole file (200) or one range of it (206).
func serveContent(r *request, file stored, body io.ReadSeeker) error {
	size, header := file.content.size(), r.w.Header()
	if since, err := http.ParseTime(r.Header.Get("If-Unmodified-Since")); err == nil && file.modified.Truncate(time.Second).After(since) {
		return failure(http.StatusPreconditionFailed, "FAILED_PRECONDITION", "The file was modified after the time given in If-Unmodified-Since.")
	}
	from, to, ranged, err := byteRange(r.Header.Get("Range"), size)
	if err != nil {
		header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		return err
	}
	header.Set("Content-Type", "application/octet-stream")
	header.Set("Last-Modified", file.modified.UTC().Format(http.TimeFormat))
	header.Set("Accept-Ranges", "bytes")
	header.Set("Content-Length", strconv.FormatInt(to-from, 10))
	status := http.StatusOK
	if ranged {
		header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, size))
		status = http.StatusPartialContent
	}
	if r.Method == http.MethodHead {
		r.w.WriteHeader(status)
		return errWritten
	}
	if _, err := body.Seek(from, io.SeekStart); err != nil {
		return err
	}
	r.w.WriteHeader(status)
	_, _ = io.CopyN(r.w, body, to-from) // a client that went away is no fault of ours
	return errWritten
}

// byteRange reads a Range header of one range: bytes=a-b, bytes=a- or bytes=-n.
// Anything else is ignored, as HTTP allows. to is exclusive.
func byteRange(header string, size int64) (from, to int64, ranged bool, err error) {
	spec, ok := strings.CutPrefix(strings.TrimSpace(header), "bytes=")
	first, last, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return 0, size, false, nil
	}
	from, to = 0, size
	if first == "" {
		n, err := strconv.ParseInt(last, 10, 64)
		if err != nil || n < 0 {
			return 0, size, false, nil
		}
		from = max(0, size-n)
	} else {
		if from, err = strconv.ParseInt(first, 10, 64); err != nil {
			return 0, size, false, nil
		}
		if last != "" {
			n, err := strconv.ParseInt(last, 10, 64)
			if err != nil || n < from {
				return 0, size, false, nil
			}
			to = min(size, n+1)
		}
	}
	if from >= size {
		return 0, 0, false, failure(http.StatusRequestedRangeNotSatisfiable, "OUT_OF_RANGE", fmt.Sprintf("The range %s cannot be satisfied: the file has %d bytes.", header, size))
	}
	return from, to, true, nil
}

// upload stores the body. Without overwrite an existing file is replaced, as
// the API's current text has it; overwrite=false refuses.
func (f *files) upload(r *request) (any, error) {
	p, err := f.place(r, "WRITE_VOLUME")
	if err != nil {
		return nil, err
	}
	overwrite := r.URL.Query().Get("overwrite") != "false"
	if err := f.writable(p, overwrite); err != nil {
		return nil, err // before the body is read: it may be long
	}
	if r.ContentLength > largestUpload {
		return nil, failure(http.StatusRequestEntityTooLarge, "INVALID_PARAMETER_VALUE", "The file is too large: one upload takes at most 5 GiB.")
	}
	content := f.blobs.create()
	_, err = io.Copy(content, http.MaxBytesReader(r.w, r.Body, largestUpload))
	if sealed := content.seal(); err == nil {
		err = sealed
	}
	if err == nil {
		err = f.store(p, overwrite, stored{content, r.now})
	}
	if err != nil {
		content.discard()
		if _, ok := err.(*apiError); ok {
			return nil, err
		}
		return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "The body could not be read to its end: "+err.Error())
	}
	return noContent, nil
}

// writable says whether a file may be put at p.
func (f *files) writable(p place, overwrite bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conflict(p, overwrite)
}

func (f *files) conflict(p place, overwrite bool) error {
	n := f.tree(p.volume).lookup(p.within)
	switch {
	case n == nil:
		return nil
	case n.directory():
		return failure(http.StatusConflict, "ALREADY_EXISTS", "A directory exists at the path of the file: "+p.full)
	case !overwrite:
		return failure(http.StatusConflict, "ALREADY_EXISTS", "The file being created already exists: "+p.full)
	}
	return nil
}

// store puts the file in its place and makes the directories above it.
func (f *files) store(p place, overwrite bool, file stored) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.conflict(p, overwrite); err != nil { // again: the upload took its time
		return err
	}
	dir, name := dirBase(p.within)
	parent, err := f.tree(p.volume).mkdirs(dir, func(n *node[stored]) { n.value.modified = file.modified })
	if err != nil {
		return failure(http.StatusConflict, "ALREADY_EXISTS", "A file stands where a directory is needed: "+p.full)
	}
	if old := parent.children[name]; old != nil {
		old.value.content.discard()
	}
	parent.put(name, file)
	return nil
}

func (f *files) deleteFile(r *request) (any, error) {
	p, err := f.place(r, "WRITE_VOLUME")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.tree(p.volume).lookup(p.within)
	if n == nil || n.directory() {
		return nil, noFile(p.full)
	}
	n.value.content.discard()
	n.remove()
	return noContent, nil
}
