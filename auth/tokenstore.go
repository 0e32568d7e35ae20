package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

const (
	recordSuffix  = ".json"
	pendingSuffix = ".next" // appended to the name of a record: the one that will replace it
	lockPoll      = 15 * time.Millisecond
)

// store keeps sign-ins as files below the state directory, one for each user
// of a loginKey, and a lock file for each loginKey.
//
// Reading needs no lock, because a record is replaced as a whole by a rename.
// Whoever wants to write holds the lock of the key, and has read after taking
// it.
type store struct {
	dir   string
	vault *vault
	now   func() time.Time

	// write and stage are seams for tests: a disk that is full, and a process
	// that dies between two steps.
	write func(*os.File, []byte) (int, error)
	sync  func(*os.File) error
	stage func(string)
}

// errNoSignIn: nobody signed in for this key, or somebody signed out.
var errNoSignIn = errors.New("no sign-in is stored")

func newStore(o Options) *store {
	dir := filepath.Join(o.StateDir, "signin")
	ring := o.Keyring
	if ring == nil {
		ring = osKeyring{}
		// The Databricks CLI's own switch, honoured here for the same wish.
		if strings.EqualFold(strings.TrimSpace(o.Getenv("DATABRICKS_AUTH_STORAGE")), "plaintext") {
			ring = NoKeyring
		}
	}
	return &store{
		dir: dir, vault: newVault(ring, dir, o.Now), now: o.Now,
		write: (*os.File).Write, sync: o.sync, stage: func(string) {},
	}
}

// prepare makes the directories, for this user alone.
func (s *store) prepare() error {
	for _, dir := range []string{filepath.Dir(s.dir), s.dir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return s.unwritable(err)
		}
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o077 != 0 {
			if err := os.Chmod(dir, 0o700); err != nil {
				return s.unwritable(err)
			}
		}
	}
	return nil
}

func (s *store) path(r *record) string { return filepath.Join(s.dir, r.Key.file(r.User)) }

// lock waits for the lock of a key across all processes of this user.
func (s *store) lock(ctx context.Context, k loginKey) (unlock func(), err error) {
	if err := s.prepare(); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(s.dir, k.slot()+".lock"), flock.SetPermissions(0o600))
	ok, err := l.TryLockContext(ctx, lockPoll)
	switch {
	case ctx.Err() != nil:
		return nil, &Error{
			Message:   fmt.Sprintf("Another process of this user is still busy with the sign-in to %s.", k.where()),
			Advice:    "Try again in a few seconds. If it goes on, look for a hanging brickmcp process and end it.",
			Temporary: true,
		}
	case err != nil || !ok:
		return nil, s.unwritable(err)
	}
	return func() { _ = l.Unlock() }, nil // the kernel lets go of it anyway when the file is closed
}

// load returns the sign-in for a key: that of the named user, else the latest.
// It opens the seal. errNoSignIn if there is none; errCorrupt when the only
// candidate is damaged; otherwise an *Error.
func (s *store) load(k loginKey, user string) (*record, error) {
	all, damaged, err := s.records(func(name string) bool { return strings.HasPrefix(name, k.slot()+"-") })
	if err != nil {
		return nil, err
	}
	var found *record
	for _, r := range all {
		if r.Key.equal(k) && (user == "" || strings.EqualFold(user, r.User)) && (found == nil || r.SignedInAt.After(found.SignedInAt)) {
			found = r
		}
	}
	switch {
	case found == nil && len(damaged) > 0:
		return nil, errCorrupt
	case found == nil:
		return nil, errNoSignIn
	case found.Tokens != nil:
		return found, nil
	}
	key, err := s.vault.sealKey(false)
	if err != nil {
		return nil, s.sealed(found, err)
	}
	if err := found.open(key); err != nil {
		return nil, err
	}
	return found, nil
}

// loadLocked is load for the holder of the lock: it finishes a write that was
// interrupted before its last step, and puts damaged files aside, whose new
// names it returns.
func (s *store) loadLocked(k loginKey, user string) (r *record, aside []string, err error) {
	r, err = s.load(k, user)
	if err == nil {
		if done, err := s.finish(r); err != nil || !done {
			return r, nil, err
		}
		r, err = s.load(k, user)
		return r, nil, err
	}
	if !errors.Is(err, errCorrupt) {
		return nil, nil, err
	}
	_, damaged, err := s.records(func(name string) bool { return strings.HasPrefix(name, k.slot()+"-") })
	if err != nil {
		return nil, nil, err
	}
	if len(damaged) == 0 { // whole, but its seal does not open
		if all, _, err := s.records(func(name string) bool { return strings.HasPrefix(name, k.slot()+"-") }); err == nil {
			for _, r := range all {
				if r.Sealed != nil {
					damaged = append(damaged, r.Key.file(r.User))
				}
			}
		}
	}
	for _, name := range damaged {
		to := fmt.Sprintf("%s.corrupt-%s", name, s.now().UTC().Format("20060102T150405Z"))
		if err := os.Rename(filepath.Join(s.dir, name), filepath.Join(s.dir, to)); err != nil {
			return nil, aside, s.unwritable(err)
		}
		aside = append(aside, filepath.Join(s.dir, to))
	}
	return nil, aside, errNoSignIn
}

// records reads all records whose file name is wanted, and the names of those
// that are damaged. Seals stay closed. A file of a newer version is an *Error.
func (s *store) records(wanted func(name string) bool) (all []*record, damaged []string, err error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, s.unreadable(s.dir, err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, recordSuffix) || strings.HasSuffix(name, attemptSuffix) || !wanted(name) {
			continue
		}
		path := filepath.Join(s.dir, name)
		data, err := readShared(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // signed out since the directory was read
		}
		if err != nil {
			return nil, nil, s.unreadable(path, err)
		}
		r, err := decodeRecord(data)
		var newer newerError
		switch {
		case errors.As(err, &newer):
			return nil, nil, &Error{
				Message: fmt.Sprintf("The stored sign-in %s was written by a newer version of brickmcp (format %d; this one knows %d). It was left as it is.", path, newer.version, recordVersion),
				Advice:  "Use the newer version, or delete that file and sign in again.",
			}
		case err != nil || r.Key.file(r.User) != name:
			damaged = append(damaged, name)
		default:
			all = append(all, r)
		}
	}
	return all, damaged, nil
}

// remove deletes the sign-ins for a key, of one user or of all. The caller
// holds the lock.
func (s *store) remove(k loginKey, user string) ([]*record, error) {
	all, _, err := s.records(func(name string) bool { return strings.HasPrefix(name, k.slot()+"-") })
	if err != nil {
		return nil, err
	}
	var gone []*record
	for _, r := range all {
		if user != "" && !strings.EqualFold(user, r.User) {
			continue
		}
		path := filepath.Join(s.dir, k.file(r.User))
		if err := errors.Join(removeIfThere(path+pendingSuffix), removeIfThere(path)); err != nil {
			return gone, s.unwritable(err)
		}
		gone = append(gone, r)
	}
	return gone, s.syncDir()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *store) sealed(r *record, err error) *Error {
	return &Error{
		Message: fmt.Sprintf("The sign-in of %s to %s is stored under a key in the keyring of this machine, which is not available now (%s).", nameOr(r.User, "somebody"), r.Key.where(), keyringReason(err)),
		Advice:  "Unlock the keyring, or sign in again from here: " + loginCommand(r.Key.Host, "") + ".",
		noHold:  true,
	}
}

// keyringReason names the kind of failure; the texts of keyrings are anything.
func keyringReason(err error) string {
	switch {
	case errors.Is(err, ErrNotInKeyring):
		return "the key is gone"
	case errors.Is(err, errKeyringSlow), errors.Is(err, errNoKeyring), errors.Is(err, errKeyringForgets):
		return err.Error()
	}
	return "it cannot be reached"
}

func (s *store) unwritable(err error) *Error {
	e := &Error{
		Message: fmt.Sprintf("The sign-in cannot be stored in %s: %s.", s.dir, reason(err)),
		Advice:  "Free some space, or make the directory writable for this user (XDG_STATE_HOME moves it); then try again.",
		Err:     err, noHold: true,
	}
	return e
}

func (s *store) unreadable(path string, err error) *Error {
	return &Error{
		Message: fmt.Sprintf("The stored sign-in %s cannot be read: %s.", path, reason(err)),
		Advice:  "Make it readable for this user, or delete it and sign in again.",
		Err:     err, noHold: true,
	}
}

func nameOr(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return printable(name)
}
