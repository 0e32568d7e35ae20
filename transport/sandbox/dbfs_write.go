package sandbox

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
)

// put writes a file in one call: base64 in JSON up to dbfsBlock, or a larger
// one as a form.
func (d *dbfs) put(r *request) (any, error) {
	d.seed.Do(d.plant)
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		return d.putForm(r)
	}
	var in struct {
		Path      string `json:"path"`
		Contents  string `json:"contents"`
		Overwrite bool   `json:"overwrite"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	data, err := decodeBlock("contents", in.Contents)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return nil, d.store(r, in.Path, in.Overwrite, d.blobs.bytes(data))
}

// decodeBlock decodes base64 and applies the size limit.
func decodeBlock(field, text string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, badArgument(field + " is not valid base64: " + err.Error())
	}
	if len(data) > dbfsBlock {
		return nil, failure(http.StatusBadRequest, "MAX_BLOCK_SIZE_EXCEEDED",
			fmt.Sprintf("The block has %d bytes, which exceeds the maximum of %d bytes. Use create, add-block and close for larger files.", len(data), dbfsBlock))
	}
	return data, nil
}

// putForm reads path and overwrite, which precede the file part.
func (d *dbfs) putForm(r *request) (any, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "The form could not be read: "+err.Error())
	}
	fields := map[string]string{}
	var content *blob
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "The form could not be read: "+err.Error())
		}
		if part.FormName() != "contents" {
			value, err := io.ReadAll(io.LimitReader(part, 4096))
			if err != nil {
				return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "The form could not be read: "+err.Error())
			}
			fields[part.FormName()] = string(value)
			continue
		}
		content = d.blobs.create()
		if _, err := io.Copy(content, part); err != nil {
			content.discard()
			return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "The form could not be read: "+err.Error())
		}
	}
	if content == nil {
		return nil, badArgument("Missing required field: contents")
	}
	if err := content.seal(); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	err = d.store(r, fields["path"], fields["overwrite"] == "true", content)
	if err != nil {
		content.discard()
	}
	return nil, err
}

// store puts a content at a path and makes the directories above it.
func (d *dbfs) store(r *request, at string, overwrite bool, content *blob) error {
	p, err := dbfsPath(at)
	if err != nil {
		return err
	}
	old := d.files.lookup(p)
	if old != nil && (old.directory() || !overwrite) {
		return dbfsExists(p)
	}
	dir, name := dirBase(p)
	parent, err := d.files.mkdirs(dir, func(n *node[stored]) { n.value.modified = r.now })
	if err != nil {
		return dbfsExists(dir)
	}
	if old != nil {
		old.value.content.discard()
	}
	parent.put(name, stored{content, r.now})
	return nil
}

// create opens a handle. With overwrite the old content is gone at once.
func (d *dbfs) create(r *request) (any, error) {
	var in struct {
		Path      string `json:"path"`
		Overwrite bool   `json:"overwrite"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if err := d.store(r, in.Path, in.Overwrite, d.blobs.bytes(nil)); err != nil {
		return nil, err
	}
	p, err := dbfsPath(in.Path)
	if err != nil {
		return nil, err
	}
	d.next++
	d.handles[d.next] = &dbfsHandle{path: p, content: d.blobs.create(), used: r.now}
	return shape{"handle": d.next}, nil
}

// handle finds an open handle; those idle for too long are gone.
func (d *dbfs) handle(r *request, id int64) (*dbfsHandle, error) {
	for id, h := range d.handles {
		if r.now.Sub(h.used) > handleIdle {
			h.content.discard()
			delete(d.handles, id)
		}
	}
	h := d.handles[id]
	if h == nil {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf("No handle %d exists: it was closed or has expired.", id))
	}
	h.used = r.now
	return h, nil
}

func (d *dbfs) addBlock(r *request) (any, error) {
	var in struct {
		Handle int64  `json:"handle"`
		Data   string `json:"data"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	h, err := d.handle(r, in.Handle)
	if err != nil {
		return nil, err
	}
	data, err := decodeBlock("data", in.Data)
	if err != nil {
		return nil, err
	}
	_, err = h.content.Write(data)
	return nil, err
}

func (d *dbfs) closeHandle(r *request) (any, error) {
	var in struct {
		Handle int64 `json:"handle"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	h, err := d.handle(r, in.Handle)
	if err != nil {
		return nil, err
	}
	delete(d.handles, in.Handle)
	if err := h.content.seal(); err != nil {
		return nil, err
	}
	if err := d.store(r, h.path, true, h.content); err != nil {
		h.content.discard()
		return nil, err
	}
	return nil, nil
}
