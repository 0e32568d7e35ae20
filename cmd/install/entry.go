package install

import (
	"fmt"
	"strings"
)

// Name is the entry's in every client.
const Name = "brickmcp"

// Entry is what a client starts.
type Entry struct {
	Command string
	Args    []string // none of them a secret: that is the caller's to see to
}

// NPX is the entry that starts the npm package, of that version where it is not empty.
//
// Windows has npx as a batch file, which clients that start programs without a shell
// cannot run (https://github.com/modelcontextprotocol/servers/issues/40): cmd does.
// What cmd would read as its own syntax is refused.
func NPX(os, version string, args []string) (Entry, error) {
	spec := Name
	if version != "" {
		spec += "@" + version
	}
	e := Entry{Command: "npx", Args: append([]string{"-y", spec}, args...)}
	if os != "windows" {
		return e, nil
	}
	for _, arg := range args {
		if i := strings.IndexAny(arg, "&|<>^%!\"\r\n"); i >= 0 {
			return Entry{}, fmt.Errorf("npx on Windows goes through cmd, which has a meaning of its own for %q in %q; install the binary and run it without --npx", arg[i], arg)
		}
	}
	return Entry{Command: "cmd", Args: append([]string{"/c", "npx"}, e.Args...)}, nil
}
