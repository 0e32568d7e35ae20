package auth

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// m2m signs a service principal in: OAuth client credentials at the token
// endpoint that the host names. There is no refresh token; a new access token
// is simply asked for again.
type m2m struct {
	endpoints endpoints
	explain   explainer
	config    clientcredentials.Config // TokenURL is found by the first fetch
}

func newM2M(s signIn) tokenSource {
	v := s.settings.values
	client := noRedirects(s.options.HTTPClient)
	explain := explainer{
		host: s.id.Host, clientID: v["client_id"], secrets: []string{v["client_secret"]}, now: s.options.Now,
		where: fmt.Sprintf("client_id: %s; client_secret: %s", s.settings.sources["client_id"], s.settings.sources["client_secret"]),
	}
	m := &m2m{
		endpoints: endpoints{client: client, host: s.id.Host, accountID: v["account_id"], discoveryURL: v["discovery_url"], explain: explain},
		explain:   explain,
		config: clientcredentials.Config{
			ClientID: v["client_id"], ClientSecret: v["client_secret"], Scopes: s.id.Scopes,
			AuthStyle: oauth2.AuthStyleInHeader, // said outright: detection would send the secret twice
		},
	}
	return &refresher{
		fetch: m.fetch, now: s.options.Now, pause: pause,
		stale: &Error{
			Message: fmt.Sprintf("%s refused a token that its own token endpoint had just issued to the service principal %s.", s.id.Host, printable(v["client_id"])),
			Advice:  "The service principal is probably not assigned to this workspace, or inactive. An admin adds it under Settings, Identity and access, Service principals; then the next call works.",
		},
	}
}

// fetch asks for one token. The refresher runs it in one goroutine at a time,
// so that TokenURL needs no lock.
func (m *m2m) fetch(ctx context.Context) (granted, error) {
	if m.config.TokenURL == "" {
		u, err := m.endpoints.token(ctx)
		if err != nil {
			return granted{}, err
		}
		m.config.TokenURL = u
	}
	t, err := m.config.Token(context.WithValue(ctx, oauth2.HTTPClient, m.endpoints.client))
	if err != nil {
		return granted{}, m.explain.token(err)
	}
	if t.TokenType != "" && !strings.EqualFold(t.TokenType, "Bearer") || strings.ContainsFunc(t.AccessToken, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return granted{}, &Error{
			Message: fmt.Sprintf("The token endpoint of %s answered with something that is not a bearer token.", m.explain.host),
			Advice:  "Check that the host is a Databricks workspace and not a proxy in front of one.",
		}
	}
	var life time.Duration
	if !t.Expiry.IsZero() {
		life = time.Until(t.Expiry) // the library reads the wall clock; only the length counts here
	}
	return granted{token: t.AccessToken, life: life}, nil
}

// noRedirects is the client without following redirects: a token request
// carries the secret, and a workspace answers it itself or not at all.
func noRedirects(c *http.Client) *http.Client {
	own := *c
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}
