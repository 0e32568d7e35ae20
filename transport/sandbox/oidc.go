package sandbox

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// loginClient is the public OAuth client that every workspace knows; the
// official CLI signs people in with it (contract auth.md, section 3).
const loginClient = "databricks-cli"

// Lifetimes of a sign-in. Those of refresh tokens are in the contract's example
// of a token access policy (auth.md, section 7).
const (
	codeLife    = 10 * time.Minute // of an open sign-in page too
	refreshLife = 7 * 24 * time.Hour
	sessionLife = 30 * 24 * time.Hour // however often it is refreshed
)

// OAuthClient is a custom OAuth app of the account (contract auth.md,
// section 7).
type OAuthClient struct {
	ID           string
	Name         string   // what the sign-in page calls it; "": ID
	RedirectURLs []string // matched exactly; http only to loopback
	Scopes       []string // that it may ask for; empty: all
	Secret       string   // of a confidential client; "": public
}

// TokenRequests counts the requests to the token endpoint by grant, whether or
// not they were granted.
type TokenRequests struct{ AuthorizationCode, RefreshToken, ClientCredentials int64 }

// TokenRequests says what the token endpoint has been asked for so far. A
// request that an injected fault answered counts only if the fault lets it take
// effect first.
func (w *Workspace) TokenRequests() TokenRequests {
	w.people.mu.Lock()
	defer w.people.mu.Unlock()
	return w.people.asked
}

// signIns is the state of the sign-in of users (U2M). All but clients, which
// never change, is guarded by people.mu.
type signIns struct {
	clients oauthClients
	pending map[string]*authorization // by the handle that the form of the page carries
	codes   map[string]*authorizationCode
	refresh map[string]*refreshToken
	asked   TokenRequests
}

func newSignIns(custom []OAuthClient) (signIns, error) {
	s := signIns{
		clients: oauthClients{loginClient: {ID: loginClient, Name: "Databricks CLI"}},
		pending: map[string]*authorization{}, codes: map[string]*authorizationCode{}, refresh: map[string]*refreshToken{},
	}
	for _, c := range custom {
		if err := c.check(); err != nil {
			return s, err
		}
		if s.clients[c.ID] != nil {
			return s, fmt.Errorf("OAuth client %q is registered twice", c.ID)
		}
		if c.Name == "" {
			c.Name = c.ID
		}
		s.clients[c.ID] = &c
	}
	return s, nil
}

// session is one sign-in: what came of one authorization code. Its tokens live
// and die together.
type session struct {
	member string // SCIM id
	client string
	scopes []string
	until  time.Time
	ended  bool // revoked, because a code or a refresh token came a second time
}

// authorizationCode works once. It is kept after that, to notice a second use.
type authorizationCode struct {
	*authorization
	member  string // SCIM id
	expires time.Time
	used    bool
	session *session // nil until tokens were granted for it
}

// refreshToken works once, like authorizationCode.
type refreshToken struct {
	*session
	expires time.Time
	used    bool
}

// forget drops what no longer makes a difference to any answer.
func (s *signIns) forget(now time.Time) {
	for handle, a := range s.pending {
		if !now.Before(a.expires) {
			delete(s.pending, handle)
		}
	}
	for code, c := range s.codes {
		if !now.Before(c.expires) {
			delete(s.codes, code)
		}
	}
	for token, t := range s.refresh {
		if t.ended || !now.Before(t.until) || !t.used && !now.Before(t.expires) {
			delete(s.refresh, token)
		}
	}
}

type oauthClients map[string]*OAuthClient

// The ports that the public client may be called back on.
const firstPort, lastPort = 8020, 8040

// redirectsTo says whether the client may be called back at the address.
func (c *OAuthClient) redirectsTo(address string) bool {
	if c.ID != loginClient {
		return slices.Contains(c.RedirectURLs, address)
	}
	port, ok := strings.CutPrefix(strings.TrimSuffix(address, "/"), "http://localhost:")
	n, err := strconv.Atoi(port)
	return ok && err == nil && n >= firstPort && n <= lastPort && strconv.Itoa(n) == port
}

// spelled says whether s has between least and most bytes, all of them ASCII
// letters, digits, or in extra.
func spelled(s string, least, most int, extra string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte(extra, c) < 0 {
			return false
		}
	}
	return len(s) >= least && len(s) <= most
}

func isScope(name string) bool { return spelled(name, 1, 100, "._-") }

// allowed returns the scopes of a request, each once, or ok = false.
func (c *OAuthClient) allowed(scope string) (scopes []string, ok bool) {
	for _, name := range strings.Fields(scope) {
		if !isScope(name) || len(c.Scopes) > 0 && !slices.Contains(c.Scopes, name) {
			return nil, false
		}
		if !slices.Contains(scopes, name) {
			scopes = append(scopes, name)
		}
	}
	if scopes == nil { // none asked for
		return []string{allAPIs}, len(c.Scopes) == 0 || slices.Contains(c.Scopes, allAPIs)
	}
	return scopes, true
}

// check refuses a registration that the account would refuse, and redirects
// that the policy of the sign-in page cannot express (IPv6 addresses).
func (c *OAuthClient) check() error {
	if c.ID == "" || len(c.RedirectURLs) == 0 {
		return fmt.Errorf("OAuth client %q: want an id and at least one redirect URL", c.ID)
	}
	for _, address := range c.RedirectURLs {
		u, err := url.Parse(address)
		switch {
		case err != nil:
			return fmt.Errorf("OAuth client %q: redirect URL: %w", c.ID, err)
		case u.Scheme != "https" && (u.Scheme != "http" || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1"),
			!spelled(u.Host, 1, 255, ".-:"), u.User != nil, u.Fragment != "":
			return fmt.Errorf("OAuth client %q: redirect URL %q: want https, or http to localhost or 127.0.0.1, without user and fragment", c.ID, address)
		}
	}
	for _, scope := range c.Scopes {
		if !isScope(scope) {
			return fmt.Errorf("OAuth client %q: %q is not a scope", c.ID, scope)
		}
	}
	return nil
}
