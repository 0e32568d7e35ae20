package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"github.com/zalando/go-keyring"
)

// Keyring is the secret store of the operating system: Keychain, Credential
// Manager, Secret Service. Get returns ErrNotInKeyring for what is not there.
// An implementation may block; the caller does not wait longer than a moment.
type Keyring interface {
	Get(service, user string) (string, error)
	Set(service, user, secret string) error
}

// ErrNotInKeyring: the keyring works and has no such entry.
var ErrNotInKeyring = keyring.ErrNotFound

// NoKeyring keeps tokens in a file that only the user may read.
var NoKeyring Keyring = noKeyring{}

var errNoKeyring = errors.New("the keyring is switched off")

type noKeyring struct{}

func (noKeyring) Get(string, string) (string, error) { return "", errNoKeyring }
func (noKeyring) Set(string, string, string) error   { return errNoKeyring }

type osKeyring struct{}

func (osKeyring) Get(service, user string) (string, error) { return keyring.Get(service, user) }
func (osKeyring) Set(service, user, secret string) error   { return keyring.Set(service, user, secret) }

const (
	keyringService = "brickmcp"
	keyringWait    = 3 * time.Second // as the Databricks CLI; a locked keyring may ask a person who is not there
	keyringAgain   = time.Minute     // after a failure: it may have been unlocked meanwhile
)

var errKeyringSlow = errors.New("the keyring did not answer in time")

var errKeyringForgets = errors.New("the keyring did not keep what was stored")

// vault hands out the key that seals the token files. It asks the keyring once
// and remembers; one that hangs costs one goroutine, and one caller's wait.
type vault struct {
	ring Keyring
	user string // whose entry: the token directory
	now  func() time.Time
	wait func() <-chan time.Time

	mu      sync.Mutex
	key     []byte
	err     error         // the last answer, when it was no key
	asked   time.Time     // when that question was put
	pending chan struct{} // closed with the answer to the question that is out
	slow    bool          // somebody has waited for it in vain
}

func newVault(ring Keyring, dir string, now func() time.Time) *vault {
	return &vault{ring: ring, user: dir, now: now, wait: func() <-chan time.Time { return time.After(keyringWait) }}
}

// sealKey returns the key. With create it makes one when there is none, which
// only the holder of a lock may do: two keys, and the first one's files never
// open again.
func (v *vault) sealKey(create bool) ([]byte, error) {
	for {
		v.mu.Lock()
		mayMake := create && errors.Is(v.err, ErrNotInKeyring)
		switch {
		case v.key != nil:
			defer v.mu.Unlock()
			return v.key, nil
		case v.pending != nil && v.slow:
			defer v.mu.Unlock()
			return nil, errKeyringSlow
		case v.pending == nil && v.err != nil && !mayMake && v.now().Sub(v.asked).Abs() < keyringAgain:
			defer v.mu.Unlock()
			return nil, v.err
		case v.pending == nil:
			v.pending, v.asked = make(chan struct{}), v.now()
			go v.ask(create)
		}
		pending := v.pending
		v.mu.Unlock()

		select {
		case <-pending:
		case <-v.wait():
			v.mu.Lock()
			defer v.mu.Unlock()
			v.slow = v.pending == pending
			return nil, errKeyringSlow
		}
		v.mu.Lock()
		key, err := v.key, v.err
		v.mu.Unlock()
		// The question may have been one of a caller that was not to make a key.
		if key != nil || !create || !errors.Is(err, ErrNotInKeyring) {
			return key, err
		}
	}
}

func (v *vault) ask(create bool) {
	key, err := v.get()
	if create && errors.Is(err, ErrNotInKeyring) {
		key, err = v.make()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.key, v.err = key, err
	close(v.pending)
	v.pending, v.slow = nil, false
}

func (v *vault) get() ([]byte, error) {
	text, err := v.ring.Get(keyringService, v.user)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != 32 {
		return nil, ErrNotInKeyring // somebody else's entry, or a damaged one: of no use
	}
	return key, nil
}

// make stores a new key and reads it back: a keyring that forgets at once is
// worse than none.
func (v *vault) make() ([]byte, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	if err := v.ring.Set(keyringService, v.user, base64.StdEncoding.EncodeToString(key)); err != nil {
		return nil, err
	}
	stored, err := v.get()
	if errors.Is(err, ErrNotInKeyring) {
		return nil, errKeyringForgets
	}
	return stored, err
}
