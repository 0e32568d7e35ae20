package main

import (
	"bytes"
	"debug/buildinfo"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed wrapper
var wrapper embed.FS

// packageJSON is the part of npm's package.json that we use:
// https://docs.npmjs.com/cli/configuring-npm/package-json
type packageJSON struct {
	Name                 string            `json:"name"`
	Version              string            `json:"version"`
	MCPName              string            `json:"mcpName,omitempty"`
	Description          string            `json:"description"`
	Keywords             []string          `json:"keywords,omitempty"`
	License              string            `json:"license"`
	Homepage             string            `json:"homepage"`
	Bugs                 string            `json:"bugs"`
	Repository           gitRepository     `json:"repository"`
	Engines              map[string]string `json:"engines,omitempty"`
	Bin                  map[string]string `json:"bin,omitempty"`
	Files                []string          `json:"files"`
	OS                   []string          `json:"os,omitempty"`
	CPU                  []string          `json:"cpu,omitempty"`
	PreferUnplugged      bool              `json:"preferUnplugged,omitempty"` // Yarn: a binary cannot run inside a zip
	OptionalDependencies map[string]string `json:"optionalDependencies,omitempty"`
}

type gitRepository struct {
	Type string `json:"type"`
	URL  string `json:"url"`
}

func manifest(packageName, version string) packageJSON {
	return packageJSON{
		Name: packageName, Version: version, Description: description, License: license, Homepage: repository + "#readme",
		Bugs: repository + "/issues", Repository: gitRepository{"git", "git+" + repository + ".git"},
	}
}

// wrapperPackage is what people install: a script that starts the binary, which
// comes in an optional dependency of which npm takes the one for the platform.
func (b *build) wrapperPackage() error {
	m := manifest(name, b.version)
	m.MCPName, m.Keywords = registryName, keywords
	m.Engines = map[string]string{"node": ">=18"}
	m.Bin = map[string]string{name: "bin/brickmcp.js"}
	m.Files = []string{"bin"}
	m.OptionalDependencies = map[string]string{}
	for _, p := range platforms {
		m.OptionalDependencies[platformPackageName(p)] = b.version
	}
	script, err := wrapper.ReadFile("wrapper/brickmcp.js")
	if err != nil {
		return err
	}
	readme, err := wrapper.ReadFile("wrapper/README.md")
	if err != nil {
		return err
	}
	return b.pack(m, readme, "bin/brickmcp.js", script)
}

func platformPackageName(p platform) string { return name + "-" + p.String() }

// platformPackage holds the binary for one platform, and nothing that runs by itself.
func (b *build) platformPackage(p platform, binary []byte) error {
	m := manifest(platformPackageName(p), b.version)
	m.Description = fmt.Sprintf("The %s binary of %s; install %s instead.", p, name, name)
	m.OS, m.CPU = []string{p.os}, []string{p.cpu}
	m.Files = []string{"bin"}
	m.PreferUnplugged = true
	readme := fmt.Sprintf("# %s\n\nThe %s binary of [%s](%s). Install `%s`, which picks the package for your platform.\n", m.Name, p, name, repository, name)
	return b.pack(m, []byte(readme), "bin/"+p.binary(), binary)
}

// pack makes the tarball, out/NAME-VERSION.tgz, by npm's own packer.
func (b *build) pack(m packageJSON, readme []byte, file string, content []byte) error {
	folder, err := os.MkdirTemp("", "brickmcp-npm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	text, err := indented(m)
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(b.root, "LICENSE"))
	if err != nil {
		return err
	}
	if err := errors.Join(
		os.MkdirAll(b.out, 0o755),
		os.Mkdir(filepath.Join(folder, "bin"), 0o755),
		os.WriteFile(filepath.Join(folder, "package.json"), text, 0o644),
		os.WriteFile(filepath.Join(folder, "README.md"), readme, 0o644),
		os.WriteFile(filepath.Join(folder, "LICENSE"), licence, 0o644),
		os.WriteFile(filepath.Join(folder, filepath.FromSlash(file)), content, 0o755),
		os.Chmod(filepath.Join(folder, filepath.FromSlash(file)), 0o755), // whatever the umask: npm keeps the mode
	); err != nil {
		return err
	}
	out, err := filepath.Abs(b.out)
	if err != nil {
		return err
	}
	return run(folder, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", out)
}

// readBinary refuses a binary that is not one for the platform: npm would ship it
// to everybody who has it, and nothing would say so before it runs there.
func readBinary(path string, p platform) ([]byte, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, err
	}
	built := map[string]string{}
	for _, setting := range info.Settings {
		built[setting.Key] = setting.Value
	}
	if built["GOOS"] != p.goos || built["GOARCH"] != p.goarch {
		return nil, fmt.Errorf("%s is built for %s/%s, not for %s", path, built["GOOS"], built["GOARCH"], p)
	}
	if built["CGO_ENABLED"] != "0" {
		return nil, fmt.Errorf("%s is not static: build it with CGO_ENABLED=0", path)
	}
	return os.ReadFile(path)
}

// run runs another program in a directory; its stdout goes to our stderr, and the
// error holds what it said.
func run(dir, program string, args ...string) error {
	path, err := exec.LookPath(program) // npm is npm.cmd on Windows
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", filepath.Base(program), args, err, said.Bytes())
	}
	return nil
}

// indented is JSON as people write it, without HTML's escapes: ">=18".
func indented(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	err := encoder.Encode(value)
	return text.Bytes(), err
}
