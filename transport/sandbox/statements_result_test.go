package sandbox

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"brickmcp/transport/sandbox/engine"
)

// collect feeds n rows of (number, text) into a result.
func collect(t *testing.T, in executeRequest, n int, text string) (*result, error) {
	t.Helper()
	if in.Format == "" {
		in.Format = "JSON_ARRAY"
	}
	rs := newResult(&in, (&blobs{}).create())
	if err := rs.Columns([]engine.Column{{Name: "n", Type: engine.Scalar(engine.Long)}, {Name: "s", Type: engine.DecimalOf(10, 0)}}); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		cells := []engine.Cell{{Null: true}, {Text: text}}
		if i%2 == 0 {
			cells[0] = engine.Cell{Text: "1"}
		}
		if err := rs.Row(cells); err != nil {
			return rs, err
		}
	}
	return rs, rs.finish()
}

func chunkText(t *testing.T, rs *result, i int) string {
	t.Helper()
	b, err := readRange(rs.content, rs.chunks[i].at, rs.chunks[i].size)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestResultChunks(t *testing.T) {
	rs, err := collect(t, executeRequest{}, chunkRows+2, "a\"\\\n\u2028é")
	if err != nil || len(rs.chunks) != 2 {
		t.Fatalf("%d chunks, %v", len(rs.chunks), err)
	}
	rows := 0
	for i, c := range rs.chunks {
		var data [][]*string
		if err := json.Unmarshal([]byte(chunkText(t, rs, i)), &data); err != nil {
			t.Fatal(err)
		}
		if int64(len(data)) != c.length || c.offset != int64(rows) {
			t.Errorf("chunk %d: %d rows, said %d at %d", i, len(data), c.length, c.offset)
		}
		rows += len(data)
		if *data[0][0] != "1" || data[1][0] != nil || *data[1][1] != "a\"\\\n\u2028é" {
			t.Errorf("chunk %d: %v", i, data[:2])
		}
	}
	m := rs.manifest()
	if rows != chunkRows+2 || m.Rows != int64(rows) || m.Chunks != 2 || m.Truncated || m.Bytes != 0 {
		t.Errorf("%d rows, %+v", rows, m)
	}
	if rs, _ = collect(t, executeRequest{}, 3, strings.Repeat("x", chunkBytes)); len(rs.chunks) != 3 {
		t.Errorf("large rows come in %d chunks", len(rs.chunks))
	}
	if rs, _ = collect(t, executeRequest{}, 0, ""); len(rs.chunks) != 0 || rs.manifest().Chunks != 0 {
		t.Error("no rows, no chunk")
	}
}

func TestResultCSV(t *testing.T) {
	rs, err := collect(t, executeRequest{Format: "CSV", Disposition: "EXTERNAL_LINKS"}, chunkRows+1, "a,\"b\"")
	if err != nil {
		t.Fatal(err)
	}
	if first := chunkText(t, rs, 0); !strings.HasPrefix(first, "n,s\n1,\"a,\"\"b\"\"\"\nnull,") {
		t.Errorf("first chunk: %.60q", first)
	}
	if second := chunkText(t, rs, 1); second != "1,\"a,\"\"b\"\"\"\n" {
		t.Errorf("second chunk: %q", second) // no header
	}
}

func TestResultLimits(t *testing.T) {
	rs, err := collect(t, executeRequest{RowLimit: 3}, 10, "x")
	if !errors.Is(err, errTruncated) || rs.rows != 3 || !rs.truncated {
		t.Errorf("row_limit: %d rows, %v", rs.rows, err)
	}
	if rs, err = collect(t, executeRequest{RowLimit: 3}, 3, "x"); err != nil || rs.truncated {
		t.Errorf("exactly row_limit rows are not cut: %v", err)
	}
	if rs, err = collect(t, executeRequest{ByteLimit: 40}, 10, "0123456789"); !errors.Is(err, errTruncated) || rs.rows != 2 {
		t.Errorf("byte_limit: %d rows, %v", rs.rows, err)
	}
	if _, err = collect(t, executeRequest{Disposition: "INLINE"}, 30, strings.Repeat("x", 1<<20)); !errors.Is(err, errInlineLimit) {
		t.Errorf("inline: %v", err)
	}
	if rs, err = collect(t, executeRequest{Disposition: "EXTERNAL_LINKS"}, 30, strings.Repeat("x", 1<<20)); err != nil || rs.rows != 30 {
		t.Errorf("external: %v", err)
	}
	rs.content.discard()
}
