// Command npm makes what a release consists of beside the binaries: npm's
// packages, MCP bundles, and the files of the repository that hold the version.
//
//	npm wrapper -out DIR                                        the package that people install
//	npm platform -platform linux-x64 -binary FILE -out DIR      the binary for one platform, which that one needs
//	npm bundle -platform linux-x64 -binary FILE -out DIR -tool SCRIPT   a .mcpb, by the official tool
//	npm stamp [-check] [-expect VERSION]                        server.json and the like
//
// It runs in the project's directory; the Makefile and GoReleaser call it. Packing
// needs npm, and bundling Node.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	if err := command(os.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "npm:", err)
		os.Exit(1)
	}
}

// build is where packages are made.
type build struct {
	root    string // the project's directory
	version string
	out     string // directory; made when it is missing
}

func command(args []string) error {
	if len(args) == 0 {
		return errors.New("which command? wrapper, platform, bundle or stamp")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	root := flags.String("root", ".", "the project's `directory`")
	out := flags.String("out", "", "`directory` for what is made")
	spelled := flags.String("platform", "", "`platform` of the binary, as npm or as Go spells it: win32-x64, windows-amd64")
	binary := flags.String("binary", "", "`file` of the binary")
	tool := flags.String("tool", "", "the command line of @anthropic-ai/mcpb, a `script`")
	check := flags.Bool("check", false, "report drift instead of writing")
	expect := flags.String("expect", "", "`version` that VERSION must hold, as a release's tag says")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	version, err := readVersion(*root)
	if err != nil {
		return err
	}
	if *expect != "" && *expect != version {
		return fmt.Errorf("%s holds %s, not %s: change it, run make stamp, commit, and tag that", versionFile, version, *expect)
	}
	b := &build{root: *root, version: version, out: *out}
	switch args[0] {
	case "stamp":
		return stamp(*root, version, *check)
	case "wrapper", "platform", "bundle":
	default:
		return fmt.Errorf("unknown command %q; valid: wrapper, platform, bundle, stamp", args[0])
	}
	if *out == "" {
		return fmt.Errorf("%s: -out is missing", args[0])
	}
	if args[0] == "wrapper" {
		return b.wrapperPackage()
	}
	p, err := findPlatform(*spelled)
	if err != nil {
		return err
	}
	content, err := readBinary(*binary, p)
	if err != nil {
		return err
	}
	if args[0] == "platform" {
		return b.platformPackage(p, content)
	}
	return b.bundle(p, content, *tool)
}
