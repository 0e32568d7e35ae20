package sandbox

import (
	"fmt"
	"net/http"
	"strconv"
)

func noDirectory(path string) *apiError {
	return failure(http.StatusNotFound, "NOT_FOUND", "The directory being accessed is not found: "+path)
}

// list answers one page of a directory; it is not recursive.
func (f *files) list(r *request) (any, error) {
	p, err := f.place(r, "READ_VOLUME")
	if err != nil {
		return nil, err
	}
	const longest = 1000
	limit := longest
	if text := r.URL.Query().Get("page_size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, badArgument("Invalid value for page_size: " + text)
		}
		if n > 0 {
			limit = min(n, longest)
		}
	}
	after, err := openToken(r.URL)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.tree(p.volume).lookup(p.within)
	if n == nil || !n.directory() {
		return r.refuse(http.StatusNotFound, "NOT_FOUND", "FILES_API_DIRECTORY_IS_NOT_FOUND", noDirectory(p.full).message)
	}
	body, entries := shape{}, []shape(nil)
	for _, c := range n.list() {
		if after != "" && c.name <= after {
			continue
		}
		if len(entries) == limit {
			body["next_page_token"] = sealToken(r.URL, entries[limit-1]["name"].(string))
			break
		}
		entry := shape{"name": c.name, "path": p.full + "/" + c.name, "last_modified": c.value.modified.UnixMilli()}
		if c.directory() {
			entry["is_directory"] = true
		} else if size := c.value.content.size(); size > 0 {
			entry["file_size"] = size // absent for empty files
		}
		entries = append(entries, entry)
	}
	if entries != nil {
		body["contents"] = entries
	}
	return body, nil
}

func (f *files) checkDirectory(r *request) (any, error) {
	p, err := f.place(r, "READ_VOLUME")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.tree(p.volume).lookup(p.within); n == nil || !n.directory() {
		return nil, noDirectory(p.full)
	}
	r.w.WriteHeader(http.StatusOK)
	return nil, errWritten
}

func (f *files) makeDirectory(r *request) (any, error) {
	p, err := f.place(r, "WRITE_VOLUME")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.tree(p.volume).mkdirs(p.within, func(n *node[stored]) { n.value.modified = r.now }); err != nil {
		return nil, failure(http.StatusConflict, "ALREADY_EXISTS", "A file stands where a directory is needed: "+p.full)
	}
	return noContent, nil
}

func (f *files) deleteDirectory(r *request) (any, error) {
	p, err := f.place(r, "WRITE_VOLUME")
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.tree(p.volume).lookup(p.within)
	switch {
	case n == nil || !n.directory():
		return r.refuse(http.StatusNotFound, "NOT_FOUND", "FILES_API_DIRECTORY_IS_NOT_FOUND", noDirectory(p.full).message)
	case n.parent == nil:
		return nil, badArgument("The root of a volume cannot be deleted; delete the volume.")
	case len(n.children) > 0:
		return r.refuse(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "FILES_API_DIRECTORY_IS_NOT_EMPTY",
			fmt.Sprintf("The directory being deleted is not empty: %s", p.full))
	}
	n.remove()
	return noContent, nil
}
