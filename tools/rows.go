package tools

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// manifest is what is known of a result's columns. It is remembered, because a
// chunk comes without it.
type manifest struct {
	names, types []string
	numeric      []bool
	format       string
	totalRows    string // JSON; empty when it is not known
	limited      bool   // the workspace itself cut the result: row_limit or byte_limit
	limit        string // which one, and how to get more; empty when it is not known
}

func newManifest(v gjson.Result) manifest {
	// Strings are cloned: they are parts of the answer's text, all rows of which
	// would stay in memory with them.
	m := manifest{format: strings.Clone(v.Get("format").Str), totalRows: strings.Clone(v.Get("total_row_count").Raw), limited: v.Get("truncated").Bool()}
	eachItem(v.Get("schema.columns"), func(column gjson.Result) bool {
		m.names = append(m.names, strings.Clone(column.Get("name").Str))
		m.types = append(m.types, strings.Clone(column.Get("type_text").Str))
		m.numeric = append(m.numeric, isNumeric(column.Get("type_name").Str))
		return true
	})
	return m
}

func isNumeric(typeName string) bool {
	switch typeName {
	case "BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "DECIMAL":
		return true
	}
	return false
}

// describe adds names and types of the columns, in at most room bytes; true says
// that they had to be cut. The types of nested columns are the first to give way.
func (m manifest) describe(o *object, room int) (shortened bool) {
	var names, types object
	names.texts("columns", m.names)
	types.texts("types", m.types)
	nameList, typeList := names.buf[len(`{"columns":`):], types.buf[len(`{"types":`):]
	if shortened = len(nameList)+len(typeList) > room; shortened {
		nameList = shorten(nameList, room/4*3)
		typeList = cuts{40, every, every, deep}.append(nil, gjson.ParseBytes(typeList))
		typeList = shorten(typeList, max(room-len(nameList), room/4))
	}
	o.raw("columns", string(nameList))
	o.raw("types", string(typeList))
	return shortened
}

// manifests remembers the columns of the latest results.
type manifests struct {
	mu    sync.Mutex
	known map[string]manifest
	order []string
}

const maxManifests = 256

func (m *manifests) put(id string, value manifest) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = make(map[string]manifest)
	}
	if _, ok := m.known[id]; !ok {
		m.order = append(m.order, id)
	}
	m.known[id] = value
	if len(m.order) > maxManifests {
		delete(m.known, m.order[0])
		m.order = m.order[1:]
	}
}

func (m *manifests) get(id string) (manifest, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, ok := m.known[id]
	return value, ok
}

// chunkRows reads one chunk from a row on.
func (s *Server) chunkRows(ctx context.Context, st statement, chunk string, skip int) ([]byte, error) {
	index, err := strconv.ParseInt(chunk, 10, 64)
	if err != nil || index < 0 {
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("sql_get_statement: page_token %q is not one of this tool's", chunk),
			Advice: "Pass next_page_token of the last answer as it is. Nothing was sent."}
	}
	result, err := s.chunk(ctx, st, index)
	if err != nil {
		return nil, err
	}
	s.manifests.put(st.id, st.manifest)
	return s.rows(ctx, st, result, index, skip)
}

func (s *Server) chunk(ctx context.Context, st statement, index int64) (gjson.Result, error) {
	var args object
	args.text("statement_id", st.id)
	args.integer("chunk_index", index)
	call, err := catalog.GetStatementChunk.Bind(args.bytes())
	if err != nil {
		return gjson.Result{}, err
	}
	answer, err := s.ask(ctx, call)
	if err != nil {
		return gjson.Result{}, err
	}
	return parse(answer.Body), nil
}

// rows answers with the rows of one chunk, from row skip on, as far as the budget
// goes.
func (s *Server) rows(ctx context.Context, st statement, result gjson.Result, index int64, skip int) ([]byte, error) {
	var head object
	head.text("state", st.state)
	head.text("statement_id", st.id)
	shortened := st.manifest.describe(&head, s.budget/2)
	head.untrusted("rows")
	head.name("rows")
	head.buf = slices.Grow(head.buf, min(len(result.Raw), s.budget)+1024)
	w := rowWriter{manifest: st.manifest, out: append(head.buf, '['), skip: skip, limit: s.budget, shortened: shortened}

	next := result.Get("next_chunk_index")
	if links := result.Get("external_links"); links.IsArray() && len(links.Array()) > 0 {
		link := links.Array()[0]
		next = link.Get("next_chunk_index")
		if st.manifest.format == "ARROW_STREAM" {
			return nil, &catalog.Error{Kind: catalog.Invalid, Message: "statement " + st.id + " succeeded, but its rows are ARROW_STREAM, which is no text",
				Advice: "Run it with format JSON_ARRAY or CSV to read the rows here."}
		}
		if err := s.linkRows(ctx, st, index, link, &w); err != nil {
			return nil, err
		}
	} else {
		eachItem(result.Get("data_array"), w.row)
	}

	if w.skip > 0 { // results do not change: no answer gave this token
		return nil, behindEnd(st.call())
	}
	o := object{buf: append(w.out, ']')}
	o.integer("returned", int64(w.returned))
	more := w.full || next.Exists()
	o.boolean("truncated", more || st.manifest.limited)
	if st.manifest.totalRows != "" {
		o.raw("total_rows", st.manifest.totalRows)
	}
	if w.shortened {
		o.shortened(rowNote)
	}
	switch {
	case w.full:
		page := catalog.Page{Skip: skip + w.returned}
		if index > 0 {
			page.Token = strconv.FormatInt(index, 10)
		}
		o.text("next_page_token", page.String())
	case next.Exists():
		o.raw("next_chunk_index", next.Raw)
		o.text("next_page_token", next.Raw)
	}
	if st.manifest.limited { // on every page: total_rows is that of the cut result
		o.text("limited_by", cmp.Or(st.manifest.limit, "row_limit or byte_limit of the statement"))
	}
	return o.bytes(), nil
}

// linkRows reads a chunk behind a presigned link. An expired link is asked for
// once more.
func (s *Server) linkRows(ctx context.Context, st statement, index int64, link gjson.Result, w *rowWriter) error {
	for attempt := 0; ; attempt++ {
		headers := map[string]string{}
		link.Get("http_headers").ForEach(func(key, value gjson.Result) bool {
			headers[key.Str] = value.Str
			return true
		})
		body, err := s.links.Link(ctx, link.Get("external_link").Str, headers)
		if err == nil {
			defer body.Close()
			return w.readFrom(body, st, index)
		}
		if attempt > 0 || !errors.Is(err, catalog.ErrLinkExpired) {
			return err
		}
		result, chunkErr := s.chunk(ctx, st, index)
		if chunkErr != nil {
			return chunkErr
		}
		link = result.Get("external_links.0")
	}
}

// rowWriter appends rows until the budget is used up.
type rowWriter struct {
	manifest  manifest
	out       []byte
	skip      int // rows still to pass over
	limit     int
	returned  int
	full      bool
	shortened bool
}

// row appends one row, a JSON array of strings and nulls; false means that it,
// and so every further one, does not fit.
func (w *rowWriter) row(row gjson.Result) bool {
	if w.skip > 0 {
		w.skip--
		return true
	}
	before := len(w.out)
	if w.returned > 0 {
		w.out = append(w.out, ',')
	}
	start := len(w.out)
	w.out = append(w.out, '[')
	column := 0
	eachItem(row, func(cell gjson.Result) bool {
		if column > 0 {
			w.out = append(w.out, ',')
		}
		if column < len(w.manifest.numeric) && w.manifest.numeric[column] && isExactNumber(cell.Str) {
			w.out = append(w.out, cell.Str...)
		} else {
			w.out = append(w.out, cell.Raw...)
		}
		column++
		return true
	})
	w.out = append(w.out, ']')
	if len(w.out) > w.limit {
		if w.returned > 0 {
			w.out, w.full = w.out[:before], true
			return false
		}
		// A single row above the budget is shown shortened: every call must get on.
		w.out = append(w.out[:start], shorten(w.out[start:], w.limit-start)...)
		w.shortened = true
	}
	w.returned++
	return true
}

// readFrom reads the rows of an external chunk as a stream.
func (w *rowWriter) readFrom(body io.Reader, st statement, index int64) error {
	broken := func(err error) error {
		return &catalog.Error{Kind: catalog.Down, Message: "statement " + st.id + ": the stored result could not be read to its end",
			Advice: "Ask for the same rows again with sql_get_statement.", RequestID: st.requestID, Err: err}
	}
	if st.manifest.format == "CSV" {
		return w.readCSV(body, index == 0, broken)
	}
	decoder := json.NewDecoder(bufio.NewReaderSize(body, 64<<10))
	if token, err := decoder.Token(); err != nil || token != json.Delim('[') {
		return broken(err)
	}
	for decoder.More() {
		var row json.RawMessage
		if err := decoder.Decode(&row); err != nil {
			return broken(err)
		}
		if !w.row(gjson.ParseBytes(row)) {
			return nil
		}
	}
	if _, err := decoder.Token(); err != nil {
		return broken(err)
	}
	return nil
}

// readCSV reads rows of CSV; only the first chunk begins with the names. NULL is
// the word null there, as is the string: NULL is by far the likelier.
func (w *rowWriter) readCSV(body io.Reader, named bool, broken func(error) error) error {
	reader := csv.NewReader(body)
	reader.ReuseRecord = true
	if named {
		if _, err := reader.Read(); err != nil && err != io.EOF {
			return broken(err)
		}
	}
	for {
		record, err := reader.Read()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return broken(err)
		}
		row := []byte{'['}
		for i, cell := range record {
			if i > 0 {
				row = append(row, ',')
			}
			if cell == "null" {
				row = append(row, cell...)
			} else {
				row = appendText(row, cell)
			}
		}
		if !w.row(gjson.ParseBytes(append(row, ']'))) {
			return nil
		}
	}
}

// isExactNumber reports whether s is a JSON number that a double holds as it
// stands: its digits are those of the shortest form of that double.
func isExactNumber(s string) bool {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') || !gjson.Valid(s) {
		return false
	}
	digits := significant(s)
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f == 0 {
		return err == nil && digits == ""
	}
	return len(digits) <= 15 || digits == significant(strconv.FormatFloat(f, 'e', -1, 64))
}

// significant are the digits of a number without sign, point, exponent and the
// zeros at either end.
func significant(number string) string {
	mantissa := strings.TrimPrefix(number, "-")
	if e := strings.IndexAny(mantissa, "eE"); e >= 0 {
		mantissa = mantissa[:e]
	}
	return strings.Trim(strings.Replace(mantissa, ".", "", 1), "0")
}
