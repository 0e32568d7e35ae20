package auth

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"time"
)

// A rotating refresh token is used up by the request that uses it, and its
// successor exists only in the answer. What protects it against a death of
// the process (kill -9, power) or a full disk in the middle:
//
//  1. Before the request, the file that will hold the answer is written at its
//     full size and synced (begin). A full disk or a read-only directory shows
//     here, while the old refresh token is still good.
//  2. The answer goes into that file and is synced (commit, first half). From
//     here on it survives: the next holder of the lock finds a whole record of
//     the next generation and finishes the write (finish).
//  3. A rename makes it the record; the directory is synced.
//
// Only then is the new access token handed out.
//
// What remains: a death after the server has used up the old token and before
// step 2 is synced, that is during the way of the answer through the network
// plus one write and fsync of about 5 kB. No client can close that gap. The
// next process then tries the old token, which works where the request never
// arrived or where the server grants a grace period, and else is told that the
// sign-in has ended, which is said together with the reason.
//
// A process that ends in order must wait for a refresh that is under way: see
// Credential.Close.

// padding is the room for tokens that are longer than the ones before.
const padding = 8 << 10

// unfinished fills the file. A line break inside a string is no JSON: a record
// that was written only in part can never pass for a whole one.
const unfinished = '\n'

// pendingWrite is a record on its way to the disk.
type pendingWrite struct {
	store *store
	path  string // of the record
	file  *os.File
}

// begin is step 1. r is the record as it is, or will be.
func (s *store) begin(r *record) (*pendingWrite, error) {
	size := padding
	if data, err := r.encode(); err == nil {
		size += len(data)
	}
	path := s.path(r)
	f, err := os.OpenFile(path+pendingSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, s.unwritable(cause(err))
	}
	p := &pendingWrite{store: s, path: path, file: f}
	note := fmt.Appendf(nil, "refreshing since %s, process %d", s.now().UTC().Format(time.RFC3339), os.Getpid())
	filler := append(note, bytes.Repeat([]byte{unfinished}, size-len(note))...)
	_, err = s.write(f, filler)
	if err == nil {
		err = s.sync(f)
	}
	if err != nil {
		p.abandon()
		return nil, s.unwritable(cause(err))
	}
	s.stage("begun")
	return p, nil
}

// abandon takes step 1 back.
func (p *pendingWrite) abandon() {
	_ = p.file.Close()
	_ = removeIfThere(p.path + pendingSuffix)
}

// leave ends the work after a request whose fate is unknown. The file stays as
// a mark that a refresh was interrupted; the next begin overwrites it.
func (p *pendingWrite) leave() { _ = p.file.Close() }

// commit is steps 2 and 3. After an error the record on the disk is the old
// one; the file of the new one stays, if it is whole.
func (p *pendingWrite) commit(r *record) error {
	s := p.store
	data, err := r.encode()
	if err == nil {
		err = p.fill(data)
	}
	err = errors.Join(err, p.file.Close())
	if err != nil {
		return s.unwritable(cause(err))
	}
	s.stage("synced")
	if err := renameShared(p.path+pendingSuffix, p.path); err != nil {
		return s.unwritable(cause(err))
	}
	s.stage("renamed")
	if err := s.syncDir(); err != nil {
		return s.unwritable(cause(err))
	}
	return nil
}

func (p *pendingWrite) fill(data []byte) error {
	if _, err := p.file.Seek(0, 0); err != nil {
		return err
	}
	if _, err := p.store.write(p.file, data); err != nil {
		return err
	}
	if err := p.file.Truncate(int64(len(data))); err != nil {
		return err
	}
	return p.store.sync(p.file)
}

// finish completes a write that was interrupted after step 2.
func (s *store) finish(r *record) (done bool, err error) {
	path := s.path(r)
	data, err := os.ReadFile(path + pendingSuffix)
	if err != nil {
		return false, nil //nolint:nilerr // there is none, which is the rule
	}
	next, err := decodeRecord(data)
	if err != nil || !next.Key.equal(r.Key) || next.User != r.User || next.Generation != r.Generation+1 {
		return false, nil //nolint:nilerr // not whole, or of another time
	}
	if next.Sealed != nil {
		if key, err := s.vault.sealKey(false); err != nil || next.open(key) != nil {
			return false, nil //nolint:nilerr // the record as it is says the same, better
		}
	}
	if err := renameShared(path+pendingSuffix, path); err != nil {
		return false, s.unwritable(cause(err))
	}
	return true, s.syncDir()
}

// interrupted tells whether the last refresh of this record did not come to
// its end.
func (s *store) interrupted(r *record) bool {
	_, err := os.Stat(s.path(r) + pendingSuffix)
	return err == nil
}

// save writes a record that nobody else holds a part of: a new sign-in.
func (s *store) save(r *record) error {
	p, err := s.begin(r)
	if err != nil {
		return err
	}
	if err := p.commit(r); err != nil {
		_ = removeIfThere(p.path + pendingSuffix)
		return err
	}
	return nil
}

// cause takes the path out of a file error: the message has it.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	var l *os.LinkError
	if errors.As(err, &l) {
		return l.Err
	}
	return err
}

// syncDir makes a rename or a removal last. Windows knows no such thing: a directory cannot
// be opened for it.
func (s *store) syncDir() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(s.sync(d), d.Close())
}

// On Windows a file that another process has open cannot be replaced, and one
// that is being replaced cannot be opened, for a moment.
const sharedTries = 50

func renameShared(from, to string) error {
	return shared(func() error { return os.Rename(from, to) })
}

func readShared(path string) (data []byte, err error) {
	err = shared(func() error { data, err = os.ReadFile(path); return err })
	return data, err
}

func shared(do func() error) error {
	for n := 1; ; n++ {
		err := do()
		if err == nil || runtime.GOOS != "windows" || n == sharedTries || errors.Is(err, fs.ErrNotExist) {
			return err
		}
		time.Sleep(4 * time.Millisecond)
	}
}
