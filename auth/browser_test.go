package auth

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestOpenBrowser(t *testing.T) {
	dir := t.TempDir()
	if runtime.GOOS == "windows" {
		t.Skip("the commands of this test are those of Unix")
	}
	mark := filepath.Join(dir, "opened")
	script := filepath.Join(dir, "browser")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"$@\" >"+mark+".tmp && mv "+mark+".tmp "+mark+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ browser, want string }{
		{script, "https://a.example.com/?x=1&y=2"},
		{"/nowhere/to/be/found:" + script + " --new %s", "--new https://a.example.com/?x=1&y=2"},
	} {
		os.Remove(mark)
		if err := OpenBrowser(env{"BROWSER": tt.browser}.get)("https://a.example.com/?x=1&y=2"); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for t.Context().Err() == nil {
			if got, _ = os.ReadFile(mark); len(got) > 0 {
				break
			}
			runtime.Gosched()
		}
		if strings.TrimSpace(string(got)) != tt.want {
			t.Errorf("BROWSER=%s opened %q", tt.browser, got)
		}
	}
	if err := OpenBrowser(env{"BROWSER": "none"}.get)("https://a.example.com"); !errors.Is(err, ErrNoBrowser) {
		t.Errorf("none: %v", err)
	}
	if err := OpenBrowser(env{"BROWSER": script}.get)("file:///etc/passwd"); err == nil {
		t.Error("opened something that is not a web address")
	}
	if err := OpenBrowser(env{"BROWSER": "/nowhere/at/all"}.get)("https://a.example.com"); err == nil {
		t.Error("no error for a browser that does not exist")
	}
}
