package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
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
	answer, size, err := s.openRange(ctx, call, offset, length)
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	content, err := io.ReadAll(io.LimitReader(answer, length))
	if err != nil {
		return nil, brokenOff(call, offset+int64(len(content)), err)
	}
	var o object
	piece{content: content, offset: offset, size: size, textName: "contents", bytesName: "contents_base64"}.appendTo(&o, s.budget-headRoom)
	return o.bytes(), nil
}

// openRange asks for length bytes from offset on (0: to the end). It returns the
// stream at offset and the size of the whole file.
func (s *Server) openRange(ctx context.Context, call *catalog.Call, offset, length int64) (io.ReadCloser, int64, error) {
	call.Stream = true
	if offset > 0 || length > 0 {
		to := ""
		if length > 0 {
			to = strconv.FormatInt(offset+length-1, 10)
		}
		call.Header = http.Header{"Range": {"bytes=" + strconv.FormatInt(offset, 10) + "-" + to}}
	}
	answer, err := s.api.Do(ctx, call)
	var refused *catalog.Error
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusRequestedRangeNotSatisfiable && offset == 0:
		return io.NopCloser(strings.NewReader("")), 0, nil // an empty file has no first byte
	case errors.As(err, &refused) && refused.Status == http.StatusRequestedRangeNotSatisfiable:
		return nil, 0, &catalog.Error{Kind: catalog.Invalid, Status: refused.Status, RequestID: refused.RequestID,
			Message: fmt.Sprintf("%s: offset %d is at or behind the end of the file", call.About(), offset), Advice: "There is nothing more to read."}
	case err != nil:
		return nil, 0, err
	}
	size := int64(-1)
	if n, err := strconv.ParseInt(answer.Header.Get("Content-Length"), 10, 64); err == nil && answer.Status != http.StatusPartialContent {
		size = n
	}
	if _, total, ok := strings.Cut(answer.Header.Get("Content-Range"), "/"); ok {
		if n, err := strconv.ParseInt(total, 10, 64); err == nil {
			size = n
		}
	}
	if answer.Status != http.StatusPartialContent && offset > 0 { // ranges are optional in HTTP
		if _, err := io.CopyN(io.Discard, answer.Stream, offset); err != nil {
			_ = answer.Stream.Close()
			return nil, 0, brokenOff(call, 0, err)
		}
	}
	return answer.Stream, size, nil
}

// saveFile streams into FILE.part, which takes FILE's name when it is complete. A
// download that is broken off, or longer than one call may take, goes on at
// next_offset.
func (s *Server) saveFile(ctx context.Context, call *catalog.Call, file *localFile, offset, length int64) ([]byte, error) {
	part := file.name + ".part"
	flags := os.O_WRONLY | os.O_CREATE
	if offset == 0 {
		flags |= os.O_TRUNC
	}
	out, err := file.root.OpenFile(part, flags, 0o600)
	if err != nil {
		return nil, file.failed(call.Row, "write", err)
	}
	defer out.Close()
	if have, err := out.Seek(0, io.SeekEnd); err != nil || have < offset {
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("%s: local_path %q has %d bytes of an earlier call, so it cannot go on at offset %d", call.About(), file.path, have, offset),
			Advice: fmt.Sprintf("Go on at offset %d, or leave offset out to start over. Nothing was sent.", have)}
	}
	if _, err = out.Seek(offset, io.SeekStart); err == nil {
		err = out.Truncate(offset)
	}
	if err != nil {
		return nil, file.failed(call.Row, "write", err)
	}
	answer, size, err := s.openRange(ctx, call, offset, length)
	if err != nil {
		if offset == 0 {
			_ = file.root.Remove(part) // an empty leftover would only puzzle
		}
		return nil, err
	}
	defer answer.Close()
	var in io.Reader = answer
	if length > 0 {
		in = io.LimitReader(answer, length)
	}
	n, copyErr := io.Copy(&noting{ctx: ctx, out: out, offset: offset, size: size}, in)
	at := offset + n
	if err := out.Close(); err != nil || isLocal(copyErr) {
		return nil, file.failed(call.Row, "write", errors.Join(copyErr, err))
	}
	var o object
	o.text("local_path", file.path)
	complete := copyErr == nil && (size < 0 || at >= size)
	if complete || copyErr == nil && length > 0 && n == length {
		if err := file.root.Rename(part, file.name); err != nil {
			return nil, file.failed(call.Row, "write", err)
		}
		o.integer("saved", n)
		o.integer("size", max(size, at))
		o.boolean("truncated", !complete)
		return o.bytes(), nil
	}
	if n == 0 && copyErr != nil {
		return nil, brokenOff(call, at, copyErr)
	}
	o.integer("saved", n)
	o.integer("size", size)
	o.boolean("truncated", true)
	o.integer("next_offset", at)
	return o.bytes(), nil
}

// noting tells a waiting client how far a download is, every 64 MiB.
type noting struct {
	ctx          context.Context
	out          io.Writer
	offset, size int64
	noted        int64
}

func (n *noting) Write(p []byte) (int, error) {
	written, err := n.out.Write(p)
	n.offset += int64(written)
	if n.offset-n.noted >= 64<<20 {
		n.noted = n.offset
		Progress(n.ctx, fmt.Sprintf("%d of %d MiB", n.offset>>20, n.size>>20))
	}
	return written, err
}

// isLocal reports whether a copy failed on this machine's side.
func isLocal(err error) bool {
	var pathError *fs.PathError
	return errors.As(err, &pathError)
}

func brokenOff(call *catalog.Call, at int64, err error) error {
	return &catalog.Error{Kind: catalog.Down, Message: fmt.Sprintf("%s: the transfer broke off at byte %d", call.About(), at),
		Advice: fmt.Sprintf("Call again with offset=%d to go on there.", at), Err: err}
}
