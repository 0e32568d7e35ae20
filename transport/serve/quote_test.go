package serve

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestQuote(t *testing.T) {
	for _, s := range []string{
		"", "plain", `a "quoted" \ path`, "\n\r\t\x00\x1f\x7f", "<b> & </b>", "ü€😀", "\u2028\u2029", "broken \xff\xc3 utf-8", "\xe2\x80",
		strings.Repeat("ü", 40_000), strings.Repeat("x", 32<<10-1) + "😀", strings.Repeat("\xff", 70_000),
	} {
		checkQuoted(t, s)
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("a \"b\"\n\u2028\xff€")
	f.Add(strings.Repeat("€", 11_000))
	f.Fuzz(checkQuoted)
}

func checkQuoted(t *testing.T, s string) {
	var pieces bytes.Buffer
	if err := quoteTo(&pieces, s); err != nil {
		t.Fatal(err)
	}
	whole := `"` + string(appendQuoted(nil, s)) + `"`
	if utf8.ValidString(s) && pieces.String() != whole { // a piece may end inside of what is no rune
		t.Errorf("%.40q in pieces is not what it is at once", s)
	}
	for _, quoted := range []string{whole, pieces.String()} {
		var back string
		if err := json.Unmarshal([]byte(quoted), &back); err != nil {
			t.Fatalf("%.40q: %v in %.80q", s, err, quoted)
		}
		if want := strings.ToValidUTF8(s, "\uFFFD"); strings.ToValidUTF8(back, "\uFFFD") != want && utf8.ValidString(s) {
			t.Errorf("%.40q came back as %.40q", s, back)
		}
		if strings.ContainsAny(quoted, "\n\r\u2028\u2029") {
			t.Errorf("%.40q has ends of lines in %.80q", s, quoted)
		}
	}
}

// Answers that are quoted on their way out are the same as any other.
func TestLongAnswers(t *testing.T) {
	for _, size := range []int{longText - 1, longText, 3 * longText} {
		text := strings.Repeat(`{"a":"<ü>"},`+"\n", size/15+1)
		result := &mcp.CallToolResult{IsError: true, Content: []mcp.Content{mcp.TextContent{Type: "text", Text: text}, mcp.TextContent{Type: "text", Text: text + "2"}}}
		message, err := encode(mcp.NewJSONRPCResultResponse(mcp.NewRequestId(1), result), []byte(`"id"`))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := message.writeTo(&out); err != nil {
			t.Fatal(err)
		}
		var answer struct {
			ID     string
			Result struct {
				IsError bool
				Content []struct{ Text string }
			}
		}
		if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
			t.Fatal(err)
		}
		if c := answer.Result.Content; answer.ID != "id" || !answer.Result.IsError || len(c) != 2 || c[0].Text != text || c[1].Text != text+"2" {
			t.Errorf("an answer of %d bytes came out otherwise", size)
		}
		if n := bytes.Count(out.Bytes(), []byte{'\n'}); n != 1 {
			t.Errorf("an answer of %d bytes has %d lines", size, n)
		}
	}
}

// failAfter fails once it has taken n bytes.
type failAfter struct{ n int }

func (f *failAfter) Write(p []byte) (int, error) {
	if f.n -= len(p); f.n < 0 {
		return 0, errors.New("broken pipe")
	}
	return len(p), nil
}

func TestLongAnswerBreaksOff(t *testing.T) {
	result := &mcp.CallToolResult{Content: []mcp.Content{mcp.TextContent{Type: "text", Text: strings.Repeat("x", longText)}}}
	for _, n := range []int{0, 100, longText / 2, longText + 50} {
		message, err := encode(mcp.NewJSONRPCResultResponse(mcp.NewRequestId(1), result), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := message.writeTo(&failAfter{n}); err == nil {
			t.Errorf("no error after %d bytes", n)
		}
	}
}
