package serve

import (
	"bufio"
	"bytes"
	"io"
)

// line is one line of input, without its end.
type line struct {
	text    []byte
	tooLong bool   // text is empty
	id      []byte // of a message that is too long, as far as it is one
	err     error
}

// readLines sends lines until the end of input. Reading cannot be interrupted,
// so it runs beside the loop and ends with the process at the latest.
func readLines(in io.Reader, lines chan<- line, stop <-chan struct{}) {
	defer close(lines)
	reader := bufio.NewReaderSize(in, 64<<10)
	for {
		l := readLine(reader, maxLine)
		if l.err != nil && (len(l.text) > 0 || l.tooLong) { // a last line without a newline
			select {
			case lines <- line{text: l.text, tooLong: l.tooLong, id: l.id}:
			case <-stop:
				return
			}
			l = line{err: l.err}
		}
		select {
		case lines <- l:
		case <-stop:
			return
		}
		if l.err != nil {
			return
		}
	}
}

// readLine reads up to a newline. Of a line above limit it keeps the id of the
// message, so that it can be refused by name, and nothing else.
func readLine(reader *bufio.Reader, limit int) line {
	var l line
	var ids idScanner
	for {
		part, err := reader.ReadSlice('\n')
		if !l.tooLong && len(l.text)+len(part) > limit {
			l.tooLong = true
			ids.scan(l.text)
			l.text = nil
		}
		if l.tooLong {
			ids.scan(part)
		} else {
			l.text = append(l.text, part...)
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		l.err = err
		l.id = ids.id()
		l.text = bytes.TrimRight(l.text, "\r\n")
		return l
	}
}
