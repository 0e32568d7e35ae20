package runs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// shown is the stream as text: one entry per event, and how it ended.
func shown(in io.Reader) []string {
	events := NewEvents(in)
	var all []string
	for {
		event, err := events.Next()
		if err != nil {
			return append(all, err.Error())
		}
		all = append(all, fmt.Sprintf("%s|%s|%s", event.ID, event.Type, event.Data))
	}
}

func TestEvents(t *testing.T) {
	broken := errors.New("the connection broke")
	for name, c := range map[string]struct {
		in   string
		want []string
	}{
		"nothing":                     {"", []string{"EOF"}},
		"blank lines":                 {"\n\r\n\n", []string{"EOF"}},
		"one event":                   {"data: {\"a\":1}\n\n", []string{`||{"a":1}`, "EOF"}},
		"no space":                    {"data:x\n\n", []string{"||x", "EOF"}},
		"only one space goes":         {"data:  x \n\n", []string{"|| x ", "EOF"}},
		"type and id":                 {"id: 7\nevent: error\ndata: x\n\n", []string{"7|error|x", "EOF"}},
		"type after the data":         {"data: x\nevent: error\n\n", []string{"|error|x", "EOF"}},
		"carriage returns":            {"data: x\r\n\r\ndata: y\r\rdata: z\r\n\r\n", []string{"||x", "||y", "||z", "EOF"}},
		"comments":                    {": ping\n\ndata: x\n: more\n\n:\n", []string{"||x", "EOF"}},
		"several lines of data":       {"data: a\ndata:\ndata: b\n\n", []string{"||a\n\nb", "EOF"}},
		"empty data":                  {"data\n\ndata: x\n\n", []string{"||", "||x", "EOF"}},
		"type without data":           {"event: ping\n\ndata: x\n\n", []string{"||x", "EOF"}},
		"retry and unknown fields":    {"retry: 10\nfoo: bar\ndata: x\n\n", []string{"||x", "EOF"}},
		"byte order mark":             {"\xef\xbb\xbfdata: x\n\n", []string{"||x", "EOF"}},
		"a mark and no line end":      {"\xef\xbb\xbfdata: x", []string{"||x", "EOF"}},
		"a mark later is none":        {"data: x\n\n\xef\xbb\xbfdata: y\n\n", []string{"||x", "EOF"}},
		"no blank line at the end":    {"data: [DONE]\n", []string{"||[DONE]", "EOF"}},
		"no line end at the end":      {"data: [DONE]", []string{"||[DONE]", "EOF"}},
		"NUL in an id":                {"id: a\x00b\ndata: x\n\n", []string{"||x", "EOF"}},
		"an id is of one event alone": {"id: 1\ndata: x\n\ndata: y\n\n", []string{"1||x", "||y", "EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			for how, in := range map[string]io.Reader{
				"at once":         strings.NewReader(c.in),
				"byte by byte":    iotest.OneByteReader(strings.NewReader(c.in)),
				"end comes along": iotest.DataErrReader(strings.NewReader(c.in)),
			} {
				if got := shown(in); !slices.Equal(got, c.want) {
					t.Errorf("%s: %q, want %q", how, got, c.want)
				}
			}
		})
	}
	t.Run("a broken stream loses the event it broke in", func(t *testing.T) {
		in := io.MultiReader(strings.NewReader("data: x\n\ndata: {\"half\":true}\n"), iotest.ErrReader(broken))
		if got, want := shown(in), []string{"||x", broken.Error()}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("an event is ready before the next byte comes", func(t *testing.T) {
		for _, end := range []string{"\n\n", "\r\r", "\r\n\r"} {
			out, in := io.Pipe()
			go func() { _, _ = in.Write([]byte("data: x" + end)) }()
			if event, err := NewEvents(out).Next(); err != nil || string(event.Data) != "x" {
				t.Errorf("%q: %q, %v", end, event.Data, err)
			}
		}
	})
}

func TestLongEvents(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	events := NewEvents(strings.NewReader("data: " + long + "\n\ndata: y\n\n"))
	if event, err := events.Next(); err != nil || string(event.Data) != long {
		t.Fatalf("%d bytes, %v", len(event.Data), err)
	}
	if event, err := events.Next(); err != nil || string(event.Data) != "y" {
		t.Fatalf("%q, %v", event.Data, err)
	}
	for name, in := range map[string]string{
		"one line":   "data: " + strings.Repeat("x", 2000),
		"many lines": strings.Repeat("data: "+strings.Repeat("x", 90)+"\n", 20),
		"a comment":  ":" + strings.Repeat("x", 2000),
	} {
		events := NewEvents(strings.NewReader(in))
		events.limit = 1000
		for range 2 { // it stays ended
			if _, err := events.Next(); !errors.Is(err, ErrEventTooLong) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add([]byte("id: 1\nevent: a\ndata: x\r\ndata: y\r\r: c\n\ndata"))
	f.Add([]byte("\xef\xbb\xbfdata:\n\n\n\x00:"))
	f.Fuzz(func(t *testing.T, in []byte) {
		whole := shown(bytes.NewReader(in))
		if last := whole[len(whole)-1]; last != "EOF" {
			t.Errorf("%q ends with %s", in, last)
		}
		// How the bytes arrive makes no difference.
		for _, reader := range []io.Reader{iotest.OneByteReader(bytes.NewReader(in)), iotest.HalfReader(bytes.NewReader(in))} {
			if got := shown(reader); !slices.Equal(got, whole) {
				t.Errorf("%q: %q, at once %q", in, got, whole)
			}
		}
		for _, line := range whole[:len(whole)-1] {
			if strings.Contains(line, "\r") {
				t.Errorf("%q: a line end is inside %q", in, line)
			}
		}
	})
}
