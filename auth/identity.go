package auth

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Identity is the outcome of a resolution: who asks which workspace, how, and
// where each attribute came from. Its exported fields hold no secret and do
// not change.
type Identity struct {
	AuthType    string // "pat", "oauth-m2m", "databricks-cli", …: as the Databricks SDKs spell it
	Host        string // normalised: scheme and host only
	Profile     string // "" when the configuration file gave nothing
	ConfigFile  string // the file that was read; "" if none was
	WorkspaceID string // as configured or pasted with the host; "" if unknown
	AccountID   string // likewise
	WarehouseID string // of the SQL warehouse to use by default; "" if none is configured
	ClientID    string // of an OAuth method: the service principal's application id
	Scopes      []string

	Sources  map[string]Source // by attribute: "host", "token", "client_id", …
	Warnings []string          // what works but may not be meant; for log and doctor

	source      tokenSource
	fingerprint [32]byte
}

// Token returns a bearer token for Host that lives at least a few seconds
// more. It waits only when there is none; one that runs out soon is renewed
// meanwhile. Errors are an *Error, or ctx's when the caller gave up.
func (id *Identity) Token(ctx context.Context) (string, error) { return id.source.Token(ctx) }

// Headers are what a request to Host carries besides the token, and nothing
// but a request to Host: for an Azure workspace that is named by its resource
// id, X-Databricks-Azure-Workspace-Resource-Id and, where Azure grants it,
// X-Databricks-Azure-SP-Management-Token (contract auth.md, section 6). Nil
// for every other. They hold a secret. Errors are as those of Token.
func (id *Identity) Headers(ctx context.Context) (http.Header, error) {
	if s, ok := id.source.(interface {
		Headers(context.Context) (http.Header, error)
	}); ok {
		return s.Headers(ctx)
	}
	return nil, nil
}

// Invalidate reports that the workspace refused this token (401). The next
// Token gives another one, or the reason why there is none. A token that has
// been replaced already is ignored, so that many callers with the same dead
// token cause one refresh.
func (id *Identity) Invalidate(token string) { id.source.Invalidate(token) }

// ExpiresAt is the end of the token in hand; zero when there is none or when
// it has no known end, as a personal access token has not.
func (id *Identity) ExpiresAt() time.Time { return id.source.ExpiresAt() }

// String and GoString keep the token source, and with it the secrets, out of
// every fmt verb that prints structures.
func (id *Identity) String() string {
	s := id.AuthType + " on " + id.Host
	if id.Profile != "" {
		s += " (profile " + id.Profile + ")"
	}
	return s
}

func (id *Identity) GoString() string { return fmt.Sprintf("auth.Identity(%s)", id.String()) }

// tokenSource is what a method of signing in provides.
type tokenSource interface {
	Token(ctx context.Context) (string, error)
	Invalidate(token string)
	ExpiresAt() time.Time
	// Refused: the last word about these credentials was no. It is worth
	// looking whether the configuration has others by now.
	Refused() bool
}

// signIn is what a method makes its token source of.
type signIn struct {
	id       *Identity
	settings settings
	options  Options
	hint     string // what else may be wrong, for a method that nothing but a host asks for
}
