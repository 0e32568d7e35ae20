package sandbox

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// export answers an object in a format: JSON with base64, or the bytes
// themselves with direct_download.
func (nb *notebooks) export(r *request) (any, error) {
	nb.seed.Do(nb.plant)
	query := r.URL.Query()
	p, err := readPath(query.Get("path"))
	if err != nil {
		return nil, err
	}
	direct, err := r.bool("direct_download")
	if err != nil {
		return nil, err
	}
	format := query.Get("format")
	if format == "" {
		format = "SOURCE"
	}
	if !slices.Contains([]string{"SOURCE", "HTML", "JUPYTER", "DBC", "AUTO", "RAW"}, format) {
		return nil, badArgument(fmt.Sprintf("The format %q is invalid or not supported by the sandbox. Use SOURCE, HTML, JUPYTER, DBC, AUTO or RAW.", format))
	}
	data, fileType, err := nb.exported(r, p, format, direct)
	if err != nil {
		return nil, err
	}
	if c, ok := data.(content); ok { // a file, straight through
		return nil, nb.download(r, c)
	}
	b := data.([]byte)
	if len(b) > largestNotebook {
		return nil, exportTooLarge(int64(len(b)))
	}
	if direct {
		return nil, nb.download(r, nb.blobs.bytes(b))
	}
	return shape{"content": base64.StdEncoding.EncodeToString(b), "file_type": fileType}, nil
}

func exportTooLarge(n int64) *apiError {
	return failure(http.StatusBadRequest, "MAX_NOTEBOOK_SIZE_EXCEEDED", fmt.Sprintf("The size of the export is (%d bytes), exceeded max size (%d bytes)", n, largestNotebook))
}

func (nb *notebooks) download(r *request, c content) error {
	body, err := c.open()
	if err != nil {
		return err
	}
	defer body.Close()
	r.w.Header().Set("Content-Type", "application/octet-stream")
	r.w.Header().Set("Content-Length", strconv.FormatInt(c.size(), 10))
	r.w.WriteHeader(http.StatusOK)
	_, _ = io.Copy(r.w, body) // a client that went away is no fault of ours
	return errWritten
}

// exported renders the object at p: []byte, or the content of a file that is
// downloaded as it is.
func (nb *notebooks) exported(r *request, p wsPath, format string, direct bool) (data any, fileType string, err error) {
	nb.mu.Lock()
	defer nb.mu.Unlock()
	n, err := nb.at(r.user, p)
	if err != nil {
		return nil, "", err
	}
	v := n.value
	switch v.kind {
	case kindRepo:
		return nil, "", badArgument(fmt.Sprintf("Objects of type REPO cannot be exported: %s", p))
	case kindFile:
		if format == "HTML" || format == "JUPYTER" || format == "DBC" {
			return nil, "", badArgument(fmt.Sprintf("The format %s does not apply to the file %s. Use AUTO.", format, p))
		}
		if direct {
			return v.content, "", nil
		}
		if v.content.size() > largestNotebook {
			return nil, "", exportTooLarge(v.content.size())
		}
		b, err := readRange(v.content, 0, v.content.size())
		_, ext, _ := strings.Cut(n.name, ".")
		return b, ext, err
	case kindDirectory:
		switch format {
		case "DBC", "SOURCE":
			data, err = nb.archive(r.user, n, format, false)
		case "AUTO":
			data, err = nb.archive(r.user, n, "SOURCE", true)
		default:
			return nil, "", badArgument(fmt.Sprintf("The format %s does not apply to folders. Use SOURCE, DBC or AUTO.", format))
		}
		return data, map[bool]string{true: "dbc", false: "zip"}[format == "DBC"], err
	}
	if format == "AUTO" || format == "RAW" {
		format = "SOURCE"
		if v.jupyter {
			format = "JUPYTER"
		}
	}
	b, fileType, err := render(n.name, v, format)
	return b, fileType, err
}

// render writes a notebook in a format.
func render(name string, v item, format string) (b []byte, fileType string, err error) {
	switch format {
	case "HTML":
		b, err = toHTML(name, v)
		return b, "html", err
	case "JUPYTER":
		b, err = toJupyter(name, v)
		return b, "ipynb", err
	case "DBC":
		var buf bytes.Buffer
		z := zip.NewWriter(&buf)
		err = addModel(z, name, v)
		if closed := z.Close(); err == nil {
			err = closed
		}
		return buf.Bytes(), "dbc", err
	}
	return []byte(v.source), languageExtension[v.language], nil
}

func addModel(z *zip.Writer, path string, v item) error {
	w, err := z.Create(path + "." + strings.ToLower(v.language))
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(model(path[strings.LastIndexByte(path, '/')+1:], v))
}

// archive packs the notebooks below a folder, on request the files too.
func (nb *notebooks) archive(user *principal, dir *node[item], format string, files bool) ([]byte, error) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	var failed error
	dir.walk(func(n *node[item]) {
		if failed != nil || access(user, n.path()) < canRead {
			return
		}
		name := strings.TrimPrefix(strings.TrimPrefix(n.path(), dir.path()), "/")
		switch {
		case n.value.kind == kindNotebook && format == "DBC":
			failed = addModel(z, name, n.value)
		case n.value.kind == kindNotebook:
			w, err := z.Create(name + "." + languageExtension[n.value.language])
			if err == nil {
				_, err = io.WriteString(w, n.value.source)
			}
			failed = err
		case n.value.kind == kindFile && files:
			b, err := readRange(n.value.content, 0, n.value.content.size())
			if err == nil {
				var w io.Writer
				if w, err = z.Create(name); err == nil {
					_, err = w.Write(b)
				}
			}
			failed = err
		}
	})
	if closed := z.Close(); failed == nil {
		failed = closed
	}
	return buf.Bytes(), failed
}
