package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Programs runs command line tools that keep a login of their own.
type Programs interface {
	// Find looks a program up: by name in the PATH, or as it is if it is a
	// path. The error is fs.ErrNotExist or wraps it when there is none.
	Find(name string) (Program, error)
	// Run runs a program to its end and returns what it wrote to stdout. A
	// program that ended with another status than 0 is an *ExitError.
	Run(ctx context.Context, c Command) (stdout []byte, err error)
}

// Program is an executable file.
type Program struct {
	Path string
	Size int64 // bytes
}

// Command is one run of a program. It never holds a secret: everybody on the
// machine can read a process list.
type Command struct {
	Path string
	Args []string
	Env  []string // "NAME=value", beside what every program gets
}

// ExitError says that a program failed.
type ExitError struct {
	Status int
	Stderr string // its beginning; may quote anything
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// machine is the real Programs.
type machine struct {
	getenv func(string) string
}

const (
	maxOutput = 1 << 20  // bytes of stdout; an answer has about 3 kB
	maxStderr = 16 << 10 // bytes
)

// passed are the variables that programs get (contract auth.md, section 11):
// what finding files, the keyring and the network takes. Credentials in the
// environment are left out, for they would change who the program signs in.
var passed = []string{
	"PATH", "PATHEXT", "HOME", "USER", "LOGNAME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC",
	"TMPDIR", "TEMP", "TMP", "TZ", "LANG", "LC_ALL",
	"XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS",
	"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
	"DATABRICKS_AUTH_STORAGE", "AZURE_CONFIG_DIR",
}

func (m machine) Find(name string) (Program, error) {
	path := name
	if !strings.ContainsAny(name, `/\`) {
		var err error
		if path, err = m.lookPath(name); err != nil {
			return Program{}, err
		}
	}
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = &os.PathError{Op: "stat", Path: path, Err: os.ErrNotExist}
	}
	if err != nil {
		return Program{}, err
	}
	return Program{Path: path, Size: info.Size()}, nil
}

// lookPath is exec.LookPath for the PATH that getenv gives. Relative entries
// are passed over: what lies in the working directory of an agent is not ours
// to run.
func (m machine) lookPath(name string) (string, error) {
	endings := []string{""}
	if runtime.GOOS == "windows" {
		endings = []string{".exe", ".cmd", ".bat"}
	}
	for _, dir := range filepath.SplitList(m.getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue
		}
		for _, ending := range endings {
			path := filepath.Join(dir, name+ending)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode()&0o111 != 0) {
				return path, nil
			}
		}
	}
	return "", &exec.Error{Name: name, Err: os.ErrNotExist}
}

func (m machine) Run(ctx context.Context, c Command) ([]byte, error) {
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Env = []string{} // nil would be the whole environment of this process
	for _, name := range passed {
		if v := m.getenv(name); v != "" {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, c.Env...)
	stdout, stderr := &capped{limit: maxOutput}, &capped{limit: maxStderr}
	cmd.Stdout, cmd.Stderr = stdout, stderr // and no stdin: nothing can ask a question
	// A child of the program may keep the pipes open after its end.
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.As(err, &exit):
		return nil, &ExitError{Status: exit.ExitCode(), Stderr: stderr.kept.String()}
	case err != nil:
		return nil, err
	case stdout.full:
		return nil, fmt.Errorf("more than %d bytes of output", maxOutput)
	}
	return stdout.kept.Bytes(), nil
}

// capped keeps the beginning of what is written and lets the rest go, so that
// a talkative program neither fills the memory nor blocks. The buffer is not
// embedded: io.Copy would find its ReadFrom and go round the limit.
type capped struct {
	kept  bytes.Buffer
	limit int
	full  bool
}

func (c *capped) Write(p []byte) (int, error) {
	if room := c.limit - c.kept.Len(); room < len(p) {
		c.full = true
		c.kept.Write(p[:room])
		return len(p), nil
	}
	return c.kept.Write(p)
}

const maxSmallFile = 1 << 20 // bytes; an id token has 2 kB

func readSmallFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSmallFile+1))
	if err == nil && len(data) > maxSmallFile {
		err = fmt.Errorf("it is larger than %d bytes", maxSmallFile)
	}
	return data, err
}
