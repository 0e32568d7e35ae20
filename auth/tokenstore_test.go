package auth

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestDamagedFileIsPutAside(t *testing.T) {
	for _, tt := range []struct{ name, text string }{
		{"empty", ""},
		{"cut off", `{"version":1,"key":{"host":"https://a`},
		{"not ours", `{"hello":"world"}`},
		{"no tokens", `{"version":1,"key":{"host":"https://a","client_id":"c"},"generation":1}`},
		{"zeros", strings.Repeat("\x00", 4096)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, dir := newIDP(t), t.TempDir()
			clk := newClock()
			o := p.options(dir)
			o.Now = clk.now
			r := p.signIn(t, o)
			rewrite(t, r.File, tt.text)
			_, err := NewCredential(o).Token(t.Context())
			aside := r.File + ".corrupt-20260101T120000Z"
			wantError(t, err, "damaged", aside, "brickmcp login")
			if kept, err := os.ReadFile(aside); err != nil || string(kept) != tt.text {
				t.Errorf("kept aside: %q, %v", kept, err)
			}
			// Afterwards it is as if nobody were signed in, and one can.
			_, err = NewCredential(o).Token(t.Context())
			wantError(t, err, "Nobody is signed in")
			p.signIn(t, o)
			if _, err := NewCredential(o).Token(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNewerFileIsLeftAlone(t *testing.T) {
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	r := p.signIn(t, o)
	const newer = `{"version": 2, "shape": ["unknown"]}`
	rewrite(t, r.File, newer)
	_, err := NewCredential(o).Token(t.Context())
	wantError(t, err, "newer version of brickmcp", "format 2", r.File)
	opened := false
	_, err = Login(t.Context(), LoginOptions{Options: o, OpenBrowser: func(string) error { opened = true; return nil }})
	wantError(t, err, "newer version")
	if text, err := os.ReadFile(r.File); err != nil || string(text) != newer || opened {
		t.Errorf("%q, %v, a browser was opened: %v", text, err, opened)
	}
}

func TestUnreadableFile(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Log("this user may read everything: a directory stands in for the file")
	}
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	r := p.signIn(t, o)
	if err := errors.Join(os.Remove(r.File), os.Mkdir(r.File, 0o700)); err != nil {
		t.Fatal(err)
	}
	_, err := NewCredential(o).Token(t.Context())
	wantError(t, err, "cannot be read", r.File)
}

func TestStateDirectoryThatCannotBeMade(t *testing.T) {
	p := newIDP(t)
	file := filepath.Join(t.TempDir(), "file")
	rewrite(t, file, "")
	o := p.options(filepath.Join(file, "state"))
	_, err := Login(t.Context(), LoginOptions{Options: o})
	wantError(t, err, "cannot be stored", "not a directory", "XDG_STATE_HOME")
	if _, err := CheckStore(o); err == nil {
		t.Error("CheckStore finds nothing")
	}
	o.StateDir = t.TempDir()
	if s, err := CheckStore(o); s != "file" || err != nil || len(files(t, o.StateDir)) != 0 {
		t.Errorf("CheckStore: %q, %v, %v", s, err, files(t, o.StateDir))
	}
}

// fakeKeyring remembers, hangs or fails as told.
type fakeKeyring struct {
	mu     sync.Mutex
	values map[string]string
	err    error
	gets   int
	hang   chan struct{}
	forget bool
}

func (k *fakeKeyring) Get(service, user string) (string, error) {
	k.mu.Lock()
	hang := k.hang
	k.gets++
	k.mu.Unlock()
	if hang != nil {
		<-hang
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return "", k.err
	}
	v, ok := k.values[service+"/"+user]
	if !ok {
		return "", ErrNotInKeyring
	}
	return v, nil
}

func (k *fakeKeyring) Set(service, user, secret string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil || k.forget {
		return k.err
	}
	if k.values == nil {
		k.values = map[string]string{}
	}
	k.values[service+"/"+user] = secret
	return nil
}

func (k *fakeKeyring) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func TestKeyringSealsTheTokens(t *testing.T) {
	p, dir, ring := newIDP(t), t.TempDir(), &fakeKeyring{}
	clk := newClock()
	o := p.options(dir)
	o.Keyring, o.Now = ring, clk.now
	r := p.signIn(t, o)
	if r.Storage != "keyring" {
		t.Errorf("%+v", r)
	}
	data, err := os.ReadFile(r.File)
	if err != nil {
		t.Fatal(err)
	}
	p.noSecrets(t, "the sealed file", string(data))
	if strings.Contains(string(data), "token") {
		t.Errorf("not sealed:\n%s", data)
	}
	// Refresh, in another process, keeps it sealed.
	clk.advance(time.Hour)
	if _, err := NewCredential(o).Token(t.Context()); err != nil || p.refreshed() != 1 {
		t.Fatalf("%v, %d refreshes", err, p.refreshed())
	}
	if data, _ = os.ReadFile(r.File); strings.Contains(string(data), "token") {
		t.Errorf("the refresh left the tokens open:\n%s", data)
	}
	if list, err := SignIns(o); err != nil || len(list) != 1 || !list[0].Sealed || list[0].User != ana {
		t.Errorf("SignIns: %+v, %v", list, err)
	}

	// Without the keyring: said, and not overwritten or put aside.
	for why, broken := range map[string]*fakeKeyring{
		"it cannot be reached": {err: errors.New("dbus: secret words")},
		"the key is gone":      {},
	} {
		o.Keyring = broken
		_, err = NewCredential(o).Token(t.Context())
		wantError(t, err, "key in the keyring", why, "Unlock the keyring", "brickmcp login --host")
		if strings.Contains(err.Error(), "secret words") {
			t.Error("quotes the keyring")
		}
	}
	// Another key does not open it.
	other := &fakeKeyring{}
	if _, err := newVault(other, filepath.Join(dir, "signin"), clk.now).sealKey(true); err != nil {
		t.Fatal(err)
	}
	o.Keyring = other
	_, err = NewCredential(o).Token(t.Context())
	wantError(t, err, "damaged", ".corrupt-")

	// Signing in without a keyring puts a plain file in its place.
	o.Keyring = &fakeKeyring{err: errors.New("locked")}
	if r := p.signIn(t, o); r.Storage != "file" {
		t.Errorf("%+v", r)
	}
	if _, err := NewCredential(o).Token(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestKeyringThatHangs(t *testing.T) {
	clk := newClock()
	ring := &fakeKeyring{hang: make(chan struct{})}
	v := newVault(ring, "d", clk.now)
	waits := 0
	over := make(chan time.Time)
	close(over)
	v.wait = func() <-chan time.Time { waits++; return over }
	for range 5 {
		if _, err := v.sealKey(true); !errors.Is(err, errKeyringSlow) {
			t.Fatalf("%v", err)
		}
	}
	if waits != 1 {
		t.Errorf("waited %d times", waits)
	}
	pending := v.pending
	close(ring.hang) // somebody has unlocked it
	<-pending
	v.wait = func() <-chan time.Time { return nil }
	if key, err := v.sealKey(true); err != nil || len(key) != 32 {
		t.Errorf("afterwards: %v", err)
	}
}

func TestKeyringIsAskedOnce(t *testing.T) {
	clk := newClock()
	ring := &fakeKeyring{}
	v := newVault(ring, "d", clk.now)
	if _, err := v.sealKey(false); !errors.Is(err, ErrNotInKeyring) {
		t.Fatalf("%v", err)
	}
	first, err := v.sealKey(true)
	if err != nil {
		t.Fatal(err)
	}
	asked := ring.gets
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if key, err := v.sealKey(true); err != nil || string(key) != string(first) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if ring.gets != asked {
		t.Errorf("asked %d times more", ring.gets-asked)
	}
	if key, err := newVault(ring, "d", clk.now).sealKey(true); err != nil || string(key) != string(first) {
		t.Errorf("another process: another key, %v", err)
	}
	if key, err := newVault(ring, "other", clk.now).sealKey(true); err != nil || string(key) == string(first) {
		t.Errorf("another directory: the same key, %v", err)
	}

	// A failure is remembered for a minute.
	bad := &fakeKeyring{err: errors.New("no D-Bus")}
	v = newVault(bad, "d", clk.now)
	for range 5 {
		if _, err := v.sealKey(true); err == nil {
			t.Fatal("no error")
		}
	}
	if bad.gets != 1 {
		t.Errorf("asked %d times", bad.gets)
	}
	bad.set(func() { bad.err = nil })
	clk.advance(keyringAgain)
	if _, err := v.sealKey(true); err != nil {
		t.Errorf("after a minute: %v", err)
	}
	if _, err := newVault(&fakeKeyring{forget: true}, "d", clk.now).sealKey(true); !errors.Is(err, errKeyringForgets) {
		t.Errorf("one that forgets: %v", err)
	}
}

func TestPlaintextSwitch(t *testing.T) {
	o := Options{StateDir: t.TempDir(), Getenv: env{"DATABRICKS_AUTH_STORAGE": "plaintext"}.get}.withDefaults()
	if s := newStore(o); s.vault.ring != NoKeyring {
		t.Errorf("keyring %T", s.vault.ring)
	}
	o.Getenv = env{}.get
	if s := newStore(o); s.vault.ring != (osKeyring{}) {
		t.Errorf("keyring %T", s.vault.ring)
	}
}

func TestSeveralSignInsAndNoHost(t *testing.T) {
	p, q, dir := newIDP(t), newIDP(t), t.TempDir()
	p.signIn(t, p.options(dir))
	q.signIn(t, q.options(dir))
	o := Options{StateDir: dir, Keyring: NoKeyring, Home: t.TempDir()}
	_, err := Resolve(o)
	wantError(t, err, "no Databricks credentials", p.URL, q.URL, "--host")
	o.StateDir = t.TempDir()
	_, err = Resolve(o)
	wantError(t, err, "brickmcp login --host")
}

func FuzzDecodeRecord(f *testing.F) {
	good := &record{
		Key: newLoginKey("https://a.example.com", "", "", nil), User: ana, Generation: 3,
		Tokens: &tokens{Access: "a", Refresh: "r", Endpoint: "https://a.example.com/t", ExpiresAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	data, err := good.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	sealed := *good
	if err := sealed.seal(make([]byte, 32)); err != nil {
		f.Fatal(err)
	}
	data, err = sealed.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	for _, s := range []string{"", "{}", "[]", `{"version":2}`, `{"version":"x"}`, `{"version":1,"tokens":{"access_token":"a\nb"}}`, strings.Repeat("[", 10000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data)
		if err != nil {
			var newer newerError
			if r != nil || !errors.Is(err, errCorrupt) && !errors.As(err, &newer) {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		if r.Tokens == nil {
			if r.open(make([]byte, 32)) != nil {
				return
			}
		}
		if !r.Tokens.valid() || strings.ContainsAny(r.Tokens.Access+r.Tokens.Refresh, "\r\n\x00 ") {
			t.Fatalf("a token that breaks a header: %q", data)
		}
		again, err := r.encode()
		if err != nil || !json.Valid(again) {
			t.Fatalf("cannot be written again: %v", err)
		}
		if back, err := decodeRecord(again); err != nil || back.Generation != r.Generation || *back.Tokens != *r.Tokens {
			t.Fatalf("changed on the way: %v", err)
		}
	})
}

// A record that was written only in part is never taken for a whole one,
// wherever the write stopped.
func TestHalfWrittenRecord(t *testing.T) {
	r := &record{
		Key: newLoginKey("https://a.example.com", "", "", nil), User: ana, Generation: 3,
		Tokens: &tokens{Access: strings.Repeat("a", 900), Refresh: strings.Repeat("r", 300), Endpoint: "https://a.example.com/t", ExpiresAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)},
	}
	s := newStore(Options{StateDir: t.TempDir(), Keyring: NoKeyring}.withDefaults())
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	p, err := s.begin(r)
	if err != nil {
		t.Fatal(err)
	}
	p.leave()
	before, err := os.ReadFile(s.path(r) + pendingSuffix)
	if err != nil {
		t.Fatal(err)
	}
	data, err := r.encode()
	if err != nil || len(data) >= len(before) {
		t.Fatalf("%d bytes of room for %d, %v", len(before), len(data), err)
	}
	for n := range len(data) - 1 { // without the last line break it is whole
		mixed := append(append([]byte{}, data[:n]...), before[n:]...)
		if got, err := decodeRecord(mixed); err == nil && n < len(data)-1 && *got.Tokens != *r.Tokens {
			t.Fatalf("%d of %d bytes pass for a record", n, len(data))
		} else if err == nil && n < len(data)-2 {
			t.Fatalf("%d of %d bytes pass for a record", n, len(data))
		}
	}
}

// What a power failure leaves depends on the order of these steps.
func TestOrderOfAWrite(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not sync directories")
	}
	p, dir := newIDP(t), t.TempDir()
	o := p.options(dir)
	p.seed(t, o, time.Minute)
	var steps []string
	o.sync = func(f *os.File) error {
		info, err := f.Stat()
		if err == nil && info.IsDir() {
			steps = append(steps, "sync directory")
		} else {
			steps = append(steps, "sync file")
		}
		return f.Sync()
	}
	p.set(func() {
		p.hold, p.held = make(chan struct{}), make(chan struct{}, 1)
		close(p.hold)
	})
	c := NewCredential(o)
	source(t, c).store.stage = func(s string) {
		if s == "synced" && len(p.held) == 0 {
			t.Error("the answer was stored before there was one")
		}
		if s == "begun" && len(p.held) > 0 {
			t.Error("the request was sent before its place on the disk was made")
		}
		steps = append(steps, s)
	}
	if _, err := c.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	const want = "sync file, begun, sync file, synced, renamed, sync directory"
	if got := strings.Join(steps, ", "); got != want {
		t.Errorf("steps: %s\n want: %s", got, want)
	}
}
