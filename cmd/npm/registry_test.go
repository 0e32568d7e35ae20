package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tarball is a packed npm package.
type tarball struct {
	packageJSON
	file  string // as npm pack calls it
	bytes []byte
	modes map[string]os.FileMode // of its files, without the leading package/
}

func readTarball(t *testing.T, file string) tarball {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	packed := tarball{file: filepath.Base(file), bytes: content, modes: map[string]os.FileMode{}}
	for entries := tar.NewReader(unzipped); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return packed
		}
		if err != nil {
			t.Fatal(err)
		}
		inside := strings.TrimPrefix(header.Name, "package/")
		packed.modes[inside] = header.FileInfo().Mode()
		if inside == "package.json" {
			text, err := io.ReadAll(entries)
			if err != nil {
				t.Fatal(err)
			}
			known := json.NewDecoder(bytes.NewReader(text))
			known.DisallowUnknownFields() // such as scripts
			if err := known.Decode(&packed.packageJSON); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
		}
	}
}

// registry is an npm registry that can only be read:
// https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md
type registry struct {
	*httptest.Server
	packages map[string]tarball
	mu       sync.Mutex
	sent     []string // tarballs
}

func newRegistry(t *testing.T, packages map[string]tarball) *registry {
	t.Helper()
	r := &registry{packages: packages}
	r.Server = httptest.NewUnstartedServer(r) // its handlers look at r
	r.Start()
	t.Cleanup(r.Close)
	return r
}

func (r *registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	packageName, file, isTarball := strings.Cut(strings.TrimPrefix(request.URL.Path, "/"), "/-/")
	packed, ok := r.packages[packageName]
	switch {
	case !ok || request.Method != http.MethodGet:
		http.Error(w, `{"error":"not found"}`, http.StatusNotFound)
	case isTarball && file == packed.file:
		r.mu.Lock()
		r.sent = append(r.sent, packageName)
		r.mu.Unlock()
		_, _ = w.Write(packed.bytes)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(r.packument(packed))
	}
}

func (r *registry) packument(packed tarball) map[string]any {
	digest := sha512.Sum512(packed.bytes)
	return map[string]any{
		"name": packed.Name, "dist-tags": map[string]string{"latest": packed.Version},
		"versions": map[string]any{packed.Version: struct {
			packageJSON
			Dist map[string]string `json:"dist"`
		}{packed.packageJSON, map[string]string{
			"tarball":   r.URL + "/" + path.Join(packed.Name, "-", packed.file),
			"integrity": "sha512-" + base64.StdEncoding.EncodeToString(digest[:]),
		}}},
	}
}

// fetched are the packages whose tarballs were asked for since the last time.
func (r *registry) fetched() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent := r.sent
	r.sent = nil
	slices.Sort(sent)
	return sent
}

// environment is one in which npm knows nothing but the registry: no settings of
// who runs the tests, and an empty cache.
func (r *registry) environment(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	env := append(cleanEnvironment(home), "npm_config_registry="+r.URL)
	for _, setting := range []string{"cache", "userconfig", "globalconfig", "prefix"} {
		env = append(env, fmt.Sprintf("npm_config_%s=%s", setting, filepath.Join(home, setting)))
	}
	return append(env, "npm_config_update_notifier=false", "npm_config_audit=false", "npm_config_fund=false")
}

// cleanEnvironment has what programs need to run, and a home of their own.
func cleanEnvironment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_STATE_HOME=" + home,
		"BROWSER=none", "DATABRICKS_AUTH_STORAGE=plaintext",
	}
}
