package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
)

// Forwarded is the credential of one user whose tokens come with their requests, as
// Databricks Apps puts them into X-Forwarded-Access-Token (contract auth.md, section
// 9). Each user has one of their own. A call speaks with the token of the request
// behind its context; what outlives its request, with the last that came.
//
// There is nothing to refresh: a token that the workspace refused is answered with
// what the user has to do.
type Forwarded struct {
	*Credential
	source *forwarded
}

// NewForwarded finds the workspace: from the option Host, or else DATABRICKS_HOST,
// DATABRICKS_WORKSPACE_ID and DATABRICKS_WAREHOUSE_ID. Nothing else is looked at,
// above all no credentials: those of the app (DATABRICKS_CLIENT_ID and
// DATABRICKS_CLIENT_SECRET) must never speak for a user. refused, which may be nil,
// hears of tokens that the workspace did not take. The error is an *Error.
func NewForwarded(o Options, refused func(token string)) (*Forwarded, error) {
	o = o.withDefaults()
	s := newSettings()
	s.add("host", strings.TrimSpace(o.Host), Source{Origin: FromOption, Name: "--host"})
	for _, name := range []string{"host", "workspace_id", "warehouse_id"} {
		env := attributeNamed(name).env
		s.add(name, strings.TrimSpace(o.Getenv(env)), Source{Origin: FromEnv, Name: env})
	}
	host, err := mergedHost(s)
	if err != nil {
		return nil, err
	}
	if host.URL == "" {
		return nil, &Error{
			Message: "There is no workspace for the tokens that come with requests: DATABRICKS_HOST is not set.",
			Advice:  "Databricks Apps sets it by itself; elsewhere set it to the URL of the workspace. " + hostExample,
		}
	}
	source := &forwarded{host: host.URL, told: refused, refused: map[string]bool{}}
	id := &Identity{
		AuthType:    "pat", // the SDKs' name for a bearer token that is passed in
		Host:        host.URL,
		WorkspaceID: s.values["workspace_id"],
		AccountID:   s.values["account_id"],
		WarehouseID: s.values["warehouse_id"],
		Sources:     s.sources,
		source:      source,
	}
	return &Forwarded{Credential: &Credential{options: o, id: id}, source: source}, nil
}

// With is ctx for the calls of a request that came with this token.
func (f *Forwarded) With(ctx context.Context, token string) context.Context {
	f.source.mu.Lock()
	f.source.last = token
	f.source.mu.Unlock()
	return context.WithValue(ctx, forwardedKey{}, forwardedToken{of: f.source, value: token})
}

// Verified says that the workspace has just taken this token: what it said of it
// before is over.
func (f *Forwarded) Verified(token string) {
	f.source.mu.Lock()
	defer f.source.mu.Unlock()
	delete(f.source.refused, token)
}

type forwardedKey struct{}

// forwardedToken knows whose it is: a context that strays to another user's calls is
// refused there, instead of lending its token.
type forwardedToken struct {
	of    *forwarded
	value string
}

// forwarded is the token source of one user.
type forwarded struct {
	host string
	told func(token string)

	mu      sync.Mutex
	last    string
	refused map[string]bool
}

// maxRefused bounds the refused tokens that are remembered: a user has one at a time,
// or two.
const maxRefused = 16

func (f *forwarded) Token(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	came, ok := ctx.Value(forwardedKey{}).(forwardedToken)
	if ok && came.of != f {
		return "", &Error{Message: "The request of one user met the credential of another: no token was sent.", Advice: "This is a fault of the server; report it."}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	token := came.value
	if !ok {
		token = f.last
	}
	switch {
	case token == "":
		return "", &Error{Message: "No request of this user has brought a token yet.", Advice: "The next request of the user brings one."}
	case f.refused[token]:
		return "", f.refusal()
	}
	return token, nil
}

func (f *forwarded) refusal() *Error {
	return &Error{
		Message: fmt.Sprintf("%s refused the user's token that Databricks Apps sent along with the request.", f.host),
		Advice:  "It lives for an hour at most, and this server cannot renew it: reconnect the MCP client, or load the app's page again, so that a new one comes. If that does not help, the user must consent to the app's scopes anew, or an admin must add the scope to user_api_scopes of the app.",
	}
}

// Invalidate implements tokenSource. No other token follows until the user brings
// one, or the same has proved good: see Verified.
func (f *forwarded) Invalidate(token string) {
	f.mu.Lock()
	if len(f.refused) >= maxRefused {
		clear(f.refused)
	}
	f.refused[token] = true
	f.mu.Unlock()
	if f.told != nil {
		f.told(token)
	}
}

// ExpiresAt is what the last token says of itself.
func (f *forwarded) ExpiresAt() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return TokenExpiry(f.last)
}

// Refused is always false: no configuration has other credentials of the user.
func (f *forwarded) Refused() bool { return false }

// TokenExpiry is when a JWT says that it ends; zero when it does not, or is none. Its
// signature is not looked at: the workspace decides.
func TokenExpiry(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires float64 `json:"exp"` // seconds since 1970; some issuers write fractions
	}
	if json.Unmarshal(text, &claims) != nil || claims.Expires <= 0 || claims.Expires > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expires), 0)
}
