package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"brickmcp/catalog"
)

// headRoom is what a result needs beside its content.
const headRoom = 200

func (s *Server) uploadFile(ctx context.Context, call *catalog.Call) ([]byte, error) {
	src, err := s.source(call, "contents", "contents_base64")
	if err != nil {
		return nil, err
	}
	defer src.close()
	call.Body, call.Upload, call.Size = nil, src.open, src.size
	if _, err := s.api.Do(ctx, call); err != nil {
		return nil, err
	}
	path, _ := argument[string](call, "path")
	var o object
	o.text("path", path)
	o.integer("size", src.size)
	return o.bytes(), nil
}

// downloadFile reads a range of a file into the result, or streams it to a local
// file. It never holds more of a file than a result may have.
func (s *Server) downloadFile(ctx context.Context, call *catalog.Call) ([]byte, error) {
	offset, _ := argument[int64](call, "offset")
	length, bounded := argument[int64](call, "length")
	if path, ok := argument[string](call, "local_path"); ok {
		file, err := s.local(call.Row, path)
		if err != nil {
			return nil, err
		}
		defer file.close()
		return s.saveFile(ctx, call, file, offset, length)
	}
	if !bounded || length > int64(s.budget) {
		length = int64(s.budget)
	}
	rest, err := s.openRange(ctx, call, offset, length)
	if err != nil {
		return nil, err
	}
	defer rest.Close()
	content, err := io.ReadAll(io.LimitReader(rest, length))
	switch n := int64(len(content)); {
	case err != nil && n == 0:
		return nil, brokenOff(call, offset, err)
	case err == nil && n < length && rest.size < 0: // what ends early ends with the file
		rest.size = offset + n
	}
	// What came before a break is an answer too: it goes on at next_offset.
	var o object
	piece{content: content, offset: offset, size: rest.size, textName: "contents", bytesName: "contents_base64"}.appendTo(&o, s.room())
	return o.bytes(), nil
}

// remote is a file of the workspace, open at an offset.
type remote struct {
	io.ReadCloser
	size     int64  // of the whole file; -1 unknown
	modified string // Last-Modified; may be empty
}

// openRange asks for length bytes from offset on (0: to the end).
func (s *Server) openRange(ctx context.Context, call *catalog.Call, offset, length int64) (remote, error) {
	call.Stream = true
	if offset > 0 || length > 0 {
		to := ""
		length = min(length, math.MaxInt64-offset)
		if length > 0 {
			to = strconv.FormatInt(offset+length-1, 10)
		}
		if call.Header == nil {
			call.Header = http.Header{}
		}
		call.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-"+to)
	}
	answer, err := s.api.Do(ctx, call)
	var refused *catalog.Error
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusRequestedRangeNotSatisfiable && offset == 0:
		return remote{ReadCloser: io.NopCloser(strings.NewReader(""))}, nil // an empty file has no first byte
	case errors.As(err, &refused) && refused.Status == http.StatusRequestedRangeNotSatisfiable:
		return remote{}, behindFile(call, offset, refused)
	case err != nil:
		return remote{}, err
	}
	file := remote{ReadCloser: answer.Stream, size: -1, modified: answer.Header.Get("Last-Modified")}
	if answer.Status == http.StatusPartialContent {
		from, size := contentRange(answer.Header)
		if file.size = size; from >= 0 && from != offset {
			err = &catalog.Error{Kind: catalog.Down, Status: answer.Status, RequestID: answer.RequestID, Message: fmt.Sprintf("%s: the workspace sent the file from byte %d on, not from byte %d as asked", call.About(), from, offset), Advice: "Try again; if it stays, report the request id."}
		}
	} else {
		if n, err := strconv.ParseInt(answer.Header.Get("Content-Length"), 10, 64); err == nil {
			file.size = n
		}
		err = passOver(call, answer, offset)
	}
	if err != nil {
		_ = file.Close()
		return remote{}, err
	}
	return file, nil
}

// contentRange reads the first byte and the size of the whole out of a header such
// as "bytes 0-9/100"; -1 for what it does not say.
func contentRange(h http.Header) (from, size int64) {
	place, total, _ := strings.Cut(strings.TrimPrefix(h.Get("Content-Range"), "bytes "), "/")
	first, _, _ := strings.Cut(place, "-")
	number := func(s string) int64 {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
		return -1
	}
	return number(first), number(total)
}

// passOver reads up to offset: ranges are optional in HTTP, and this answer is the
// whole file.
func passOver(call *catalog.Call, answer *catalog.Answer, offset int64) error {
	n, err := io.CopyN(io.Discard, answer.Stream, offset)
	switch {
	case err == nil:
		return nil
	case err == io.EOF:
		return behindFile(call, offset, &catalog.Error{Status: answer.Status, RequestID: answer.RequestID})
	}
	return &catalog.Error{Kind: catalog.Down, RequestID: answer.RequestID, Err: err,
		Message: fmt.Sprintf("%s: the workspace sends this file only from its beginning, and it broke off at byte %d, before offset %d", call.About(), n, offset),
		Advice:  "Try again with the same offset."}
}

func behindFile(call *catalog.Call, offset int64, answer *catalog.Error) error {
	return &catalog.Error{Kind: catalog.Invalid, Status: answer.Status, RequestID: answer.RequestID,
		Message: fmt.Sprintf("%s: offset %d is at or behind the end of the file", call.About(), offset), Advice: "There is nothing more to read."}
}

func brokenOff(call *catalog.Call, at int64, err error) error {
	return &catalog.Error{Kind: catalog.Down, Message: fmt.Sprintf("%s: the transfer broke off at byte %d", call.About(), at),
		Advice: fmt.Sprintf("Call again with offset=%d to go on there.", at), Err: err}
}
