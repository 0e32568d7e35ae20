package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// printedSecret is what brickmcp secret prints.
func printedSecret(t *testing.T, env map[string]string, arguments ...string) (string, error) {
	t.Helper()
	var out, log bytes.Buffer
	root := newRoot(newConfig(func(name string) string { return env[name] }, strings.NewReader(""), &out, &log))
	root.SetArgs(append([]string{"secret"}, arguments...))
	err := root.ExecuteContext(t.Context())
	if log.Len() > 0 {
		t.Errorf("stderr carries %q", log.String())
	}
	return out.String(), err
}

func TestSecretCommand(t *testing.T) {
	env := map[string]string{"XDG_STATE_HOME": t.TempDir()}
	first, err := printedSecret(t, env)
	if err != nil || len(first) != 44 || !strings.HasSuffix(first, "\n") {
		t.Fatalf("%q, %v", first, err)
	}
	if again, err := printedSecret(t, env); err != nil || again != first {
		t.Errorf("the second time %q, %v", again, err)
	}
	fresh, err := printedSecret(t, env, "--new")
	if err != nil || fresh == first || len(fresh) != 44 {
		t.Errorf("a new one: %q, %v", fresh, err)
	}
	if again, err := printedSecret(t, env); err != nil || again != fresh {
		t.Errorf("after that %q, %v", again, err)
	}
	if _, err := printedSecret(t, map[string]string{}); err == nil || !strings.Contains(err.Error(), "XDG_STATE_HOME") {
		t.Errorf("without a home: %v", err)
	}
	dir := filepath.Join(env["XDG_STATE_HOME"], "brickmcp", "http")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 2 { // and the lock
		t.Errorf("%d files, %v", len(entries), err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for path, want := range map[string]fs.FileMode{dir: 0o700, filepath.Join(dir, "secret"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
}

func TestSecretThatOthersCanRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes of files say nothing on Windows")
	}
	env := map[string]string{"XDG_STATE_HOME": t.TempDir()}
	first, err := printedSecret(t, env)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(env["XDG_STATE_HOME"], "brickmcp", "http", "secret")
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		shown, err := printedSecret(t, env)
		if err == nil || shown != "" || !strings.Contains(err.Error(), "brickmcp secret --new") || strings.Contains(err.Error(), strings.TrimSpace(first)) {
			t.Errorf("mode %v: %q, %v", mode, shown, err)
		}
	}
	if fresh, err := printedSecret(t, env, "--new"); err != nil || fresh == first {
		t.Errorf("a new one: %q, %v", fresh, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestSecretFileOutOfShape(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "short": "abc\n", "spaces": strings.Repeat(" ", 43), "long": strings.Repeat("a", 86)} {
		file := secretFile{path: filepath.Join(t.TempDir(), "http", "secret"), command: "brickmcp secret --new"}
		if _, err := file.open(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if secret, err := file.open(); err == nil || !strings.Contains(err.Error(), "--new") {
			t.Errorf("%s: %q, %v", name, secret, err)
		}
	}
	file := secretFile{path: t.TempDir()}
	if _, err := file.read(); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("a directory: %v", err)
	}
}

// Processes that start at the same time agree on one secret.
func TestSecretIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http", "secret")
	var mu sync.Mutex
	seen := map[string]bool{}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			secret, err := secretFile{path: path}.open()
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			seen[secret] = true
		})
	}
	group.Wait()
	if len(seen) != 1 {
		t.Errorf("%d secrets", len(seen))
	}
}

func TestWatchedSecret(t *testing.T) {
	w := &watched{file: secretFile{path: filepath.Join(t.TempDir(), "http", "secret")}}
	if _, err := w.is("x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	first, err := w.file.open()
	if err != nil {
		t.Fatal(err)
	}
	is := func(secret string, want bool) {
		t.Helper()
		if right, err := w.is(secret); err != nil || right != want {
			t.Errorf("%v, %v; want %v", right, err, want)
		}
	}
	is(first, true)
	is("", false)
	is(first+"x", false)
	is(first[:42], false)
	fresh, err := w.file.make(true)
	if err != nil {
		t.Fatal(err)
	}
	is(first, false) // without a restart
	is(fresh, true)
	if runtime.GOOS != "windows" {
		if err := os.Chmod(w.file.path, 0o644); err != nil {
			t.Fatal(err)
		}
		if right, err := w.is(fresh); right || err == nil {
			t.Error("what others can read is still taken for a secret")
		}
	}
}
