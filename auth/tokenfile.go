package auth

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// recordVersion is the version of the token file's format. Another one is
// refused, never overwritten.
const recordVersion = 1

const maxRecord = 1 << 20 // bytes; a real one has about 5 kB

// record is one file of the token store: the sign-in of one user. What is
// secret is in Tokens, or sealed with a key from the keyring of the operating
// system.
//
// Only the key is in the keyring and not the tokens themselves: Windows takes
// 2,560 bytes, which two JWTs exceed; and nothing is known about what a
// keyring does when the process dies during a write, which is exactly when a
// rotated refresh token must not get lost. So there is one way to write, and
// it is that of store.
type record struct {
	Version    int       `json:"version"`
	Key        loginKey  `json:"key"`
	User       string    `json:"user,omitempty"` // "" when nobody could say
	SignedInAt time.Time `json:"signed_in_at"`
	// Generation counts the writes, so that a write that was interrupted
	// before its last step is recognised as the next one.
	Generation int     `json:"generation"`
	Sealed     []byte  `json:"sealed,omitempty"`
	Tokens     *tokens `json:"tokens,omitempty"`

	vaulted bool // Tokens came out of Sealed and go back there
}

type tokens struct {
	Access    string    `json:"access_token"`
	Refresh   string    `json:"refresh_token,omitempty"`
	Endpoint  string    `json:"token_endpoint"`
	IssuedAt  time.Time `json:"issued_at"`
	ExpiresAt time.Time `json:"expires_at"`
	// Ended says in the words of the token endpoint why there is no refresh
	// token any more.
	Ended string `json:"ended,omitempty"`
}

// String and GoString keep the tokens out of every fmt verb.
func (tokens) String() string   { return "[hidden tokens]" }
func (tokens) GoString() string { return "[hidden tokens]" }

// lead is how long before its end the access token is renewed: 5 minutes of
// the usual hour, a quarter of a short life.
func (t *tokens) lead() time.Duration {
	return min(renewLead, max(0, t.ExpiresAt.Sub(t.IssuedAt))/4)
}

var errCorrupt = errors.New("the file is damaged")

// newerError: a later version of the program wrote the file.
type newerError struct{ version int }

func (e newerError) Error() string { return fmt.Sprintf("the file has version %d", e.version) }

// decodeRecord reads a token file. The error is errCorrupt or a newerError,
// and quotes nothing.
func decodeRecord(data []byte) (*record, error) {
	if len(data) > maxRecord {
		return nil, errCorrupt
	}
	var version struct {
		Version int `json:"version"`
	}
	// A newer file may have any other shape: the version counts first.
	if err := json.Unmarshal(data, &version); err != nil || version.Version < 1 {
		return nil, errCorrupt
	}
	if version.Version > recordVersion {
		return nil, newerError{version.Version}
	}
	r := &record{}
	if err := json.Unmarshal(data, r); err != nil || r.Key.Host == "" || r.Key.ClientID == "" || r.Generation < 1 {
		return nil, errCorrupt
	}
	if (len(r.Sealed) == 0) == (r.Tokens == nil) {
		return nil, errCorrupt
	}
	if r.Tokens != nil && !r.Tokens.valid() {
		return nil, errCorrupt
	}
	return r, nil
}

// valid: fit for a header and a form.
func (t *tokens) valid() bool {
	unfit := func(s string) bool {
		return strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
	}
	return t.Access != "" && t.Endpoint != "" && !t.ExpiresAt.IsZero() && !unfit(t.Access) && !unfit(t.Refresh)
}

func (r *record) encode() ([]byte, error) {
	r.Version = recordVersion
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// bound is what the seal holds together with the tokens, so that a sealed
// part copied into another record does not open.
func (r *record) bound() []byte {
	return fmt.Appendf(nil, "%d\n%s\n%s\n%d", r.Version, r.Key.canonical(), r.User, r.Generation)
}

// seal moves the tokens into Sealed (AES-256-GCM, a fresh nonce in front).
func (r *record) seal(key []byte) error {
	aead, err := newSeal(key)
	if err != nil {
		return err
	}
	plain, err := json.Marshal(r.Tokens)
	if err != nil {
		return err
	}
	nonce := make([]byte, aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	r.Version = recordVersion
	r.Sealed, r.Tokens = aead.Seal(nonce, nonce, plain, r.bound()), nil
	return nil
}

// open is the opposite of seal. errCorrupt also when the key is another one:
// the two cannot be told apart.
func (r *record) open(key []byte) error {
	aead, err := newSeal(key)
	if err != nil {
		return err
	}
	if len(r.Sealed) < aead.NonceSize() {
		return errCorrupt
	}
	plain, err := aead.Open(nil, r.Sealed[:aead.NonceSize()], r.Sealed[aead.NonceSize():], r.bound())
	if err != nil {
		return errCorrupt
	}
	t := &tokens{}
	if err := json.Unmarshal(bytes.TrimSpace(plain), t); err != nil || !t.valid() {
		return errCorrupt
	}
	r.Tokens, r.Sealed, r.vaulted = t, nil, true
	return nil
}

func newSeal(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
