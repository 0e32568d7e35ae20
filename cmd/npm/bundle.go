package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// bundleManifest is the manifest.json of an MCP bundle, version 0.3:
// https://github.com/anthropics/mcpb/blob/main/MANIFEST.md
type bundleManifest struct {
	ManifestVersion string                `json:"manifest_version"`
	Name            string                `json:"name"`
	DisplayName     string                `json:"display_name"`
	Version         string                `json:"version"`
	Description     string                `json:"description"`
	Author          bundleAuthor          `json:"author"`
	Repository      gitRepository         `json:"repository"`
	Homepage        string                `json:"homepage"`
	Support         string                `json:"support"`
	License         string                `json:"license"`
	Keywords        []string              `json:"keywords"`
	Server          bundleServer          `json:"server"`
	ToolsGenerated  bool                  `json:"tools_generated"` // which tools there are follows from the access
	Compatibility   bundleCompatibility   `json:"compatibility"`
	UserConfig      map[string]bundleItem `json:"user_config"`
}

type bundleAuthor struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type bundleServer struct {
	Type       string       `json:"type"`
	EntryPoint string       `json:"entry_point"`
	Config     bundleLaunch `json:"mcp_config"`
}

type bundleLaunch struct {
	Command string            `json:"command"`
	Args    []string          `json:"args"`
	Env     map[string]string `json:"env"`
}

type bundleCompatibility struct {
	Platforms []string `json:"platforms"`
}

type bundleItem struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
	Default     any    `json:"default"`
}

// newBundleManifest describes the bundle for one platform. The format knows no
// processors, so there is a bundle for each, and people choose by the file's name.
//
// The settings go into the environment: an empty variable counts as not set, which
// an empty argument would not. None of them is a secret, since people sign in with
// the browser.
func newBundleManifest(p platform, version string) bundleManifest {
	entry := "server/" + p.binary()
	return bundleManifest{
		ManifestVersion: "0.3", Name: name, DisplayName: title, Version: version, Description: description,
		Author: bundleAuthor{"The BrickMCP authors", repository}, Repository: gitRepository{"git", repository + ".git"},
		Homepage: repository, Support: repository + "/issues", License: license, Keywords: keywords,
		Server: bundleServer{"binary", entry, bundleLaunch{
			Command: "${__dirname}/" + entry,
			Args:    []string{},
			Env: map[string]string{
				"BRICKMCP_HOST":    "${user_config.host}",
				"BRICKMCP_ACCESS":  "${user_config.access}",
				"BRICKMCP_POLICY":  "${user_config.policy}",
				"BRICKMCP_SANDBOX": "${user_config.sandbox}",
			},
		}},
		ToolsGenerated: true,
		Compatibility:  bundleCompatibility{[]string{p.os}},
		UserConfig: map[string]bundleItem{
			"host":    {"string", "Workspace URL", "Such as https://dbc-a1b2c3d4-e5f6.cloud.databricks.com; empty for who is signed in already", false, ""},
			"access":  {"string", "Access", "What agents may use: off, read or full, also for single groups as in read,jobs=full; empty for read, or what the policy says", false, ""},
			"policy":  {"string", "Policy file", "Path of a policy (YAML) that narrows what agents may do; empty for none", false, ""},
			"sandbox": {"boolean", "Sandbox", "Serve an embedded workspace that needs no account", false, false},
		},
	}
}

// bundle makes out/NAME-VERSION-PLATFORM.mcpb by the official tool, whose command
// line is the script tool; the tool checks the manifest before.
func (b *build) bundle(p platform, binary []byte, tool string) error {
	folder, err := os.MkdirTemp("", "brickmcp-mcpb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	manifest, err := indented(newBundleManifest(p, b.version))
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(filepath.Join(b.root, "LICENSE"))
	if err != nil {
		return err
	}
	program := filepath.Join(folder, "server", p.binary())
	if err := errors.Join(
		os.MkdirAll(b.out, 0o755),
		os.Mkdir(filepath.Dir(program), 0o755),
		os.WriteFile(filepath.Join(folder, "manifest.json"), manifest, 0o644),
		os.WriteFile(filepath.Join(folder, "LICENSE"), licence, 0o644),
		os.WriteFile(program, binary, 0o755),
		os.Chmod(program, 0o755), // whatever the umask: the bundle keeps the mode
	); err != nil {
		return err
	}
	out, err := filepath.Abs(filepath.Join(b.out, fmt.Sprintf("%s-%s-%s.mcpb", name, b.version, p)))
	if err != nil {
		return err
	}
	if tool, err = filepath.Abs(tool); err != nil {
		return err
	}
	return errors.Join(
		run(folder, "node", tool, "validate", "manifest.json"),
		run(folder, "node", tool, "pack", ".", out),
	)
}
