// Package browsertest drives a real headless Chromium in tests of pages. It is
// for tests only and no part of the program.
package browsertest

import (
	"context"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"
)

// Time limits, generous for machines that build something else at the same time.
const (
	startLimit = 60 * time.Second
	stepLimit  = 30 * time.Second
)

// executables are the names that Chromium goes by, in order of preference.
var executables = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "headless-shell"}

// Browser is one Chromium with one tab and a profile of its own. It reaches
// loopback addresses only. Every method fails the test if it does not succeed
// within 30 seconds.
type Browser struct {
	t   testing.TB
	tab context.Context

	mu         sync.Mutex
	complaints []string
}

// Start starts Chromium, and stops it with the test. Where none is installed,
// the test is skipped.
func Start(t testing.TB) *Browser {
	t.Helper()
	path := find()
	if path == "" {
		t.Skipf("no Chromium in PATH (looked for %s): install one to test in a real browser, e.g. apt-get install chromium", strings.Join(executables, ", "))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(path), // the profile is a fresh temporary directory
		chromedp.WSURLReadTimeout(startLimit),
		chromedp.Flag("headless", true),
		chromedp.Flag("no-sandbox", true), // it cannot have one as root or in most containers; the pages are our own
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-dev-shm-usage", true), // /dev/shm is tiny in containers
		chromedp.Flag("no-first-run", true),
		chromedp.Flag("no-default-browser-check", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-extensions", true),
		chromedp.Flag("no-proxy-server", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]"),
	)
	t.Cleanup(stop)
	tab, closeTab := chromedp.NewContext(allocator)
	t.Cleanup(closeTab) // waits for Chromium to end
	b := &Browser{t: t, tab: tab}
	// The first call starts the browser, which ends with the context of that
	// call: it must not be one with a time limit of its own.
	late := time.AfterFunc(startLimit, stop)
	defer late.Stop()
	err := chromedp.Listen(tab, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && e.Entry.Level == log.EntryLevelError && e.Entry.Source == log.EntrySourceSecurity {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	})
	if err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	if _, err := chromedp.Call(tab, log.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return b
}

func find() string {
	for _, name := range executables {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// step does one thing and returns what came of it.
func step[T any](b *Browser, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, stepLimit)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("browser: %s: %v; security errors so far: %q", what, err, b.Complaints())
	}
	return got
}

// Open goes to an address and waits until the page is loaded.
func (b *Browser) Open(address string) {
	b.t.Helper()
	step(b, "open the page", chromedp.Navigate(address))
}

// Click clicks the first element that a CSS selector finds, and waits until the
// page that follows is loaded.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	step(b, "click "+selector, func(ctx context.Context, _ *chromedp.Target) (struct{}, error) {
		_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(selector)))
		return struct{}{}, err
	})
}

// Type sends keys to whatever has the focus, e.g. "\t" or "\r".
func (b *Browser) Type(keys string) {
	b.t.Helper()
	step(b, "type", chromedp.KeyEvent(keys))
}

// Wait returns when the first element that a CSS selector finds is visible.
func (b *Browser) Wait(selector string) {
	b.t.Helper()
	step(b, "wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// Text is the visible text of the first element that a CSS selector finds.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return step(b, "read "+selector, chromedp.Text(chromedp.CSS(selector)))
}

// Address is where the tab is now.
func (b *Browser) Address() string {
	b.t.Helper()
	return step(b, "read the address", chromedp.Location())
}

// Screenshot is a picture of the page, as PNG.
func (b *Browser) Screenshot() []byte {
	b.t.Helper()
	return step(b, "take a picture", chromedp.FullScreenshot(100))
}

// Evaluate is the value of a JavaScript expression in the page, as T.
func Evaluate[T any](b *Browser, expression string) T {
	b.t.Helper()
	return step(b, "evaluate", chromedp.Evaluate[T](expression))
}

// Complaints are the security errors of the pages so far, such as violations of
// a Content-Security-Policy.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string(nil), b.complaints...)
}
