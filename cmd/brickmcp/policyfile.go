package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"time"

	"brickmcp/tools/audit"
	"brickmcp/tools/policy"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/zap"
)

// policyFile is the policy in force. It looks at the file before every decision,
// and reads it again when it has changed: no call is judged by rules that are not
// there any more.
type policyFile struct {
	path     string
	prefixes []string                            // of tools that other MCP servers have
	fill     func(*policy.Policy) *policy.Policy // what the file leaves open
	log      *zap.Logger
	audit    *audit.Log
	changed  func() // what tools/list shows may be different now

	mu     sync.Mutex
	read   bool
	stamp  fs.FileInfo
	text   []byte // what was read under that stamp
	young  bool   // the stamp may not show a change that is still to come
	policy *policy.Policy
	err    error
}

// Current implements tools.Policies.
func (f *policyFile) Current() (*policy.Policy, error) {
	stamp, err := os.Stat(f.path)
	if err != nil {
		stamp = nil // Load says why
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read && same(stamp, f.stamp) && (!f.young || f.unchanged()) {
		return f.policy, f.err
	}
	f.load(stamp)
	return f.policy, f.err
}

// tick is the coarsest time that file systems keep of a change. Of two changes within
// one, the second may leave size and time as they are: read becomes full, and nobody
// sees it but who compares the text.
const tick = 2 * time.Second

// unchanged compares the file with what was read, and stops to do so when a tick has
// passed. It is called with mu held.
func (f *policyFile) unchanged() bool {
	f.young = young(f.stamp)
	return bytes.Equal(f.text, head(f.path))
}

// young reports whether a file was changed within the last tick. A pipe, which can
// be read once, never is.
func young(stamp fs.FileInfo) bool {
	return stamp != nil && stamp.Mode().IsRegular() && time.Since(stamp.ModTime()).Abs() < tick
}

// head is as much of a file as a policy may have; nil when it cannot be read, which
// Load says.
func head(path string) []byte {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, 2<<20))
	if err != nil {
		return nil
	}
	return text
}

// reload reads the file again, whatever its stamp says.
func (f *policyFile) reload() {
	stamp, err := os.Stat(f.path)
	if err != nil {
		stamp = nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.load(stamp)
}

// load is called with mu held.
func (f *policyFile) load(stamp fs.FileInfo) {
	again := f.read
	f.read, f.stamp, f.young = true, stamp, young(stamp)
	if f.text = nil; f.young {
		f.text = head(f.path) // before Load: what changes in between is seen as a change
	}
	f.policy, f.err = policy.Load(f.path, f.prefixes...)
	if f.err == nil {
		f.policy = f.fill(f.policy)
	}
	name := filepath.Base(f.path)
	say := fmt.Sprintf("The policy %s is in force.", name)
	if again {
		say = fmt.Sprintf("The policy %s was read again and is in force.", name)
	}
	line := audit.Line{Event: "reload", Outcome: "ok", Object: name}
	if f.err != nil {
		f.policy = nil
		say = fmt.Sprintf("The policy %s cannot be used, so nothing is allowed: %v", name, f.err)
		line.Outcome = "error"
		f.log.Error("nothing is allowed: the policy cannot be used", zap.Error(f.err))
	} else if again {
		f.log.Info("the policy was read again", zap.String("file", name))
	}
	line.Say = say
	if again || f.err != nil {
		note(f.audit, f.log, line)
	}
	if again && f.changed != nil {
		go f.changed()
	}
}

// same reports whether a file has not changed between two looks at it.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// watch looks at the file when something happens to it, and reads it again on the
// hang-up signal, so that clients hear of other tools before they call one. Where
// files cannot be watched, the look before every call is all there is.
func (f *policyFile) watch(ctx context.Context) {
	hangUps := make(chan os.Signal, 1)
	if len(hangUp) > 0 {
		signal.Notify(hangUps, hangUp...)
	}
	var events chan fsnotify.Event
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		// The directory, not the file: editors and mounts put another file in its place.
		err = watcher.Add(filepath.Dir(f.path))
		events = watcher.Events
	}
	if err != nil {
		f.log.Debug("the policy file is not watched", zap.Error(err))
	}
	go func() {
		defer signal.Stop(hangUps)
		if watcher != nil {
			defer watcher.Close()
		}
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangUps:
				f.reload()
			case _, open := <-events:
				if !open {
					events = nil
					continue
				}
				_, _ = f.Current() // what is wrong with it is said by load
			}
		}
	}()
}
