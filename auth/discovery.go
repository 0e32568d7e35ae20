package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// endpoints finds the OAuth endpoints of a host: contract auth.md, section 2.
type endpoints struct {
	client       *http.Client // does not follow redirects
	host         string
	accountID    string
	discoveryURL string // overrides the search
	explain      explainer
}

// found are the endpoints of one OpenID provider. issuer is "" where the
// provider does not tell.
type found struct {
	authorization, token, issuer string
}

// token returns the URL of the token endpoint.
func (e endpoints) token(ctx context.Context) (string, error) {
	f, err := e.find(ctx)
	return f.token, err
}

// both returns the endpoints for the sign-in of a person.
func (e endpoints) both(ctx context.Context) (found, error) {
	f, err := e.find(ctx)
	if err != nil {
		return found{}, err
	}
	if f.authorization == "" {
		return found{}, &Error{
			Message: e.host + " does not offer the sign-in of users with a browser.",
			Advice:  "Check the host. If it is right, use a personal access token (DATABRICKS_TOKEN).",
		}
	}
	return f, e.trusted(f.authorization, "The authorization endpoint")
}

// find looks the endpoints up.
//
// /.well-known/databricks-config tells where the OpenID provider of the host
// is. Older hosts do not have it, which is why any answer but a good one falls
// back to the fixed place of workspaces or accounts. A host that cannot be
// reached at all is an error at once.
func (e endpoints) find(ctx context.Context) (found, error) {
	metadata := e.discoveryURL
	if metadata == "" {
		root, err := e.provider(ctx)
		if err != nil {
			return found{}, err
		}
		if root == "" && isAccountHost(e.host) {
			if e.accountID == "" {
				return found{}, &Error{
					Message: e.host + " is the host of an account, and no account id is set.",
					Advice:  "Use the host of a workspace, or set DATABRICKS_ACCOUNT_ID.",
				}
			}
			root = e.host + "/oidc/accounts/" + e.accountID
			return found{authorization: root + "/v1/authorize", token: root + "/v1/token"}, nil
		}
		if root == "" {
			root = e.host + "/oidc"
		}
		metadata = root + "/.well-known/oauth-authorization-server"
	}
	if err := e.trusted(metadata, "The discovery URL"); err != nil {
		return found{}, err
	}
	var doc struct {
		Issuer                string `json:"issuer"`
		AuthorizationEndpoint string `json:"authorization_endpoint"`
		TokenEndpoint         string `json:"token_endpoint"`
	}
	status, err := e.get(ctx, metadata, &doc)
	switch {
	case err != nil:
		return found{}, err
	case status == http.StatusNotFound:
		return found{}, &Error{
			Message: fmt.Sprintf("%s does not offer OAuth: there is nothing at %s.", e.host, metadata),
			Advice:  "Check that the host is that of a workspace. If it is, use a personal access token (DATABRICKS_TOKEN).",
		}
	case status != http.StatusOK:
		return found{}, e.explain.status(status, nil, "the discovery of OAuth endpoints at "+metadata)
	case doc.TokenEndpoint == "":
		return found{}, &Error{
			Message: fmt.Sprintf("%s did not answer with the OAuth endpoints of a workspace.", metadata),
			Advice:  "Check the host: this looks like a web site, or a proxy that answers in its place.",
		}
	}
	f := found{authorization: doc.AuthorizationEndpoint, token: doc.TokenEndpoint, issuer: doc.Issuer}
	return f, e.trusted(doc.TokenEndpoint, "The token endpoint")
}

// provider returns the root of the OpenID provider, "" if the host does not
// tell.
func (e endpoints) provider(ctx context.Context) (string, error) {
	var doc struct {
		OIDCEndpoint string `json:"oidc_endpoint"`
		AccountID    string `json:"account_id"`
	}
	status, err := e.get(ctx, e.host+"/.well-known/databricks-config", &doc)
	if err != nil {
		return "", err
	}
	root := strings.TrimRight(doc.OIDCEndpoint, "/")
	if status != http.StatusOK || root == "" {
		return "", nil
	}
	if strings.Contains(root, "{account_id}") {
		account := e.accountID
		if account == "" && idPattern().MatchString(doc.AccountID) {
			account = doc.AccountID
		}
		if account == "" {
			return "", nil
		}
		root = strings.ReplaceAll(root, "{account_id}", account)
	}
	return root, nil
}

// get fetches a small JSON document. Only a host that does not answer is an
// error; an answer that is not JSON leaves doc as it is.
func (e endpoints) get(ctx context.Context, address string, doc any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, &Error{Message: "The discovery URL of " + e.host + " is not a URL.", Advice: hostExample}
	}
	req.Header.Set("Accept", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		return 0, e.explain.network(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return 0, e.explain.network(err)
	}
	if resp.StatusCode == http.StatusOK {
		_ = json.Unmarshal(body, doc)
	}
	return resp.StatusCode, nil
}

// trusted allows an endpoint found by discovery only where a secret may go:
// https on the configured host or within Databricks' domains; and for a
// loopback host, loopback.
func (e endpoints) trusted(address, what string) error {
	u, err := url.Parse(address)
	own, _ := url.Parse(e.host)
	if err == nil && own != nil && u.User == nil {
		name, ownName := strings.ToLower(u.Hostname()), own.Hostname()
		switch {
		case u.Scheme == own.Scheme && strings.EqualFold(u.Host, own.Host):
			return nil
		case u.Scheme == "https" && name == ownName:
			return nil
		case isLoopback(ownName) && isLoopback(name) && (u.Scheme == "http" || u.Scheme == "https"):
			return nil
		case u.Scheme == "https":
			for _, d := range append([]string{"databricks.com"}, domains...) {
				if inDomain(name, d) {
					return nil
				}
			}
		}
	}
	return &Error{
		Message: fmt.Sprintf("%s that belongs to %s is neither on that host nor at Databricks, or not https. Nothing was sent there.", what, e.host),
		Advice:  "Check the host, DATABRICKS_DISCOVERY_URL, and whether a proxy answers in the host's place.",
	}
}
