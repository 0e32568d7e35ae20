package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"sync"
	"time"

	"brickmcp/catalog"
)

// saveFile streams into FILE.part, which takes FILE's name when it is complete. A
// download that is broken off, or longer than one call may take, goes on at
// next_offset.
func (s *Server) saveFile(ctx context.Context, call *catalog.Call, file *localFile, offset, length int64) ([]byte, error) {
	release, ok := s.saving.take(file.real())
	if !ok {
		return nil, &catalog.Error{Kind: catalog.Busy, Message: fmt.Sprintf("%s: another call is writing local_path %q now", call.About(), file.path),
			Advice: "Wait for that call, or give another local_path. Nothing was sent."}
	}
	defer release()
	out, written, err := openPart(call, file, offset)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if offset > 0 { // a file that has changed since would become a mixture
		call.Header = http.Header{"If-Unmodified-Since": {written.UTC().Format(http.TimeFormat)}}
	}
	in, err := s.openRange(ctx, call, offset, length)
	if err != nil {
		if offset == 0 {
			_ = file.root.Remove(file.part()) // an empty leftover would only puzzle
		}
		return nil, changed(call, file, err)
	}
	defer in.Close()
	if err = out.Truncate(offset); err == nil {
		_, err = out.Seek(offset, io.SeekStart)
	}
	if err != nil {
		return nil, file.failed(call.Row, "write", err)
	}
	var from io.Reader = in
	if length > 0 {
		from = io.LimitReader(in, length)
	}
	n, copyErr := io.Copy(&noting{ctx: ctx, out: out, offset: offset, noted: offset, size: in.size}, from)
	if err := out.Close(); err != nil || isLocal(copyErr) {
		return nil, file.failed(call.Row, "write", errors.Join(copyErr, err))
	}
	at := offset + n
	// The size decides: a call may break off behind the last byte.
	complete := in.size >= 0 && at >= in.size || in.size < 0 && copyErr == nil && (length == 0 || n < length)
	if modified, err := http.ParseTime(in.modified); err == nil && !complete {
		_ = file.root.Chtimes(file.part(), modified, modified) // for the next call's If-Unmodified-Since
	}
	switch {
	case complete, length > 0 && n == length:
		if err := file.root.Rename(file.part(), file.name); err != nil {
			return nil, file.failed(call.Row, "write", err)
		}
	case at == 0:
		_ = file.root.Remove(file.part())
		return nil, brokenOff(call, 0, copyErr)
	case n == 0:
		return nil, brokenOff(call, at, copyErr)
	}
	var o object
	o.text("local_path", file.path)
	o.integer("saved", n)
	if in.size >= 0 || complete {
		o.integer("size", max(in.size, at))
	}
	o.boolean("truncated", !complete)
	if !complete {
		o.integer("next_offset", at)
	}
	return o.bytes(), nil
}

// openPart opens FILE.part, which has at least offset bytes, and tells since when
// the file that it comes from must not have changed.
func openPart(call *catalog.Call, file *localFile, offset int64) (*os.File, time.Time, error) {
	for _, name := range []string{file.name, file.part()} {
		if info, err := file.root.Stat(name); err == nil && !info.Mode().IsRegular() {
			return nil, time.Time{}, file.failed(call.Row, "write", errors.New(name+" is there and is not a regular file"))
		}
	}
	flags, since := os.O_WRONLY, time.Time{}
	if offset == 0 {
		flags |= os.O_CREATE | os.O_TRUNC
	} else {
		have, err := file.begun(offset)
		if err != nil {
			return nil, since, file.failed(call.Row, "write", err)
		}
		if have == nil || have.Size() < offset {
			return nil, since, noPart(call, file, have, offset)
		}
		since = have.ModTime()
	}
	out, err := file.root.OpenFile(file.part(), flags, 0o600)
	if err != nil {
		return nil, since, file.failed(call.Row, "write", err)
	}
	return out, since, nil
}

// begun finds what an earlier call saved: FILE.part or, behind a call that asked
// for a length, FILE itself, which becomes FILE.part again. nil means nothing.
func (f *localFile) begun(offset int64) (fs.FileInfo, error) {
	info, err := f.root.Stat(f.part())
	if !errors.Is(err, fs.ErrNotExist) {
		return info, err
	}
	info, err = f.root.Stat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() != offset: // another file that is not ours to cut
		return nil, nil
	case err != nil:
		return nil, err
	}
	return info, f.root.Rename(f.name, f.part())
}

func noPart(call *catalog.Call, file *localFile, have fs.FileInfo, offset int64) error {
	e := &catalog.Error{Kind: catalog.Invalid, Advice: "Leave offset out to start over. Nothing was sent.",
		Message: fmt.Sprintf("%s: local_path %q has nothing of an earlier call, so it cannot go on at offset %d", call.About(), file.path, offset)}
	if have != nil && have.Size() > 0 {
		e.Message = fmt.Sprintf("%s: local_path %q has %d bytes of an earlier call, so it cannot go on at offset %d", call.About(), file.path, have.Size(), offset)
		e.Advice = fmt.Sprintf("Go on at offset %d, or leave offset out to start over. Nothing was sent.", have.Size())
	}
	return e
}

// changed explains the refusal of a range of a file that is no longer the same.
func changed(call *catalog.Call, file *localFile, err error) error {
	var refused *catalog.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusPreconditionFailed {
		return err
	}
	return &catalog.Error{Kind: catalog.Conflict, Status: refused.Status, RequestID: refused.RequestID, Err: err,
		Message: fmt.Sprintf("%s: the file has changed since the beginning of local_path %q was saved", call.About(), file.path),
		Advice:  "Leave offset out to start over."}
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
		message := fmt.Sprintf("%d MiB", n.offset>>20)
		if n.size >= 0 {
			message = fmt.Sprintf("%d of %d MiB", n.offset>>20, n.size>>20)
		}
		Progress(n.ctx, message)
	}
	return written, err
}

// isLocal reports whether a copy failed on this machine's side.
func isLocal(err error) bool {
	var pathError *fs.PathError
	return errors.As(err, &pathError)
}

// inUse are names that one call at a time may have.
type inUse struct {
	mu    sync.Mutex
	names map[string]bool
}

func (u *inUse) take(name string) (release func(), ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.names[name] {
		return nil, false
	}
	if u.names == nil {
		u.names = map[string]bool{}
	}
	u.names[name] = true
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.names, name)
	}, true
}
