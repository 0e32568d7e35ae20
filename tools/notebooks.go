package tools

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// maxImport is what the API takes of one object, before base64.
const maxImport = 10 << 20

func (s *Server) importWorkspace(ctx context.Context, call *catalog.Call) ([]byte, error) {
	src, err := s.source(call, "content", "content_base64")
	if err != nil {
		return nil, err
	}
	if src.size > maxImport {
		return nil, &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("%s: the content has %d bytes; the workspace takes at most %d (10 MB)", call.About(), src.size, maxImport),
			Advice: "Split it, or put it into a volume with files_upload. Nothing was sent."}
	}
	in, err := src.open()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		return nil, err
	}
	if call.Body, err = sjson.SetBytes(call.Body, "content", base64.StdEncoding.EncodeToString(content)); err != nil {
		return nil, err
	}
	return s.plain(ctx, call)
}

// exportWorkspace reads a notebook or file, decoded. The API gives everything at
// once, so each piece of a long one is a request of its own.
func (s *Server) exportWorkspace(ctx context.Context, call *catalog.Call) ([]byte, error) {
	answer, err := s.ask(ctx, call)
	if err != nil {
		return nil, err
	}
	content, err := decodeBase64(call, answer, "content")
	if err != nil {
		return nil, err
	}
	size := int64(len(content))
	offset, _ := argument[int64](call, "offset")
	if offset > size {
		return nil, &catalog.Error{Kind: catalog.Invalid, RequestID: answer.RequestID,
			Message: fmt.Sprintf("%s: offset %d is behind the end, byte %d", call.About(), offset, size), Advice: "There is nothing more to read."}
	}
	content = content[offset:]
	if length, ok := argument[int64](call, "length"); ok {
		content = content[:min(length, int64(len(content)))]
	}
	var o object
	if fileType := gjson.GetBytes(answer.Body, "file_type").Str; fileType != "" {
		o.text("file_type", fileType)
	}
	piece{content: content, offset: offset, size: size, textName: "contents", bytesName: "contents_base64"}.appendTo(&o, s.room())
	return o.bytes(), nil
}
