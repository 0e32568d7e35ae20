package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// releaseConfig is what the tests look at of .goreleaser.yaml.
type releaseConfig struct {
	Dist   string
	Builds []struct {
		Main, Binary string
		Env, Flags   []string
		Tags         []string
		Ldflags      []string
		GOOS         []string `yaml:"goos"`
		GOARCH       []string `yaml:"goarch"`
		Hooks        struct{ Post []string }
		Ignore       []any
	}
	Checksum, Release struct {
		ExtraFiles []struct{ Glob string } `yaml:"extra_files"`
	}
	Dockers []struct {
		Images, Platforms, Flags []string
	} `yaml:"dockers_v2"`
}

func readReleaseConfig(t *testing.T) releaseConfig {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var config releaseConfig
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	return config
}

// What GoReleaser publishes must be what make build builds, for the platforms that
// the npm packages are for, and each binary must be packed.
func TestReleaseBuilds(t *testing.T) {
	needs(t, "make")
	config := readReleaseConfig(t)
	if len(config.Builds) != 1 {
		t.Fatalf("%d builds", len(config.Builds))
	}
	b := config.Builds[0]
	make := exec.Command("make", "--no-print-directory", "-n", "build", "VERSION={{ .Version }}", "GO=go", "BIN=out")
	make.Dir = root
	make.Env = withoutMake(os.Environ())
	printed, err := make.Output()
	if err != nil {
		t.Fatal(err)
	}
	command := strings.TrimSpace(string(printed))
	want := `go build ` + b.Flags[0] + ` -tags ` + strings.Join(b.Tags, ",") + ` -ldflags "` + b.Ldflags[0] + `" ` + strings.Join(b.Flags[1:], " ") + ` -o out ` + b.Main
	if command != want || len(b.Ldflags) != 1 {
		t.Errorf("make build runs\n%s\nGoReleaser\n%s", command, want)
	}
	if !slices.Equal(b.Env, []string{"CGO_ENABLED=0"}) || b.Binary != name {
		t.Errorf("environment %v, binary %s", b.Env, b.Binary)
	}
	if len(b.GOOS)*len(b.GOARCH) != len(platforms) || b.Ignore != nil {
		t.Errorf("%v × %v are not the %d platforms", b.GOOS, b.GOARCH, len(platforms))
	}
	for _, p := range platforms {
		if !slices.Contains(b.GOOS, p.goos) || !slices.Contains(b.GOARCH, p.goarch) {
			t.Errorf("%s is not built", p)
		}
	}
	for _, made := range []struct{ command, dir, files string }{{"platform", "dist/npm", "dist/npm/*.tgz"}, {"bundle", "dist/mcpb", "dist/mcpb/*.mcpb"}} {
		packs := func(hook string) bool {
			return strings.HasPrefix(hook, "go run ./cmd/npm "+made.command+" -platform {{ .Os }}-{{ .Arch }} ") && strings.Contains(hook, "-out "+made.dir)
		}
		if !slices.ContainsFunc(b.Hooks.Post, packs) {
			t.Errorf("no binary is packed by %s", made.command)
		}
		for _, files := range [][]struct{ Glob string }{config.Checksum.ExtraFiles, config.Release.ExtraFiles} {
			if !slices.Contains(files, struct{ Glob string }{made.files}) {
				t.Errorf("%s are not released, or have no checksum", made.files)
			}
		}
		if strings.HasPrefix(made.dir, config.Dist) { // which GoReleaser wants to be empty
			t.Errorf("%s is below %s", made.dir, config.Dist)
		}
	}
	if len(config.Dockers) != 1 || !slices.Equal(config.Dockers[0].Images, []string{image}) {
		t.Errorf("images %+v", config.Dockers)
	}
	stage := strings.TrimPrefix(config.Dockers[0].Flags[0], "--target=")
	if copied := dockerfile(t, stage)["COPY"]; len(copied) != 1 || !strings.HasPrefix(copied[0], "$TARGETPLATFORM/"+name+" ") {
		t.Errorf("the stage %s copies %v", stage, copied)
	}
}

// dockerfile is what the stages of an image say, by instruction.
func dockerfile(t *testing.T, stages ...string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	said := map[string][]string{}
	stage := ""
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if instruction == "FROM" {
			_, stage, _ = strings.Cut(rest, " AS ")
		}
		for _, wanted := range stages {
			if stage == wanted {
				said[instruction] = append(said[instruction], strings.TrimSpace(rest))
			}
		}
	}
	return said
}

// TestGoReleaser lets GoReleaser say that it understands its configuration.
func TestGoReleaser(t *testing.T) {
	needs(t, "goreleaser")
	if err := run(root, "goreleaser", "check"); err != nil {
		t.Error(err)
	}
}

// The version is in one file; these are all the places where it comes out.
func TestOneVersion(t *testing.T) {
	packages := buildPackages(t)
	version, err := readVersion(root)
	if err != nil {
		t.Fatal(err)
	}
	said, err := exec.Command(filepath.Join(built.dir, "bin", built.host.String(), built.host.binary()), "version").Output()
	if err != nil || strings.Fields(string(said))[1] != version {
		t.Errorf("the binary says %q, %v", said, err)
	}
	for packageName, packed := range packages {
		if packed.Version != version {
			t.Errorf("%s has version %s", packageName, packed.Version)
		}
	}
	if bundle := newBundleManifest(built.host, version).Version; bundle != version {
		t.Errorf("the bundle has version %s", bundle)
	}
	if err := stamp(root, version, true); err != nil { // server.json, the Databricks App
		t.Error(err)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil || !strings.Contains(string(makefile), "\nVERSION := $(shell cat "+versionFile+")\n") {
		t.Errorf("the Makefile does not take the version from %s: %v", versionFile, err)
	}
}
