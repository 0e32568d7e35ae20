package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// What every channel says of the project. The names are claimed in their
// registries by whoever publishes first: change them here, and run stamp.
const (
	name        = "brickmcp"
	title       = "BrickMCP for Databricks"
	description = "All of Databricks for AI agents, safely: as you, under your policy, every call written down."
	license     = "Apache-2.0"
	repository  = "https://github.com/brickmcp/brickmcp"
	// registryName is the server's name in the MCP registry. npm packages prove it by
	// mcpName, images by the label io.modelcontextprotocol.server.name.
	registryName = "io.github.brickmcp/brickmcp"
	image        = "ghcr.io/brickmcp/brickmcp"
)

var keywords = []string{"mcp", "mcp-server", "modelcontextprotocol", "databricks", "unity-catalog", "ai-agents"}

// versionFile holds the project's one version number.
const versionFile = "VERSION"

// semver is what npm and the MCP registry take. Build metadata (+…) is left out:
// npm drops it, so that two different packages would have one version.
var semver = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$`)

func readVersion(root string) (string, error) {
	text, err := os.ReadFile(filepath.Join(root, versionFile))
	if err != nil {
		return "", err
	}
	version := strings.TrimSpace(string(text))
	if !semver.MatchString(version) {
		return "", fmt.Errorf("%s: %q is no semantic version such as 1.2.3", versionFile, version)
	}
	return version, nil
}

// platform is an operating system and processor as npm (Node) and as Go call them.
type platform struct {
	os, cpu      string // process.platform, process.arch
	goos, goarch string
}

var platforms = []platform{
	{"linux", "x64", "linux", "amd64"},
	{"linux", "arm64", "linux", "arm64"},
	{"darwin", "x64", "darwin", "amd64"},
	{"darwin", "arm64", "darwin", "arm64"},
	{"win32", "x64", "windows", "amd64"},
	{"win32", "arm64", "windows", "arm64"},
}

// String is how the platform is called in file and package names: "linux-x64".
func (p platform) String() string { return p.os + "-" + p.cpu }

// binary is the program's file name there.
func (p platform) binary() string {
	if p.os == "win32" {
		return name + ".exe"
	}
	return name
}

// findPlatform takes both spellings: linux-x64 and linux-amd64.
func findPlatform(spelled string) (platform, error) {
	var known []string
	for _, p := range platforms {
		if spelled == p.String() || spelled == p.goos+"-"+p.goarch {
			return p, nil
		}
		known = append(known, p.String())
	}
	return platform{}, fmt.Errorf("unknown platform %q; valid: %s", spelled, strings.Join(known, ", "))
}
