package tools

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// readPieces reads file in pieces as an agent does: by next_offset. fetched is how
// much of the file one call has at hand.
func readPieces(t *testing.T, file []byte, fetched, room int, sizeKnown bool) []byte {
	t.Helper()
	var got []byte
	for offset := int64(0); ; {
		p := piece{content: file[offset:min(int(offset)+fetched, len(file))], offset: offset, size: -1, textName: "contents", bytesName: "contents_base64"}
		if sizeKnown {
			p.size = int64(len(file))
		}
		var o object
		p.appendTo(&o, room)
		out := o.bytes()
		text, encoded := gjson.GetBytes(out, "contents"), gjson.GetBytes(out, "contents_base64")
		if !gjson.ValidBytes(out) || text.Exists() == encoded.Exists() || len(out) > max(room, 6)+headRoom {
			t.Fatalf("room %d: %d bytes: %.300s", room, len(out), out)
		}
		part := []byte(text.String())
		if encoded.Exists() {
			var err error
			if part, err = base64.StdEncoding.DecodeString(encoded.Str); err != nil {
				t.Fatal(err)
			}
		}
		got = append(got, part...)
		next := gjson.GetBytes(out, "next_offset")
		if next.Exists() != gjson.GetBytes(out, "truncated").Bool() {
			t.Fatalf("truncated and next_offset disagree: %.300s", out)
		}
		if !next.Exists() {
			return got
		}
		if next.Int() <= offset || next.Int() != int64(len(got)) {
			t.Fatalf("at %d, %d bytes were shown and next_offset is %d", offset, len(part), next.Int())
		}
		offset = next.Int()
	}
}

// FuzzPieces: the pieces of any file, put together, are the file.
func FuzzPieces(f *testing.F) {
	for _, s := range []string{"", "plain text\n", "grüße €uro 😀 \u2028", "a\x00b", "\xff\xfe\x80\x80", "text\xc3", "\xa9text", strings.Repeat("😀", 50), strings.Repeat("\x01\"\\", 40), "text \xc3\xa9\xa9\xa9 more text \xf0\x9f\x98"} {
		f.Add([]byte(s), uint16(7), uint16(5), true)
		f.Add([]byte(s), uint16(1), uint16(0), false)
		f.Add([]byte(s), uint16(1000), uint16(1000), true)
	}
	f.Fuzz(func(t *testing.T, file []byte, fetched, room uint16, sizeKnown bool) {
		if len(file) > 4096 {
			return
		}
		if got := readPieces(t, file, max(int(fetched), 1), int(room), sizeKnown); !bytes.Equal(got, file) {
			t.Fatalf("the pieces of %q are %q", file, got)
		}
	})
}

func TestPieces(t *testing.T) {
	for _, c := range []struct {
		name    string
		content string
		offset  int64
		size    int64
		room    int
		want    string
	}{
		{"whole text", "a<b>\n", 0, 5, 100, `{"untrusted":["contents"],"contents":"a<b>\n","size":5,"truncated":false}`},
		{"empty", "", 0, 0, 100, `{"untrusted":["contents"],"contents":"","size":0,"truncated":false}`},
		{"rune cut at the end", "ab\xc3", 0, 9, 100, `{"untrusted":["contents"],"contents":"ab","size":9,"truncated":true,"next_offset":2}`},
		{"rune begun before", "\xbcb", 3, 5, 100, `{"untrusted":["contents_base64"],"contents_base64":"vA==","size":5,"truncated":true,"next_offset":4}`},
		{"half a rune ends the file", "\xc3", 4, 5, 100, `{"untrusted":["contents_base64"],"contents_base64":"ww==","size":5,"truncated":false}`},
		{"binary", "a\x00b", 0, 3, 100, `{"untrusted":["contents_base64"],"contents_base64":"YQBi","size":3,"truncated":false}`},
		{"escapes count", "\n\n\n\n", 0, 4, 5, `{"untrusted":["contents"],"contents":"\n\n","size":4,"truncated":true,"next_offset":2}`},
		{"no room for the first rune", "😀x", 0, 5, 1, `{"untrusted":["contents"],"contents":"😀","size":5,"truncated":true,"next_offset":4}`},
		{"size unknown", "ab", 0, -1, 100, `{"untrusted":["contents"],"contents":"ab","truncated":true,"next_offset":2}`},
		{"size unknown, at the end", "", 2, -1, 100, `{"untrusted":["contents"],"contents":"","truncated":false}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var o object
			piece{content: []byte(c.content), offset: c.offset, size: c.size, textName: "contents", bytesName: "contents_base64"}.appendTo(&o, c.room)
			if got := string(o.bytes()); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
