package audit

import (
	"fmt"
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

// headForm is of one length whatever the numbers are, so that it can be
// rewritten in place: a kill or a full disk leaves the old one or the new.
const headForm = `{"bytes":%16d,"lines":%16d,"hash":"%s"}` + "\n"

const headLength = len(headForm) - len("%16d%16d%s") + 16 + 16 + len(digest{})

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
	var hash string
	if len(b) != headLength {
		return h, false
	}
	n, err := fmt.Sscanf(string(b), `{"bytes":%d,"lines":%d,"hash":"%64s"}`, &h.bytes, &h.lines, &hash)
	if err != nil || n != 3 || strings.Trim(hash, "0123456789abcdef") != "" || h.bytes < 0 || h.lines < 0 {
		return head{}, false
	}
	copy(h.hash[:], hash)
	return h, string(h.encode(nil)) == string(b)
}

// readHead reads the head file from its beginning into buf.
func readHead(f *os.File, buf []byte) ([]byte, error) {
	n, err := f.ReadAt(buf[:headLength+1], 0)
	if err == io.EOF {
		err = nil
	}
	return buf[:n], err
}
