package auth

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"

	"github.com/cli/browser"
)

var quietBrowser = sync.OnceFunc(func() {
	// Its output is no part of ours, and stdout may carry a protocol.
	browser.Stdout, browser.Stderr = io.Discard, io.Discard
})

// ErrNoBrowser: the user said BROWSER=none.
var ErrNoBrowser = errors.New("the environment says not to open a browser")

// OpenBrowser returns a function that opens a URL as the environment says.
// BROWSER is a list of commands separated by colons, of which the first that
// can be started wins; %s in one is the URL, which else is its last argument;
// "none" opens nothing. Without BROWSER the operating system decides. The
// function does not wait for the browser to end.
func OpenBrowser(getenv func(string) string) func(url string) error {
	return func(url string) error {
		// The URL comes from a workspace's metadata: nothing that a shell
		// handler of the system could take for something else.
		if !strings.HasPrefix(url, "https://") && !strings.HasPrefix(url, "http://") {
			return fmt.Errorf("not a web address")
		}
		list := strings.TrimSpace(getenv("BROWSER"))
		if strings.EqualFold(list, "none") {
			return ErrNoBrowser
		}
		if list == "" {
			quietBrowser()
			return browser.OpenURL(url)
		}
		var err error
		for _, command := range splitBrowsers(list) {
			if err = startBrowser(command, url); err == nil {
				return nil
			}
		}
		return err
	}
}

// splitBrowsers splits at colons, except those of a Windows drive.
func splitBrowsers(list string) []string {
	if len(list) > 2 && list[1] == ':' && list[2] == '\\' {
		return []string{list}
	}
	return strings.Split(list, ":")
}

func startBrowser(command, url string) error {
	args := strings.Fields(command)
	if len(command) > 2 && command[1] == ':' { // a Windows path may have spaces
		args = []string{command}
	}
	if len(args) == 0 {
		return errors.New("BROWSER names an empty command")
	}
	given := false
	for i := range args {
		if strings.Contains(args[i], "%s") {
			args[i], given = strings.ReplaceAll(args[i], "%s", url), true
		}
	}
	if !given {
		args = append(args, url)
	}
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // no zombie; how it ends is the browser's business
	return nil
}
