package audit

import (
	"io"
	"os"
	"strconv"
	"strings"
)

// head is what the head file knows of the last line.
type head struct {
	bytes int64 // of the log
	lines int64 // ever written, rotated and removed files included
	hash  digest
}

// headLength is that of {"bytes":N,"lines":N,"hash":"H"} and a newline, with
// each N padded to 16 places: of one length whatever the numbers are, so that
// it can be rewritten in place. A kill or a full disk leaves the old or the new.
const headLength = len(`{"bytes":,"lines":,"hash":""}`+"\n") + 16 + 16 + len(digest{})

func (h *head) encode(b []byte) []byte {
	b = append(b, `{"bytes":`...)
	b = appendPadded(b, h.bytes)
	b = append(b, `,"lines":`...)
	b = appendPadded(b, h.lines)
	b = append(b, `,"hash":"`...)
	b = append(b, h.hash[:]...)
	return append(b, "\"}\n"...)
}

func appendPadded(b []byte, n int64) []byte {
	var digits [20]byte
	d := strconv.AppendInt(digits[:0], n, 10)
	return append(append(b, "                "[min(len(d), 16):]...), d...)
}

// decodeHead reads what encode wrote; false: it is something else.
func decodeHead(b []byte) (h head, ok bool) {
	if len(b) != headLength {
		return h, false
	}
	text := string(b)
	next := func(name string, length int) string {
		_, rest, _ := strings.Cut(text, `"`+name+`":`)
		return strings.Trim(rest[:min(len(rest), length)], ` "`)
	}
	var err1, err2 error
	h.bytes, err1 = strconv.ParseInt(next("bytes", 16), 10, 64)
	h.lines, err2 = strconv.ParseInt(next("lines", 16), 10, 64)
	hash := next("hash", len(h.hash)+2)
	if copy(h.hash[:], hash) != len(h.hash) || strings.Trim(hash, "0123456789abcdef") != "" || err1 != nil || err2 != nil || h.bytes < 0 || h.lines < 0 {
		return head{}, false
	}
	return h, string(h.encode(nil)) == text // nothing else is in it, and nothing elsewhere
}

// readHead reads the head file from its beginning into buf.
func readHead(f *os.File, buf []byte) ([]byte, error) {
	n, err := f.ReadAt(buf[:headLength+1], 0)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}
