package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// readAll reads lines until the end; a last line without a newline counts.
func readAll(in io.Reader, limit int) []line {
	reader := bufio.NewReaderSize(in, 16)
	var all []line
	for {
		l := readLine(reader, limit)
		if l.err == nil || len(l.text) > 0 || l.tooLong {
			all = append(all, l)
		}
		if l.err != nil {
			return all
		}
	}
}

func TestReadLine(t *testing.T) {
	in := "one\r\n\ntwo\n" + strings.Repeat("x", 100) + "\n" + `{"id":7,"params":"` + strings.Repeat("y", 200) + "\"}\nlast"
	for _, reader := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in)), iotest.DataErrReader(strings.NewReader(in))} {
		var got []string
		for _, l := range readAll(reader, 64) {
			if l.tooLong {
				got = append(got, "long "+string(l.id))
				continue
			}
			got = append(got, string(l.text))
		}
		want := []string{"one", "", "two", "long ", "long 7", "last"}
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestIDOfALongLine(t *testing.T) {
	long := strings.Repeat("z", 5000)
	for _, c := range []struct{ name, in, id string }{
		{"first", `{"jsonrpc":"2.0","id":5,"method":"m","params":{"a":"` + long + `"}}`, `5`},
		{"last, as the TypeScript client writes it", `{"method":"m","params":{"a":"` + long + `"},"jsonrpc":"2.0","id":6}`, `6`},
		{"text", `{"params":"` + long + `", "id" : "x\"y"}`, `"x\"y"`},
		{"large", `{"params":"` + long + `","id":9007199254740993}`, `9007199254740993`},
		{"inside params only", `{"params":{"id":1,"a":"` + long + `"}}`, ``},
		{"inside a text only", `{"params":"\"id\":1,` + long + `,\"id\":2"}`, ``},
		{"behind brackets in a text", `{"params":"{[{[\\\"` + long + `","id":3}`, `3`},
		{"object", `{"id":{"a":1},"params":"` + long + `"}`, ``},
		{"null", `{"id":null,"params":"` + long + `"}`, ``},
		{"twice", `{"id":1,"params":"` + long + `","id":2}`, `2`},
		{"no JSON", long, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := readLine(bufio.NewReaderSize(strings.NewReader(c.in+"\n"), 100), 1000)
			if !l.tooLong || string(l.id) != c.id || len(l.text) != 0 {
				t.Errorf("too long %v, id %q, %d bytes kept; want id %q", l.tooLong, l.id, len(l.text), c.id)
			}
		})
	}
}

// Of valid messages the scanner finds what a parser finds, however they are cut.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping"}`+"\n\r\n{}\n"), uint8(10), uint8(16))
	f.Add([]byte(`{"a":"\"}","b":[{"id":1}],"id":"\\"}`), uint8(0), uint8(1))
	f.Add([]byte(`{"id":1,"id":-2.5e3}`), uint8(3), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, limit, piece uint8) {
		lines := readAll(bytes.NewReader(in), int(limit))
		want := bytes.Split(in, []byte{'\n'})
		if len(want[len(want)-1]) == 0 {
			want = want[:len(want)-1]
		}
		if len(lines) > len(want) || len(lines) < len(want)-1 {
			t.Fatalf("%d lines of %q", len(lines), in)
		}
		for i, l := range lines {
			if !l.tooLong && !bytes.Equal(l.text, bytes.TrimRight(want[i], "\r")) {
				t.Fatalf("line %d is %q, want %q", i, l.text, want[i])
			}
			if l.tooLong && len(want[i])+1 <= int(limit) {
				t.Fatalf("line %d of %d bytes is refused with a limit of %d", i, len(want[i]), limit)
			}
		}
		var s idScanner
		for rest := in; len(rest) > 0; {
			n := min(len(rest), int(piece)+1)
			s.scan(rest[:n])
			rest = rest[n:]
		}
		m, problem := parse(in)
		if problem == nil && !bytes.Contains(in, []byte(`\`)) && len(m.id) < maxID && string(s.id()) != string(m.id) {
			t.Fatalf("id %q, a parser finds %q in %q", s.id(), m.id, in)
		}
		if id := s.id(); id != nil && !json.Valid(id) {
			t.Fatalf("id %q", id)
		}
	})
}
