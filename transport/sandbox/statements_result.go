package sandbox

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"brickmcp/transport/sandbox/engine"
)

const (
	inlineLimit = 25 << 20
	chunkRows   = 5000
	chunkBytes  = 1 << 20
)

var (
	errTruncated   = errors.New("the result is cut at its limit")
	errInlineLimit = fmt.Errorf("Inline byte limit exceeded. Statements executed with disposition=INLINE can have a result size of at most %d bytes. Please execute the statement with disposition=EXTERNAL_LINKS if you want to download the full result.", inlineLimit) //lint:ignore ST1005 the service's own words
)

// result collects the rows of a statement (engine.Sink), encoded as they will
// be sent, in chunks behind one another in one content.
type result struct {
	in      *executeRequest
	columns []engine.Column
	content *blob

	chunks    []resultChunk
	open      bytes.Buffer // the chunk being filled
	openRows  int64
	rows      int64
	bytes     int64
	truncated bool
	csv       *csv.Writer
	record    []string
}

type resultChunk struct {
	at, size       int64 // in the content
	offset, length int64 // rows
}

func newResult(in *executeRequest, content *blob) *result {
	rs := &result{in: in, content: content}
	if in.Format == "CSV" {
		rs.csv = csv.NewWriter(&rs.open)
	}
	return rs
}

// Columns implements engine.Sink.
func (rs *result) Columns(columns []engine.Column) error {
	rs.columns = append([]engine.Column(nil), columns...)
	if rs.csv != nil { // the header is in the first chunk only
		for _, c := range columns {
			rs.record = append(rs.record, c.Name)
		}
		return rs.csv.Write(rs.record)
	}
	return nil
}

// Row implements engine.Sink.
func (rs *result) Row(cells []engine.Cell) error {
	if rs.in.RowLimit > 0 && rs.rows == rs.in.RowLimit {
		rs.truncated = true
		return errTruncated
	}
	before := rs.open.Len()
	if rs.csv != nil {
		rs.record = rs.record[:0]
		for _, c := range cells {
			if c.Null {
				c.Text = "null"
			}
			rs.record = append(rs.record, c.Text)
		}
		if err := rs.csv.Write(rs.record); err != nil {
			return err
		}
		rs.csv.Flush()
	} else {
		rs.appendJSON(cells)
	}
	grown := int64(rs.open.Len() - before)
	if rs.in.ByteLimit > 0 && rs.bytes+grown > rs.in.ByteLimit {
		rs.open.Truncate(before)
		rs.truncated = true
		return errTruncated
	}
	rs.bytes += grown
	rs.rows++
	rs.openRows++
	if rs.in.Disposition == "INLINE" && rs.bytes > inlineLimit {
		return errInlineLimit
	}
	if rs.openRows == chunkRows || rs.open.Len() >= chunkBytes {
		return rs.flush()
	}
	return nil
}

func (rs *result) appendJSON(cells []engine.Cell) {
	b := rs.open.AvailableBuffer()
	if rs.openRows == 0 {
		b = append(b, '[')
	} else {
		b = append(b, ',')
	}
	b = append(b, '[')
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		if c.Null {
			b = append(b, "null"...)
		} else {
			b = appendString(b, c.Text)
		}
	}
	rs.open.Write(append(b, ']'))
}

// appendString appends a JSON string; most cells need no escaping.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a string always encodes
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// flush ends the open chunk.
func (rs *result) flush() error {
	if rs.openRows == 0 && rs.csv == nil {
		return nil
	}
	if rs.csv == nil {
		rs.open.WriteByte(']')
	} else {
		rs.csv.Flush()
	}
	rs.chunks = append(rs.chunks, resultChunk{at: rs.content.size(), size: int64(rs.open.Len()), offset: rs.rows - rs.openRows, length: rs.openRows})
	_, err := rs.content.Write(rs.open.Bytes())
	rs.open.Reset()
	rs.openRows = 0
	return err
}

// finish ends the result. A result without rows has no chunk.
func (rs *result) finish() error {
	if rs.openRows > 0 {
		if err := rs.flush(); err != nil {
			return err
		}
	}
	rs.open = bytes.Buffer{}
	return rs.content.seal()
}

// manifest describes the result.
type manifest struct {
	Format    string          `json:"format"`
	Schema    resultSchema    `json:"schema"`
	Chunks    int             `json:"total_chunk_count"`
	List      []manifestChunk `json:"chunks,omitempty"`
	Rows      int64           `json:"total_row_count"`
	Bytes     int64           `json:"total_byte_count,omitempty"`
	Truncated bool            `json:"truncated"`
}

type resultSchema struct {
	Count   int            `json:"column_count"`
	Columns []resultColumn `json:"columns,omitempty"`
}

type resultColumn struct {
	Name         string      `json:"name"`
	TypeText     string      `json:"type_text"`
	TypeName     engine.Kind `json:"type_name"`
	Position     int         `json:"position"`
	Precision    int         `json:"type_precision,omitempty"`
	Scale        *int        `json:"type_scale,omitempty"`
	IntervalType string      `json:"type_interval_type,omitempty"`
}

type manifestChunk struct {
	Index  int   `json:"chunk_index"`
	Offset int64 `json:"row_offset"`
	Rows   int64 `json:"row_count"`
	Bytes  int64 `json:"byte_count,omitempty"`
}

func (rs *result) manifest() *manifest {
	m := &manifest{
		Format: rs.in.Format, Chunks: len(rs.chunks), Rows: rs.rows, Truncated: rs.truncated,
		Schema: resultSchema{Count: len(rs.columns)},
	}
	for i, c := range rs.columns {
		col := resultColumn{Name: c.Name, TypeText: c.Type.String(), TypeName: c.Type.Kind, Position: i, IntervalType: c.Type.Unit}
		if c.Type.Kind == engine.Decimal {
			col.Precision, col.Scale = c.Type.Precision, &c.Type.Scale
		}
		m.Schema.Columns = append(m.Schema.Columns, col)
	}
	external := rs.in.Disposition == "EXTERNAL_LINKS"
	for i, c := range rs.chunks {
		chunk := manifestChunk{Index: i, Offset: c.offset, Rows: c.length}
		if external {
			chunk.Bytes = c.size
			m.Bytes += c.size
		}
		m.List = append(m.List, chunk)
	}
	return m
}
