package tools

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// TestCSVChunks: only the first chunk begins with the names, and null is NULL.
func TestCSVChunks(t *testing.T) {
	chunks := []string{"n,d,s\n1,1.50,\"a,\"\"b\"\"\"\n2,null,null\n", "3,0.10,\"line\nend\"\n4,2,\n"}
	api := answering(
		fmt.Sprintf(`{"statement_id":"st-1","status":{"state":"SUCCEEDED"},`+strings.Replace(columns, "JSON_ARRAY", "CSV", 1)+`,"result":{"external_links":[{"external_link":"https://store/0","next_chunk_index":1}]}}`, 4),
		`{"external_links":[{"external_link":"https://store/1"}]}`,
	)
	api.link = func(url string) (string, error) { return chunks[url[len(url)-1]-'0'], nil }
	s := newServer(t, api, nil)
	text := succeed(t, s, "sql_execute_statement", `{"statement":"x","warehouse_id":"w"}`)
	if got, want := gjson.Get(text, "rows").Raw, `[[1,1.50,"a,\"b\""],[2,null,null]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	text = succeed(t, s, "sql_get_statement", fmt.Sprintf(`{"statement_id":"st-1","page_token":%q}`, gjson.Get(text, "next_page_token").Str))
	if got, want := gjson.Get(text, "rows").Raw, `[[3,0.10,"line\nend"],[4,2,""]]`; got != want || gjson.Get(text, "truncated").Bool() {
		t.Errorf("got %s, want %s", text, want)
	}
}

// TestBrokenLinks: half a chunk is never taken for a whole one.
func TestBrokenLinks(t *testing.T) {
	for format, bodies := range map[string][]string{
		"JSON_ARRAY": {``, `{}`, `[["1"],["2"`, `[["1"]`, `<html>`},
		"CSV":        {"n,d,s\n1,2\n", "n,d,s\n1,2,\"open\n"},
	} {
		for _, body := range bodies {
			api := answering(fmt.Sprintf(`{"statement_id":"st-1","status":{"state":"SUCCEEDED"},`+strings.Replace(columns, "JSON_ARRAY", format, 1)+`,"result":{"external_links":[{"external_link":"https://store/secret-signature"}]}}`, 4))
			api.link = func(string) (string, error) { return body, nil }
			text, failed := ask(t, newServer(t, api, nil), "sql_execute_statement", `{"statement":"x","warehouse_id":"w"}`)
			if !failed || gjson.Get(text, "error.kind").Str != string(catalog.Down) || strings.Contains(text, "secret") {
				t.Errorf("%s %q: %s", format, body, text)
			}
		}
	}
}

// TestWideResults: names, types and cells of any length stay within the budget,
// and every row is counted.
func TestWideResults(t *testing.T) {
	manifest := func(columns, nameSize, typeSize int) string {
		var list []string
		for i := range columns {
			list = append(list, fmt.Sprintf(`{"name":"c%d%s","type_name":"STRING","type_text":"STRUCT<%s>"}`, i, strings.Repeat("n", nameSize), strings.Repeat("t", typeSize)))
		}
		return `"manifest":{"format":"JSON_ARRAY","total_row_count":3,"schema":{"columns":[` + strings.Join(list, ",") + `]}}`
	}
	for _, c := range []struct {
		name                               string
		columns, nameSize, typeSize, cells int
		shortened                          bool
	}{
		{"normal", 5, 5, 5, 5, false},
		{"long types", 50, 5, 3000, 5, true},
		{"many columns", 5000, 5, 5, 5, true},
		{"long names", 10, 9000, 5, 5, true},
		{"long cells", 3, 5, 5, 90000, true},
		{"everything long", 200, 500, 5000, 500, true},
	} {
		for _, tokens := range []int{500, 8000} {
			row := `["` + strings.Repeat(strings.Repeat("v", c.cells)+`","`, c.columns-1) + `"]`
			body := `{"statement_id":"st-1","status":{"state":"SUCCEEDED"},` + manifest(c.columns, c.nameSize, c.typeSize) + `,"result":{"data_array":[` + row + `,` + row + `,` + row + `]}}`
			s := newServer(t, answering(body, body, body), func(cfg *Config) { cfg.ResultTokens = tokens })
			tool, arguments, rows := "sql_execute_statement", `{"statement":"x","warehouse_id":"w"}`, 0
			for {
				text := succeed(t, s, tool, arguments)
				if len(text) > tokens*4+300 {
					t.Errorf("%s at %d: %d bytes", c.name, tokens, len(text))
				}
				if c.shortened && (!gjson.Get(text, "shortened").Bool() || gjson.Get(text, "note").Str == "") || !c.shortened && strings.Contains(text, "shortened") {
					t.Errorf("%s at %d: %.100s … %s", c.name, tokens, text, text[max(0, len(text)-300):])
				}
				n := int(gjson.Get(text, "returned").Int())
				if n != len(gjson.Get(text, "rows").Array()) || n == 0 {
					t.Fatalf("%s: returned %d: %.300s", c.name, n, text)
				}
				rows += n
				token := gjson.Get(text, "next_page_token").Str
				if token == "" {
					break
				}
				tool, arguments = "sql_get_statement", fmt.Sprintf(`{"statement_id":"st-1","page_token":%q}`, token)
			}
			if rows != 3 {
				t.Errorf("%s: %d rows", c.name, rows)
			}
		}
	}
}

// TestManifestsHoldNoRows: what is remembered of many results is small, however
// large they were.
func TestManifestsHoldNoRows(t *testing.T) {
	rows := strings.TrimSuffix(strings.Repeat(`["1","1.00","`+strings.Repeat("r", 1000)+`"],`, 1000), ",")
	body := succeeded(rows, 1000, "")
	var known manifests
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 40 {
		st := newStatement(&catalog.Answer{Body: []byte(body)})
		known.put(fmt.Sprint(i), st.manifest)
	}
	if after := heap(); after > before+4<<20 {
		t.Errorf("%d KiB are held for 40 results", (after-before)>>10)
	}
	for i := range 2 * maxManifests {
		known.put(fmt.Sprint("x", i), manifest{})
	}
	if len(known.known) != maxManifests || len(known.order) != maxManifests {
		t.Errorf("%d are remembered", len(known.known))
	}
	if m, ok := known.get(fmt.Sprint("x", maxManifests)); !ok || m.names != nil {
		t.Error("the latest are forgotten")
	}
}

// FuzzRows: any rows, as JSON or CSV, come out exactly once each, in order, as
// valid JSON within the budget, with the cells unchanged or marked as cut.
func FuzzRows(f *testing.F) {
	f.Add("1", "a", "null", uint16(200), uint8(5))
	f.Add("9007199254740993", "\"\\\n", "", uint16(0), uint8(3))
	f.Add("-0.10", strings.Repeat("\x01", 300), "ü€😀\u2028", uint16(900), uint8(9))
	f.Add("1e999", "\xff", "NaN", uint16(60), uint8(1))
	f.Fuzz(func(t *testing.T, number, a, b string, budget uint16, count uint8) {
		if len(number)+len(a)+len(b) > 1<<12 {
			return
		}
		number, a, b = strings.ToValidUTF8(number, "?"), strings.ToValidUTF8(a, "?"), strings.ToValidUTF8(b, "?")
		record := []string{number, a, b}
		cells, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		var asCSV strings.Builder
		out := csv.NewWriter(&asCSV)
		_ = out.Write([]string{"n", "a", "b"})
		for range count {
			_ = out.Write(record)
		}
		out.Flush()
		m := manifest{names: []string{"n", "a", "b"}, types: []string{"DECIMAL", "STRING", "STRING"}, numeric: []bool{true, false, false}}
		jsonRows := "[" + strings.TrimSuffix(strings.Repeat(string(cells)+",", int(count)), ",") + "]"
		for format, body := range map[string]string{"JSON_ARRAY": jsonRows, "CSV": asCSV.String()} {
			m.format = format
			total := 0
			for {
				w := rowWriter{manifest: m, out: []byte{'['}, skip: total, limit: int(budget)}
				if err := w.readFrom(io.Reader(strings.NewReader(body)), statement{manifest: m}, 0); err != nil {
					t.Fatal(err)
				}
				text := string(append(w.out, ']'))
				rows := gjson.Parse(text).Array()
				if !gjson.Valid(text) || len(rows) != w.returned || len(text) > int(budget)+310 {
					t.Fatalf("%d rows of %d bytes at %d: %.300s", w.returned, len(text), budget, text)
				}
				for _, row := range rows {
					checkRow(t, row, record, format, w.shortened)
				}
				if total += w.returned; !w.full {
					break
				}
			}
			if total != int(count) {
				t.Fatalf("%s: %d rows of %d", format, total, count)
			}
		}
	})
}

func checkRow(t *testing.T, row gjson.Result, record []string, format string, shortened bool) {
	t.Helper()
	if shortened {
		return
	}
	for i, cell := range row.Array() {
		want := record[i]
		if format == "CSV" {
			want = strings.ReplaceAll(want, "\r\n", "\n") // so encoding/csv reads it
		}
		switch {
		case cell.Type == gjson.Null && format == "CSV" && want == "null":
		case cell.Type == gjson.Number && i == 0 && cell.Raw == want && isExactNumber(want):
		case cell.Type == gjson.String && cell.String() == want:
		default:
			t.Fatalf("%s: cell %d is %s, want %q", format, i, cell.Raw, want)
		}
	}
}

func TestUnreadableResults(t *testing.T) {
	arrow := `{"statement_id":"st-1","status":{"state":"SUCCEEDED"},"manifest":{"format":"ARROW_STREAM"},"result":{"external_links":[{"external_link":"https://store/secret"}]}}`
	wantError(t, newServer(t, answering(arrow), nil), "sql_execute_statement", `{"statement":"x","warehouse_id":"w"}`, catalog.Invalid, "ARROW_STREAM", "JSON_ARRAY")
	wantError(t, newServer(t, answering(), nil), "sql_get_statement", `{"statement_id":"st-1","chunk_index":1,"page_token":"2"}`, catalog.Invalid, "both")
	for _, state := range []string{"CANCELED", "CLOSED"} {
		wantError(t, newServer(t, answering(`{"statement_id":"st-1","status":{"state":"`+state+`"}}`), nil), "sql_get_statement", `{"statement_id":"st-1"}`, catalog.Conflict, state, "no rows")
	}
	// A link that stays expired is an error, after one fresh one.
	api := answering(strings.Replace(arrow, "ARROW_STREAM", "JSON_ARRAY", 1), `{"external_links":[{"external_link":"https://store/secret"}]}`)
	asked := 0
	api.link = func(string) (string, error) {
		asked++
		return "", &catalog.Error{Kind: catalog.Busy, Message: "the link has expired", Err: catalog.ErrLinkExpired}
	}
	wantError(t, newServer(t, api, nil), "sql_execute_statement", `{"statement":"x","warehouse_id":"w"}`, catalog.Busy, "expired")
	if asked != 2 {
		t.Errorf("%d links were tried", asked)
	}
}
