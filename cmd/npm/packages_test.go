package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// Files that hold the version, and cannot compute it, must follow from VERSION.
func TestStamped(t *testing.T) {
	version, err := readVersion(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := stamp(root, version, true); err != nil {
		t.Error(err)
	}
	if err := stamp(root, version+"9", true); err == nil || !strings.Contains(err.Error(), "server.json") {
		t.Errorf("another version would not be noticed: %v", err)
	}
}

func TestVersion(t *testing.T) {
	for text, valid := range map[string]bool{
		"1.2.3\n": true, "0.1.0-rc.1": true, "v1.2.3": false, "1.2": false, "01.2.3": false, "1.2.3+meta": false, "": false, "1.2.3 4": false,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, versionFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if version, err := readVersion(dir); (err == nil) != valid {
			t.Errorf("%q is read as %q: %v", text, version, err)
		}
	}
}

func TestPackages(t *testing.T) {
	packages := buildPackages(t)
	outer := packages[name]
	if size := len(packages[platformPackageName(built.host)].bytes); size < 1e6 || size > 10e6 { // what a file of a Databricks App may have
		t.Errorf("the package with the binary has %d bytes", size)
	}
	for packageName, packed := range packages {
		if packed.Version != outer.Version || packed.License != license {
			t.Errorf("%s: version %s, licence %s", packageName, packed.Version, packed.License)
		}
		for _, file := range []string{"LICENSE", "README.md"} {
			if packed.modes[file].Perm() != 0o644 {
				t.Errorf("%s: %s has mode %v", packageName, file, packed.modes[file])
			}
		}
		if len(packed.modes) != 4 {
			t.Errorf("%s holds %v", packageName, packed.modes)
		}
	}
	if outer.modes["bin/brickmcp.js"].Perm() != 0o755 || outer.Bin[name] != "bin/brickmcp.js" || outer.MCPName != registryName || outer.Engines["node"] == "" {
		t.Errorf("the wrapper: %+v, modes %v", outer.packageJSON, outer.modes)
	}
	if len(outer.OptionalDependencies) != len(platforms) {
		t.Errorf("%d optional dependencies", len(outer.OptionalDependencies))
	}
	for _, p := range platforms {
		packed := packages[platformPackageName(p)]
		if outer.OptionalDependencies[packed.Name] != outer.Version {
			t.Errorf("%s: %s is asked for, not %s", packed.Name, outer.OptionalDependencies[packed.Name], outer.Version)
		}
		if !slices.Equal(packed.OS, []string{p.os}) || !slices.Equal(packed.CPU, []string{p.cpu}) || !packed.PreferUnplugged {
			t.Errorf("%s is for %v, %v; preferUnplugged %v", packed.Name, packed.OS, packed.CPU, packed.PreferUnplugged)
		}
		if mode := packed.modes["bin/"+p.binary()]; mode.Perm() != 0o755 {
			t.Errorf("%s: the binary has mode %v", packed.Name, mode)
		}
	}
}

// The targets of the Makefile must build every platform that the wrapper names.
func TestMakefilePlatforms(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range platforms {
		want = append(want, p.String())
	}
	if line := "\nNPM_PLATFORMS ?= " + strings.Join(want, " ") + "\n"; !strings.Contains(string(makefile), line) {
		t.Errorf("the Makefile lacks the line %q", line)
	}
}

// A binary for another platform, or one that is not static, must not be packed.
func TestReadBinary(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	host, err := findPlatform(runtime.GOOS + "-" + runtime.GOARCH)
	if err != nil {
		t.Skip(err)
	}
	for _, p := range platforms {
		if p == host {
			continue
		}
		if _, err := readBinary(self, p); err == nil || !strings.Contains(err.Error(), "not for "+p.String()) {
			t.Errorf("a binary for %s is taken for %s: %v", host, p, err)
		}
	}
	source := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(source, []byte("package main\nfunc main() {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for cgo, static := range map[string]bool{"0": true, "1": false} {
		binary := filepath.Join(t.TempDir(), "binary")
		cmd := exec.Command("go", "build", "-o", binary, source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if said, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, said)
		}
		if _, err := readBinary(binary, host); (err == nil) != static {
			t.Errorf("CGO_ENABLED=%s: %v", cgo, err)
		}
	}
	if _, err := readBinary(source, host); err == nil {
		t.Error("a file that is no binary is taken for one")
	}
}

func TestCommandLine(t *testing.T) {
	for _, wrong := range []struct{ arguments, says string }{
		{"", "which command"},
		{"publish", "unknown command"},
		{"wrapper", "-out"},
		{"stamp -check -expect 999.0.0", "not 999.0.0"},
		{"platform -out x -platform plan9-x64", "linux-x64"},
		{"platform -out x -platform linux-amd64 -binary /nonexistent", "nonexistent"},
	} {
		arguments := strings.Fields(wrong.arguments)
		if len(arguments) > 0 {
			arguments = append(arguments, "-root", root)
		}
		if err := command(arguments); err == nil || !strings.Contains(err.Error(), wrong.says) {
			t.Errorf("%q: %v", wrong.arguments, err)
		}
	}
}
