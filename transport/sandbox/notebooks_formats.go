package sandbox

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/url"
	"strings"
)

// commentPrefix starts the marker lines of a notebook's source.
var commentPrefix = map[string]string{"PYTHON": "#", "R": "#", "SQL": "--", "SCALA": "//"}

var extensionLanguage = map[string]string{".py": "PYTHON", ".sql": "SQL", ".scala": "SCALA", ".r": "R"}

var languageExtension = map[string]string{"PYTHON": "py", "SQL": "sql", "SCALA": "scala", "R": "r"}

func marker(language string) string { return commentPrefix[language] + " Databricks notebook source" }

func hasMarker(language, source string) bool {
	first, _, _ := strings.Cut(source, "\n")
	return strings.TrimRight(first, "\r ") == marker(language)
}

func withMarker(language, source string) string {
	if hasMarker(language, source) {
		return source
	}
	return marker(language) + "\n" + source
}

// cells splits a notebook's source; magic cells come without their prefix, so
// that they begin with %md, %sql and so on.
func cells(language, source string) []string {
	prefix := commentPrefix[language]
	_, body, _ := strings.Cut(withMarker(language, source), "\n")
	var out []string
	for _, cell := range strings.Split(body, prefix+" COMMAND ----------") {
		lines := strings.Split(strings.Trim(cell, "\n"), "\n")
		for i, line := range lines {
			if bare, ok := strings.CutPrefix(line, prefix+" MAGIC"); ok {
				lines[i] = strings.TrimPrefix(bare, " ")
			}
		}
		out = append(out, strings.Join(lines, "\n"))
	}
	return out
}

// sourceOf is the reverse of cells.
func sourceOf(language string, cells []string) string {
	prefix := commentPrefix[language]
	parts := make([]string, len(cells))
	for i, cell := range cells {
		if strings.HasPrefix(cell, "%") {
			lines := strings.Split(cell, "\n")
			for j, line := range lines {
				lines[j] = strings.TrimRight(prefix+" MAGIC "+line, " ")
			}
			cell = strings.Join(lines, "\n")
		}
		parts[i] = cell
	}
	return marker(language) + "\n" + strings.Join(parts, "\n\n"+prefix+" COMMAND ----------\n\n") + "\n"
}

// ipynb is what is read and written of a Jupyter notebook.
type ipynb struct {
	Cells    []ipynbCell    `json:"cells"`
	Metadata map[string]any `json:"metadata"`
	Major    int            `json:"nbformat"`
	Minor    int            `json:"nbformat_minor"`
}

type ipynbCell struct {
	Kind      string         `json:"cell_type"`
	Metadata  map[string]any `json:"metadata"`
	Source    ipynbText      `json:"source"`
	Outputs   *[]any         `json:"outputs,omitempty"` // of code cells, also when empty
	Execution *int           `json:"execution_count,omitempty"`
}

// ipynbText is a string or a list of lines.
type ipynbText string

// UnmarshalJSON accepts both forms.
func (t *ipynbText) UnmarshalJSON(b []byte) error {
	var lines []string
	if json.Unmarshal(b, &lines) == nil {
		*t = ipynbText(strings.Join(lines, ""))
		return nil
	}
	return json.Unmarshal(b, (*string)(t))
}

// MarshalJSON writes a list of lines.
func (t ipynbText) MarshalJSON() ([]byte, error) {
	return json.Marshal(strings.SplitAfter(string(t), "\n"))
}

func fromJupyter(text string) (item, error) {
	var in ipynb
	if err := json.Unmarshal([]byte(text), &in); err != nil || in.Major == 0 {
		return item{}, badArgument("The content is not a Jupyter notebook.")
	}
	language := "PYTHON"
	if info, ok := in.Metadata["language_info"].(map[string]any); ok {
		if name, ok := info["name"].(string); ok && commentPrefix[strings.ToUpper(name)] != "" {
			language = strings.ToUpper(name)
		}
	}
	var all []string
	for _, c := range in.Cells {
		cell := string(c.Source)
		if c.Kind == "markdown" {
			cell = "%md\n" + cell
		}
		all = append(all, cell)
	}
	return item{kind: kindNotebook, language: language, source: sourceOf(language, all), jupyter: true}, nil
}

func toJupyter(name string, v item) ([]byte, error) {
	out := ipynb{Major: 4, Metadata: map[string]any{
		"application/vnd.databricks.v1+notebook": map[string]any{"language": strings.ToLower(v.language), "notebookName": name},
		"language_info":                          map[string]any{"name": strings.ToLower(v.language)},
	}}
	for _, cell := range cells(v.language, v.source) {
		c := ipynbCell{Kind: "code", Metadata: map[string]any{}, Source: ipynbText(cell), Outputs: &[]any{}}
		if text, ok := strings.CutPrefix(cell, "%md"); ok {
			c = ipynbCell{Kind: "markdown", Metadata: map[string]any{}, Source: ipynbText(strings.TrimLeft(text, "\n "))}
		}
		out.Cells = append(out.Cells, c)
	}
	return json.Marshal(out)
}

// notebookModel is a notebook within an archive or an HTML export.
type notebookModel struct {
	Version  string            `json:"version"`
	Name     string            `json:"name"`
	Language string            `json:"language"`
	Commands []notebookCommand `json:"commands"`
}

type notebookCommand struct {
	Version  string  `json:"version"`
	Position float64 `json:"position"`
	Command  string  `json:"command"`
}

func model(name string, v item) notebookModel {
	m := notebookModel{Version: "NotebookV1", Name: name, Language: strings.ToLower(v.language)}
	for i, cell := range cells(v.language, v.source) {
		m.Commands = append(m.Commands, notebookCommand{"CommandV1", float64(i + 1), cell})
	}
	return m
}

func (m notebookModel) item() (item, error) {
	language := strings.ToUpper(m.Language)
	if m.Version != "NotebookV1" || commentPrefix[language] == "" {
		return item{}, badArgument("The content is not a notebook.")
	}
	var all []string
	for _, c := range m.Commands {
		all = append(all, c.Command)
	}
	return item{kind: kindNotebook, language: language, source: sourceOf(language, all)}, nil
}

// toHTML renders a notebook to look at; the model in it can be imported again.
func toHTML(name string, v item) ([]byte, error) {
	text, err := json.Marshal(model(name, v))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>%s - Databricks</title>\n<script>var __DATABRICKS_NOTEBOOK_MODEL = '%s';</script>\n</head>\n<body>\n<h1>%[1]s</h1>\n",
		html.EscapeString(name), base64.StdEncoding.EncodeToString([]byte(url.PathEscape(string(text)))))
	for _, cell := range cells(v.language, v.source) {
		fmt.Fprintf(&b, "<pre>%s</pre>\n", html.EscapeString(cell))
	}
	b.WriteString("</body>\n</html>\n")
	return b.Bytes(), nil
}

func fromHTML(text string) (item, error) {
	_, rest, found := strings.Cut(text, "__DATABRICKS_NOTEBOOK_MODEL = '")
	encoded, _, ended := strings.Cut(rest, "'")
	if !found || !ended {
		return item{}, badArgument("The content is not an HTML export of a notebook.")
	}
	var m notebookModel
	escaped, err := base64.StdEncoding.DecodeString(encoded)
	if err == nil {
		var plain string
		if plain, err = url.PathUnescape(string(escaped)); err == nil {
			err = json.Unmarshal([]byte(plain), &m)
		}
	}
	if err != nil {
		return item{}, badArgument("The content is not an HTML export of a notebook.")
	}
	return m.item()
}

// fromArchive reads a DBC archive of one notebook.
func fromArchive(text string) (item, error) {
	z, err := zip.NewReader(strings.NewReader(text), int64(len(text)))
	if err != nil {
		return item{}, badArgument("The content is not a DBC archive.")
	}
	var found *zip.File
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		if found != nil {
			return item{}, badArgument("The sandbox imports DBC archives of a single notebook only.")
		}
		found = f
	}
	if found == nil {
		return item{}, badArgument("The DBC archive is empty.")
	}
	f, err := found.Open()
	if err != nil {
		return item{}, badArgument("The DBC archive cannot be read: " + err.Error())
	}
	defer f.Close()
	var m notebookModel
	if err := json.NewDecoder(io.LimitReader(f, largestNotebook)).Decode(&m); err != nil {
		return item{}, badArgument("The DBC archive cannot be read: " + err.Error())
	}
	return m.item()
}
