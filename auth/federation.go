package auth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// federation exchanges the id token of another identity provider for a
// Databricks token: workload identity federation with the client id of a
// service principal, account-wide federation without (contract auth.md,
// section 6).
type federation struct {
	method    string
	endpoints endpoints
	explain   explainer
	config    clientcredentials.Config // TokenURL is found by the first fetch
	idToken   idTokenSource
	asked     string // the audience of the configuration; "": what the host wants
	audience  string // found by the first fetch
}

func newEnvOIDC(s signIn) tokenSource    { return newFederation(s, envIDToken(s)) }
func newFileOIDC(s signIn) tokenSource   { return newFederation(s, fileIDToken(s)) }
func newGitHubOIDC(s signIn) tokenSource { return newFederation(s, githubIDToken(s)) }
func newDevOpsOIDC(s signIn) tokenSource { return newFederation(s, devOpsIDToken(s)) }

func newFederation(s signIn, source idTokenSource) tokenSource {
	v := s.settings.values
	explain := explainer{host: s.id.Host, clientID: v["client_id"], now: s.options.Now, where: s.id.AuthType}
	f := &federation{
		method:    s.id.AuthType,
		endpoints: endpoints{client: noRedirects(s.options.HTTPClient), host: s.id.Host, accountID: v["account_id"], discoveryURL: v["discovery_url"], explain: explain},
		explain:   explain,
		config:    clientcredentials.Config{ClientID: v["client_id"], Scopes: s.id.Scopes, AuthStyle: oauth2.AuthStyleInParams},
		idToken:   source,
		asked:     v["audience"],
	}
	return &refresher{
		fetch: f.fetch, now: s.options.Now, pause: pause,
		stale: &Error{
			Message: fmt.Sprintf("%s refused a token that its own token endpoint had just issued to %s (%s).", s.id.Host, f.principal(), f.method),
			Advice:  "The principal is probably not assigned to this workspace, or inactive. An admin adds it under Settings, Identity and access; then the next call works.",
		},
	}
}

func (f *federation) principal() string {
	if f.config.ClientID == "" {
		return "the user that the account's federation policy names"
	}
	return "the service principal " + printable(f.config.ClientID)
}

// fetch runs in one goroutine at a time; see refresher.
func (f *federation) fetch(ctx context.Context) (granted, error) {
	if f.config.TokenURL == "" {
		u, err := f.endpoints.token(ctx)
		if err != nil {
			return granted{}, err
		}
		audience, err := f.wanted(ctx, u)
		if err != nil {
			return granted{}, err
		}
		f.config.TokenURL, f.audience = u, audience
	}
	subject, err := f.idToken(ctx, f.audience)
	if err != nil {
		return granted{}, err
	}
	c := f.config
	c.EndpointParams = url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {subject.value},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
	}
	t, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, f.endpoints.client))
	if err != nil {
		return granted{}, f.refused(err, subject)
	}
	if !isBearer(t.AccessToken) {
		return granted{}, &Error{
			Message: fmt.Sprintf("The token endpoint of %s answered with something that is not a bearer token.", f.explain.host),
			Advice:  "Check that the host is a Databricks workspace and not a proxy in front of one.",
		}
	}
	var life time.Duration
	if !t.Expiry.IsZero() {
		life = time.Until(t.Expiry) // the library reads the wall clock; only the length counts here
	}
	return granted{token: t.AccessToken, life: life}, nil
}

// wanted is the audience to ask an id token for: the configured one, else
// what the host names, else the account of an account host or the token
// endpoint. What the host names must be an account id or on the host, so that
// no host can have a token made that opens another door.
func (f *federation) wanted(ctx context.Context, tokenURL string) (string, error) {
	if f.asked != "" {
		return f.asked, nil
	}
	var doc struct {
		Audiences []string `json:"token_federation_default_oidc_audiences"`
	}
	if _, err := f.endpoints.get(ctx, f.endpoints.host+"/.well-known/databricks-config", &doc); err != nil {
		return "", err
	}
	for _, a := range doc.Audiences {
		if idPattern().MatchString(a) || f.endpoints.trusted(a, "The audience") == nil {
			return a, nil
		}
	}
	if isAccountHost(f.endpoints.host) && f.endpoints.accountID != "" {
		return f.endpoints.accountID, nil
	}
	return tokenURL, nil
}

// refused explains a failed exchange in terms of the id token.
func (f *federation) refused(err error, subject idToken) *Error {
	x := f.explain
	x.secrets = []string{subject.value}
	e := x.token(err)
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) || r.Response == nil || e.Temporary || !oauthCode().MatchString(r.ErrorCode) {
		return e
	}
	said := r.ErrorCode
	if d := x.clean(r.ErrorDescription); d != "" {
		said += ": " + d
	}
	out := &Error{retryAfter: e.retryAfter}
	switch r.ErrorCode {
	case "invalid_scope":
		out.Message = fmt.Sprintf("%s does not grant the requested scopes to %s (%s).", x.host, f.principal(), said)
		out.Advice = "Remove scopes from the profile, which then asks for all-apis, or ask for those that the policy allows."
	case "invalid_client", "unauthorized_client":
		out.Message = fmt.Sprintf("%s does not know %s, or it has no federation policy (%s).", x.host, f.principal(), said)
		out.Advice = "client_id must be the application id of a service principal that an account admin has given a federation policy; without client_id a policy of the whole account is used."
	default:
		out.Message = fmt.Sprintf("%s did not accept the id token from %s for %s (%s).", x.host, subject.where, f.principal(), said)
		out.Advice = "It has expired, or issuer, subject or audience are not those of the federation policy. " + subject.renew + " An account admin can compare the policy with the token; the audience is set with DATABRICKS_TOKEN_AUDIENCE."
	}
	if skew := x.skew(r.Response.Header); skew != "" {
		out.Message += " " + skew
	}
	return out
}
