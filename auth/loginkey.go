package auth

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// defaultClientID is the public OAuth client that every Databricks account
// knows (contract auth.md, section 3). It has no secret.
const defaultClientID = "databricks-cli"

// offlineAccess is the scope that asks for a refresh token.
const offlineAccess = "offline_access"

// loginKey tells one sign-in of a person from another: what a token was asked
// for, and where. Together with the user it names a record of the token store.
type loginKey struct {
	Host      string   `json:"host"`
	AccountID string   `json:"account_id,omitempty"`
	ClientID  string   `json:"client_id"`
	Scopes    []string `json:"scopes"` // sorted, without offline_access
}

// newLoginKey leaves the account out where the host says it all: the host of a
// workspace is one workspace whatever account id happens to be set beside it.
func newLoginKey(host, accountID, clientID string, scopes []string) loginKey {
	if u, err := url.Parse(host); err == nil && !isAccountHost(host) {
		for _, d := range domains {
			if inDomain(u.Hostname(), d) {
				accountID = ""
			}
		}
	}
	if clientID == "" {
		clientID = defaultClientID
	}
	own := slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == offlineAccess })
	if len(own) == 0 {
		own = []string{"all-apis"}
	}
	slices.Sort(own)
	return loginKey{Host: host, AccountID: accountID, ClientID: clientID, Scopes: slices.Compact(own)}
}

func (k loginKey) equal(other loginKey) bool { return k.canonical() == other.canonical() }

func (k loginKey) canonical() string {
	text, err := json.Marshal(k)
	if err != nil {
		panic(err) // strings always encode
	}
	return string(text)
}

// slot is the beginning of every file name of this key: the host for people,
// a hash for the rest.
func (k loginKey) slot() string {
	_, name, _ := strings.Cut(k.Host, "://")
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-':
			return r
		}
		return '_' // a port's colon is no part of a file name on Windows
	}, name)
	return fmt.Sprintf("%s-%s", name[:min(len(name), 60)], shortHash(k.canonical(), 12))
}

// file is the name of the record of one user of this key.
func (k loginKey) file(user string) string {
	return k.slot() + "-" + shortHash(strings.ToLower(user), 8) + recordSuffix
}

func shortHash(s string, digits int) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:digits]
}

// where names host, and account if it matters, in a sentence.
func (k loginKey) where() string {
	if k.AccountID != "" {
		return fmt.Sprintf("%s (account %s)", k.Host, k.AccountID)
	}
	return k.Host
}
