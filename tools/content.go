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
	content, isText := beginning(p.content, room)
	if isText {
		o.untrusted(p.textName)
		o.text(p.textName, string(content))
	} else {
		o.untrusted(p.bytesName)
		o.text(p.bytesName, base64.StdEncoding.EncodeToString(content))
	}
	next := p.offset + int64(len(content))
	if p.size >= 0 {
		o.integer("size", p.size)
	}
	more := len(content) < len(p.content) || next < p.size || p.size < 0 && len(p.content) > 0
	o.boolean("truncated", more)
	if more {
		o.integer("next_offset", next)
	}
}

// beginning is as much of content as takes up to room bytes as a JSON string or in
// base64, and whether it is text. Not a byte is lost or replaced: a rune that the
// piece cuts at its end is left for the next one, and what a piece has of a rune
// that began before it goes alone, as base64, before the text goes on.
func beginning(content []byte, room int) (part []byte, text bool) {
	lead := 0
	for lead < len(content) && lead < utf8.UTFMax-1 && !utf8.RuneStart(content[lead]) {
		lead++
	}
	whole := wholeRunes(content[lead:])
	switch readable := utf8.Valid(whole) && bytes.IndexByte(whole, 0) < 0; {
	case len(content) == 0:
		return content, true
	case readable && len(whole) > 0 && lead > 0:
		return content[:lead], false
	case readable && len(whole) > 0:
		_, first := utf8.DecodeRune(whole)
		return whole[:max(fitting(string(whole), room), first)], true
	}
	return content[:min(len(content), max(room/4*3, 3))], false
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
