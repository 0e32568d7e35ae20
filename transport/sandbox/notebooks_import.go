package sandbox

import (
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"
)

const (
	// largestNotebook bounds JSON imports, all notebooks, and exports.
	largestNotebook = 10 << 20
	// largestFile bounds a workspace file sent as a form or raw.
	largestFile = 500 << 20
)

type importRequest struct {
	Path      string  `json:"path"`
	Content   *string `json:"content"`
	Format    string  `json:"format"`
	Language  string  `json:"language"`
	Overwrite bool    `json:"overwrite"`
}

func (nb *notebooks) importObject(r *request) (any, error) {
	nb.seed.Do(nb.plant)
	var in importRequest
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "multipart/form-data" {
		content, err := nb.readForm(r, &in)
		if err != nil {
			return nil, err
		}
		return nb.importContent(r, in, content)
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	if in.Content == nil {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "No input data source provided. Please provide content or a file.")
	}
	data, err := base64.StdEncoding.DecodeString(*in.Content)
	if err != nil {
		return nil, badArgument("content is not valid base64: " + err.Error())
	}
	if len(data) > largestNotebook {
		return nil, tooLarge(int64(len(data)))
	}
	return nb.importContent(r, in, nb.blobs.bytes(data))
}

func tooLarge(n int64) *apiError {
	return failure(http.StatusBadRequest, "MAX_NOTEBOOK_SIZE_EXCEEDED", fmt.Sprintf("File size imported is (%d bytes), exceeded max size (%d bytes)", n, largestNotebook))
}

// readForm reads the multipart form: fields, and the file part "content".
func (nb *notebooks) readForm(r *request, in *importRequest) (*blob, error) {
	malformed := func(err error) error {
		return failure(http.StatusBadRequest, "MALFORMED_REQUEST", "The form could not be read: "+err.Error())
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, malformed(err)
	}
	content := nb.blobs.create()
	got := false
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err == nil && part.FormName() == "content" {
			got = true
			_, err = io.Copy(content, http.MaxBytesReader(r.w, part, largestFile))
		} else if err == nil {
			var value []byte
			value, err = io.ReadAll(io.LimitReader(part, 4096))
			switch part.FormName() {
			case "path":
				in.Path = string(value)
			case "format":
				in.Format = string(value)
			case "language":
				in.Language = string(value)
			case "overwrite":
				in.Overwrite = string(value) == "true"
			}
		}
		if err != nil {
			content.discard()
			return nil, malformed(err)
		}
	}
	if err := content.seal(); err != nil {
		return nil, err
	}
	if !got {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "No input data source provided. Please provide content or a file.")
	}
	return content, nil
}

// importRaw is the older way to write a workspace file: raw bytes, the kind
// detected as with AUTO.
func (nb *notebooks) importRaw(r *request) (any, error) {
	nb.seed.Do(nb.plant)
	content := nb.blobs.create()
	if _, err := io.Copy(content, http.MaxBytesReader(r.w, r.Body, largestFile)); err != nil {
		content.discard()
		return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "The body could not be read to its end: "+err.Error())
	}
	if err := content.seal(); err != nil {
		return nil, err
	}
	return nb.importContent(r, importRequest{
		Path: "/" + strings.TrimPrefix(r.PathValue("path"), "/"), Format: "AUTO", Overwrite: r.URL.Query().Get("overwrite") == "true",
	}, content)
}

// importContent makes an object of what was sent and puts it in its place.
func (nb *notebooks) importContent(r *request, in importRequest, data *blob) (any, error) {
	id, kept, err := nb.place(r, in, data)
	if !kept {
		data.discard()
	}
	if err != nil {
		return nil, err
	}
	return shape{"object_id": id}, nil
}

func (nb *notebooks) place(r *request, in importRequest, data *blob) (id int64, kept bool, err error) {
	p, err := readPath(in.Path)
	if err != nil {
		return 0, false, err
	}
	if p.plain == "/" {
		return 0, false, badArgument("The root folder cannot be imported to.")
	}
	v, name, err := in.object(data)
	if err != nil {
		return 0, false, err
	}
	p.plain = path.Join(path.Dir(p.plain), name)
	nb.mu.Lock()
	defer nb.mu.Unlock()
	if err := nb.writable(r.user, p); err != nil {
		return 0, false, err
	}
	dir, _ := dirBase(p.plain)
	parent := nb.tree.lookup(dir)
	if parent == nil {
		return 0, false, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", fmt.Sprintf("The parent folder (%s) does not exist.", p.prefix+dir))
	}
	if !parent.directory() {
		return 0, false, badArgument(fmt.Sprintf("The parent (%s) is not a folder.", p.prefix+dir))
	}
	v = nb.newItem(v, r.now)
	if old := parent.children[name]; old != nil {
		switch {
		case !in.Overwrite:
			return 0, false, failure(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", fmt.Sprintf("Path (%s) already exists. Please pass overwrite=true to update it.", p))
		case old.value.kind != v.kind:
			return 0, false, badArgument(fmt.Sprintf("Cannot overwrite the asset at %s due to type mismatch (asked: %s, actual: %s).", p, v.kind, old.value.kind))
		}
		v.id, v.created = old.value.id, old.value.created
		if old.value.content != nil {
			old.value.content.discard()
		}
	}
	parent.put(name, v)
	return v.id, v.content != nil, nil
}

// object decides what the content is, and under which name it is kept: a
// notebook loses its extension when the kind is detected.
func (in *importRequest) object(data *blob) (v item, name string, err error) {
	name = path.Base(in.Path)
	text := func() (string, error) {
		if data.size() > largestNotebook {
			return "", tooLarge(data.size())
		}
		b, err := readRange(data, 0, data.size())
		return string(b), err
	}
	notebook := func(language string, read func(string) (item, error)) (item, string, error) {
		s, err := text()
		if err != nil {
			return item{}, "", err
		}
		if read != nil {
			v, err := read(s)
			return v, name, err
		}
		return item{kind: kindNotebook, language: language, source: withMarker(language, s)}, name, nil
	}
	file := func() (item, string, error) { return item{kind: kindFile, content: data}, name, nil }
	switch in.Format {
	case "", "SOURCE":
		if _, ok := commentPrefix[in.Language]; !ok {
			return item{}, "", badArgument(fmt.Sprintf("The language %q is invalid: format SOURCE needs one of PYTHON, SQL, SCALA, R.", in.Language))
		}
		return notebook(in.Language, nil)
	case "JUPYTER":
		name = strings.TrimSuffix(name, ".ipynb")
		return notebook("", fromJupyter)
	case "HTML":
		return notebook("", fromHTML)
	case "DBC":
		if in.Overwrite {
			return item{}, "", badArgument("Overwrite cannot be used for DBC format")
		}
		return notebook("", fromArchive)
	case "RAW":
		return file()
	case "AUTO":
	default:
		return item{}, "", badArgument(fmt.Sprintf("The format %q is invalid or not supported by the sandbox. Use SOURCE, AUTO, RAW, JUPYTER, HTML or DBC.", in.Format))
	}
	ext := path.Ext(name)
	if ext == ".ipynb" {
		name = strings.TrimSuffix(name, ext)
		return notebook("", fromJupyter)
	}
	language := extensionLanguage[strings.ToLower(ext)]
	if language != "" && data.size() <= largestNotebook {
		s, err := text()
		if err != nil {
			return item{}, "", err
		}
		if hasMarker(language, s) {
			name = strings.TrimSuffix(name, ext)
			return item{kind: kindNotebook, language: language, source: s}, name, nil
		}
	}
	return file()
}
