package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// entra asks Entra ID for tokens of a service principal.
type entra struct {
	config  clientcredentials.Config
	tenant  string
	client  *http.Client
	explain explainer
	// proof: what takes the place of a client secret; may be nil.
	proof  idTokenSource
	advice string // when the principal is refused
}

func newEntra(s signIn) *entra {
	v, cloud := s.settings.values, cloudOf(s.id.Host, s.settings)
	return &entra{
		tenant: v["azure_tenant_id"], client: noRedirects(s.options.HTTPClient),
		explain: explainer{
			host: "Entra ID (" + cloud.entra + ")", clientID: v["azure_client_id"], secrets: []string{v["azure_client_secret"]}, now: s.options.Now,
			where: fmt.Sprintf("azure_client_id: %s", s.settings.sources["azure_client_id"]),
		},
		config: clientcredentials.Config{
			ClientID: v["azure_client_id"], ClientSecret: v["azure_client_secret"], AuthStyle: oauth2.AuthStyleInParams,
			TokenURL: cloud.entra + url.PathEscape(v["azure_tenant_id"]) + "/oauth2/token",
		},
	}
}

func newAzureClientSecret(s signIn) tokenSource {
	e := newEntra(s)
	e.advice = fmt.Sprintf("Check tenant, client id and client secret (azure_client_secret: %s). A secret that has expired is renewed in Entra ID under App registrations, Certificates & secrets.", s.settings.sources["azure_client_secret"])
	return newAzure(s, false, notInWorkspace, e.token)
}

func newGitHubOIDCAzure(s signIn) tokenSource {
	e := newEntra(s)
	e.config.ClientSecret = "" // one may be set beside; it is not what was chosen
	e.proof = githubIDToken(s)
	e.advice = "Check tenant and client id, and that the app registration has a federated credential for this repository, branch or environment."
	return newAzure(s, false, notInWorkspace, e.token)
}

func checkGitHubAzure(host Host, s settings) error {
	if err := checkAzure(host, s); err != nil {
		return err
	}
	return checkGitHub(host, s)
}

func (e *entra) token(ctx context.Context, resource string) (granted, error) {
	c, x := e.config, e.explain
	c.EndpointParams = url.Values{"resource": {resource}}
	if e.proof != nil {
		proof, err := e.proof(ctx, azureAudience)
		if err != nil {
			return granted{}, err
		}
		x.secrets = []string{proof.value}
		c.EndpointParams.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		c.EndpointParams.Set("client_assertion", proof.value)
	}
	t, err := c.Token(context.WithValue(ctx, oauth2.HTTPClient, e.client))
	if err != nil {
		return granted{}, e.refused(x, err)
	}
	if !isBearer(t.AccessToken) {
		return granted{}, &Error{
			Message: x.host + " answered with something that is not a bearer token.",
			Advice:  "Check whether a proxy answers in its place.",
		}
	}
	var life time.Duration
	if !t.Expiry.IsZero() {
		life = max(1, time.Until(t.Expiry)-azureEarly) // the library reads the wall clock; only the length counts here
	}
	return granted{token: t.AccessToken, life: life}, nil
}

func (e *entra) refused(x explainer, err error) *Error {
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) || r.Response == nil || r.Response.StatusCode == http.StatusTooManyRequests || r.Response.StatusCode >= 500 {
		out := x.token(err)
		if r != nil && out.Temporary {
			out.Advice = "Try again in a minute."
		}
		return out
	}
	said := fmt.Sprintf("HTTP %d", r.Response.StatusCode)
	if oauthCode().MatchString(r.ErrorCode) {
		said = r.ErrorCode
		if d := x.clean(shortAAD(r.ErrorDescription)); d != "" {
			said += ": " + d
		}
	}
	out := &Error{
		Message: fmt.Sprintf("%s refused the sign-in of the service principal %s (%s) in the tenant %s (%s).", x.host, printable(x.clientID), x.where, e.tenant, said),
		Advice:  e.advice,
	}
	if r.ErrorCode == "temporarily_unavailable" {
		out.Temporary, out.Advice = true, "Try again in a minute."
	}
	if skew := x.skew(r.Response.Header); skew != "" {
		out.Message += " " + skew
	}
	return out
}

// imds is Azure's instance metadata service, at the same address on every
// virtual machine.
const imds = "http://169.254.169.254/metadata/identity/oauth2/token"

// newAzureMSI signs the managed identity of this machine in.
func newAzureMSI(s signIn) tokenSource {
	const name = "The instance metadata service of Azure (169.254.169.254)"
	client, id, now := direct(s.options.HTTPClient), s.settings.values["azure_client_id"], s.options.Now
	return newAzure(s, false, notInWorkspace, func(ctx context.Context, resource string) (granted, error) {
		ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
		q := url.Values{"api-version": {"2018-02-01"}, "resource": {resource}}
		if id != "" {
			q.Set("client_id", id)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, imds+"?"+q.Encode(), nil)
		if err != nil {
			return granted{}, &Error{Message: name + " cannot be asked.", Advice: "Unset ARM_USE_MSI.", Err: err}
		}
		req.Header.Set("Metadata", "true")
		var doc tokenAnswer
		resp, err := fetchJSON(client, req, &doc)
		if err != nil {
			return granted{}, &Error{
				Message: name + " does not answer.",
				Advice:  fmt.Sprintf("The sign-in method azure-msi works on a machine in Azure that has a managed identity. Elsewhere unset azure_use_msi (%s).", s.settings.sources["azure_use_msi"]),
				Err:     err,
			}
		}
		advice := "Give this machine a managed identity, in Azure under Identity."
		if id != "" {
			advice = fmt.Sprintf("Check that this machine has the managed identity with the client id %s (azure_client_id: %s).", printable(id), s.settings.sources["azure_client_id"])
		}
		return doc.granted(resp, serviceAnswer{name: name, refused: advice, early: azureEarly, now: now})
	})
}
