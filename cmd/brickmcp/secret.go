package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
)

// secretFile keeps 32 random bytes, as base64, in a file for this user alone. It is
// made when it is first needed, and holds until it is replaced.
type secretFile struct {
	path string
	// command replaces it; "": nothing needs to.
	command string
}

// secretBytes is the length of a secret: 256 bits, unguessable.
const secretBytes = 32

// bearerFile is what clients of the local HTTP mode must know, and keyFile signs
// their session ids.
func (c *config) bearerFile() secretFile {
	return secretFile{path: filepath.Join(c.stateDir(), "http", "secret"), command: "brickmcp secret --new"}
}

func (c *config) keyFile() secretFile {
	return secretFile{path: filepath.Join(c.stateDir(), "http", "session.key")}
}

func (c *config) secretCommand() *cobra.Command {
	var fresh bool
	cmd := &cobra.Command{
		Use: "secret", Short: "Print the bearer secret of --transport http --identity local", Args: usage(cobra.NoArgs),
		Long: "Print the secret that clients of the local HTTP mode send as Authorization: Bearer SECRET.\n" +
			"It is made when it is first needed. Whoever has it, and can reach this machine's loopback, acts as you.",
		RunE: func(*cobra.Command, []string) error {
			if c.stateDir() == "" {
				return fmt.Errorf("the secret is kept in the state directory, and the environment names none: set HOME or XDG_STATE_HOME")
			}
			file := c.bearerFile()
			secret, err := file.read()
			if fresh || errors.Is(err, fs.ErrNotExist) {
				secret, err = file.make(fresh)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.out, secret)
			return err
		},
	}
	cmd.Flags().BoolVar(&fresh, "new", false, "replace it: clients with the old one are refused from now on")
	return cmd
}

// read gives the secret; an error that is fs.ErrNotExist when there is none.
func (f secretFile) read() (string, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no file: remove it", f.path)
	}
	if mode := info.Mode().Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (mode %04o), so it is no secret: %s", f.path, mode, f.fix())
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(text))
	if raw, err := base64.RawURLEncoding.DecodeString(secret); err != nil || len(raw) != secretBytes {
		return "", fmt.Errorf("%s does not hold a secret: %s", f.path, f.fix())
	}
	return secret, nil
}

func (f secretFile) fix() string {
	if f.command == "" {
		return "remove it, and it is made anew"
	}
	return f.command + " replaces it"
}

// make makes the secret, unless another process was faster or it is to be replaced.
// The file is always whole: it is written beside, and moved into its place.
func (f secretFile) make(replace bool) (secret string, err error) {
	dir := filepath.Dir(f.path)
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return "", fmt.Errorf("the secret cannot be kept: %w", err)
		}
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(dir, 0o700); err != nil {
			return "", fmt.Errorf("the secret cannot be kept: %w", err)
		}
	}
	lock := flock.New(f.path+".lock", flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if _, err := lock.TryLockContext(waiting, 20*time.Millisecond); err != nil {
		return "", fmt.Errorf("%s.lock cannot be locked: %w", f.path, err)
	}
	defer lock.Close()
	if !replace {
		if secret, err := f.read(); !errors.Is(err, fs.ErrNotExist) {
			return secret, err
		}
	}
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails
	secret = base64.RawURLEncoding.EncodeToString(raw)
	file, err := os.CreateTemp(dir, ".secret.*.tmp") // 0600
	if err != nil {
		return "", fmt.Errorf("the secret cannot be kept: %w", err)
	}
	_, err = file.WriteString(secret + "\n")
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), f.path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return "", fmt.Errorf("the secret cannot be kept: %w", err)
	}
	return secret, nil
}

// open reads the secret, and makes it if there is none.
func (f secretFile) open() (string, error) {
	secret, err := f.read()
	if errors.Is(err, fs.ErrNotExist) {
		return f.make(false)
	}
	return secret, err
}

// watched is a secret that is checked against its file before each use: replacing the
// file needs no restart, and what others can read is no secret any more.
type watched struct {
	file secretFile

	mu    sync.Mutex
	stamp fs.FileInfo
	sum   [sha256.Size]byte
}

// is reports whether this is the secret, in a time that tells nothing of it.
func (w *watched) is(given string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	stamp, err := os.Stat(w.file.path)
	if err != nil {
		return false, err
	}
	if w.stamp == nil || !same(stamp, w.stamp) || stamp.Mode() != w.stamp.Mode() {
		w.stamp = nil
		secret, err := w.file.read()
		if err != nil {
			return false, err
		}
		w.stamp, w.sum = stamp, sha256.Sum256([]byte(secret))
	}
	sum := sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(sum[:], w.sum[:]) == 1, nil
}
