package tools

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"brickmcp/catalog"
)

// source is what an upload reads: contents, contents_base64 or local_path.
type source struct {
	open func() (io.ReadCloser, error) // anew for each attempt
	size int64
	file *localFile // to be closed; nil for contents in the call
}

func (src source) close() {
	if src.file != nil {
		src.file.close()
	}
}

// source finds the bytes of an upload; Bind has made sure that there is exactly
// one place to look.
func (s *Server) source(call *catalog.Call, textName, base64Name string) (source, error) {
	if text, ok := argument[string](call, textName); ok {
		return inMemory([]byte(text)), nil
	}
	if encoded, ok := argument[string](call, base64Name); ok {
		decoded, err := base64.StdEncoding.DecodeString(strings.TrimRight(encoded, "\n"))
		if err != nil {
			return source{}, &catalog.Error{Kind: catalog.Invalid, Message: fmt.Sprintf("%s: %q is not standard base64: %v", call.Row.Name, base64Name, err),
				Advice: "Encode the bytes with the standard alphabet and padding, or pass text as " + textName + ". Nothing was sent."}
		}
		return inMemory(decoded), nil
	}
	path, _ := argument[string](call, "local_path")
	file, err := s.local(call.Row, path)
	if err != nil {
		return source{}, err
	}
	info, err := file.root.Stat(file.name)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it is not a regular file")
	}
	if err != nil {
		defer file.close()
		return source{}, file.failed(call.Row, "read", err)
	}
	return source{size: info.Size(), file: file, open: func() (io.ReadCloser, error) {
		return file.root.Open(file.name)
	}}, nil
}

func inMemory(content []byte) source {
	return source{size: int64(len(content)), open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	}}
}

// piece is a part of a file on its way to an agent.
type piece struct {
	content   []byte
	offset    int64
	size      int64 // of the whole file; -1 unknown
	textName  string
	bytesName string
}

// appendTo adds the piece as text, or as base64 when it is none, and how to go
// on. What is over the room is left for the next call.
func (p piece) appendTo(o *object, room int) {
	content := p.content
	end := p.offset + int64(len(content))
	if isText(content) {
		content = fitText(content, room, p.size < 0 || end < p.size)
		o.text(p.textName, string(content))
	} else {
		content = content[:min(len(content), max(room*3/4, 3))]
		o.text(p.bytesName, base64.StdEncoding.EncodeToString(content))
	}
	next := p.offset + int64(len(content))
	if p.size >= 0 {
		o.integer("size", p.size)
	}
	more := next < p.size || p.size < 0 && len(p.content) > 0
	o.boolean("truncated", more)
	if more {
		o.integer("next_offset", next)
	}
}

// isText reports whether content is UTF-8 text, but for a rune that the piece
// cuts at either end.
func isText(content []byte) bool {
	for i := 0; i < utf8.UTFMax-1 && len(content) > 0 && !utf8.RuneStart(content[0]); i++ {
		content = content[1:]
	}
	content = wholeRunes(content)
	return utf8.Valid(content) && bytes.IndexByte(content, 0) < 0
}

// wholeRunes cuts an incomplete rune off the end.
func wholeRunes(content []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(content); i++ {
		if c := content[len(content)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(content[len(content)-i:]) {
				return content[:len(content)-i]
			}
			break
		}
	}
	return content
}

// fitText is the longest beginning of whole runes whose JSON form fits into
// room. more says that the file goes on behind content.
func fitText(content []byte, room int, more bool) []byte {
	if more {
		if whole := wholeRunes(content); len(whole) > 0 {
			content = whole
		}
	}
	size := 0
	for i, r := range string(content) {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || r == '"' || r == '\\':
			size += 2
		case r < 0x20 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
			size += 6
		default:
			size += utf8.RuneLen(r)
		}
		if size > room && i > 0 {
			return content[:i]
		}
	}
	return content
}
