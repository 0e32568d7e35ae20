package tools

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// dbfsBlock is the most that one DBFS call carries, before base64.
const dbfsBlock = 1 << 20

// putDBFS writes a file, above 1 MB block by block. A broken block write leaves
// an incomplete file behind, and says so.
func (s *Server) putDBFS(ctx context.Context, call *catalog.Call) ([]byte, error) {
	src, err := s.source(call, "contents", "contents_base64")
	if err != nil {
		return nil, err
	}
	defer src.close()
	in, err := src.open()
	if err != nil {
		return nil, src.file.failed(call.Row, "read", err)
	}
	defer in.Close()
	path, _ := argument[string](call, "path")
	size := src.size
	if size <= dbfsBlock {
		content, err := io.ReadAll(io.LimitReader(in, dbfsBlock+1))
		if err != nil {
			return nil, src.file.failed(call.Row, "read", err)
		}
		if size = int64(len(content)); size > dbfsBlock {
			return nil, src.file.failed(call.Row, "read", errors.New("it grew while it was read"))
		}
		if call.Body, err = sjson.SetBytes(call.Body, "contents", base64.StdEncoding.EncodeToString(content)); err != nil {
			return nil, err
		}
		if _, err := s.api.Do(ctx, call); err != nil {
			return nil, err
		}
	} else if size, err = s.putBlocks(ctx, call, path, in, src); err != nil {
		return nil, err
	}
	var o object
	o.text("path", path)
	o.integer("size", size)
	return o.bytes(), nil
}

func (s *Server) putBlocks(ctx context.Context, call *catalog.Call, path string, in io.Reader, src source) (written int64, err error) {
	overwrite, _ := argument[bool](call, "overwrite")
	opened, err := catalog.CreateDBFS.Call(ctx, s.api, catalog.CreateDBFSRequest{Path: path, Overwrite: overwrite})
	if err != nil {
		return 0, err
	}
	defer func() {
		// The handle is closed also on failure; only a clean end may fail by it.
		closing, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
		defer stop()
		_, closeErr := catalog.CloseDBFS.Call(closing, s.api, catalog.CloseDBFSRequest{Handle: opened.Handle})
		switch {
		case err != nil:
			err = incomplete(call, written, src.size, err)
		case closeErr != nil:
			err = notClosed(call, written, closeErr)
		}
	}()
	block := make([]byte, dbfsBlock)
	for {
		n, readErr := io.ReadFull(in, block)
		if n > 0 {
			if _, err := catalog.AddDBFSBlock.Call(ctx, s.api, catalog.AddDBFSBlockRequest{
				Handle: opened.Handle, Data: base64.StdEncoding.EncodeToString(block[:n]),
			}); err != nil {
				return written, err
			}
			written += int64(n)
			Progress(ctx, fmt.Sprintf("%d of %d MiB", written>>20, src.size>>20))
		}
		switch {
		case readErr == io.EOF || readErr == io.ErrUnexpectedEOF:
			return written, nil
		case readErr != nil:
			return written, src.file.failed(call.Row, "read", readErr)
		}
	}
}

// incomplete says what is left behind when a write in blocks breaks off.
func incomplete(call *catalog.Call, written, size int64, err error) error {
	cause := catalog.AsError(err)
	return &catalog.Error{Kind: cause.Kind, Status: cause.Status, Code: cause.Code, RequestID: cause.RequestID, Quoted: cause.Quoted, Err: err,
		Message: fmt.Sprintf("%s: broke off after %d of %d bytes: %s", call.About(), written, size, cause.Message),
		Advice:  "The file there is incomplete; write it again with overwrite=true."}
}

func notClosed(call *catalog.Call, written int64, err error) error {
	cause := catalog.AsError(err)
	return &catalog.Error{Kind: cause.Kind, Status: cause.Status, Code: cause.Code, RequestID: cause.RequestID, Quoted: cause.Quoted, Err: err,
		Message: fmt.Sprintf("%s: all %d bytes were sent, but the file could not be closed: %s", call.About(), written, cause.Message),
		Advice:  "Check with dbfs_read that it is complete, or write it again with overwrite=true."}
}

func (s *Server) readDBFS(ctx context.Context, call *catalog.Call) ([]byte, error) {
	offset, _ := argument[int64](call, "offset")
	room := s.room()
	length, _ := argument[int64](call, "length")
	if length == 0 || length > int64(room) { // nobody wants no bytes
		length = int64(room)
	}
	length = min(length, dbfsBlock)
	args := object{}
	path, _ := argument[string](call, "path")
	args.text("path", path)
	args.integer("offset", offset)
	args.integer("length", length)
	asked, err := call.Row.Bind(args.bytes())
	if err != nil {
		return nil, err
	}
	answer, err := s.ask(ctx, asked)
	if err != nil {
		return nil, err
	}
	content, err := decodeBase64(call, answer, "data")
	if err != nil {
		return nil, err
	}
	size := offset + int64(len(content)) // a short read ends with the file
	if n := int64(len(content)); n >= length || n == 0 && offset > 0 {
		size = -1
		if status, err := catalog.GetDBFSStatus.Call(ctx, s.api, catalog.GetDBFSStatusRequest{Path: path}); err == nil {
			size = status.FileSize
		}
	}
	var o object
	piece{content: content, offset: offset, size: size, textName: "contents", bytesName: "contents_base64"}.appendTo(&o, room)
	return o.bytes(), nil
}

// decodeBase64 reads a base64 member of an answer.
func decodeBase64(call *catalog.Call, answer *catalog.Answer, name string) ([]byte, error) {
	content, err := base64.StdEncoding.DecodeString(gjson.GetBytes(answer.Body, name).Str)
	if err != nil {
		return nil, &catalog.Error{Kind: catalog.Down, RequestID: answer.RequestID, Err: err,
			Message: fmt.Sprintf("%s: %s in the workspace's answer is not base64", call.About(), name),
			Advice:  "Try again; if it stays, report the request id."}
	}
	return content, nil
}
