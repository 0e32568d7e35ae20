package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// An idToken is a JWT of some identity provider, ready to be exchanged.
type idToken struct {
	value string
	where string // for messages: "the file /var/run/token"
	renew string // what to do when Databricks does not take it
}

// idTokenSource gets an id token meant for an audience, freshly each time:
// they live for minutes.
type idTokenSource func(ctx context.Context, audience string) (idToken, error)

// azureAudience is that of id tokens for Entra (and of all of Azure DevOps).
const azureAudience = "api://AzureADTokenExchange"

const defaultIDTokenVariable = "DATABRICKS_OIDC_TOKEN"

// addIDTokenVariable gives oidc_token_env its default. The default configures
// env-oidc only where the variable is set or the method is named, or else
// everybody would have it configured.
func addIDTokenVariable(o Options, s settings) {
	if o.Getenv(defaultIDTokenVariable) != "" || s.values["auth_type"] == "env-oidc" {
		s.add("oidc_token_env", defaultIDTokenVariable, Source{Origin: FromEnv, Name: defaultIDTokenVariable})
	}
}

func envIDToken(s signIn) idTokenSource {
	name := s.settings.values["oidc_token_env"]
	return func(context.Context, string) (idToken, error) {
		v := strings.TrimSpace(s.options.Getenv(name))
		if v == "" {
			return idToken{}, &Error{
				Message: fmt.Sprintf("The sign-in method env-oidc takes an id token from the variable %s (oidc_token_env: %s), which is empty.", printable(name), s.settings.sources["oidc_token_env"]),
				Advice:  "Set that variable to a JWT in the environment in which the MCP client starts this server, or name another one in DATABRICKS_OIDC_TOKEN_ENV.",
			}
		}
		return checkIDToken(idToken{
			value: v, where: "the variable " + printable(name),
			renew: "Start this server again with a new token in " + printable(name) + ": a process cannot be given another one. file-oidc reads a file again each time.",
		})
	}
}

func fileIDToken(s signIn) idTokenSource {
	path := s.settings.values["databricks_id_token_filepath"]
	return func(context.Context, string) (idToken, error) {
		data, err := s.options.ReadFile(path)
		if err != nil {
			return idToken{}, &Error{
				Message: fmt.Sprintf("The id token file %s (databricks_id_token_filepath: %s) cannot be read: %s.", path, s.settings.sources["databricks_id_token_filepath"], reason(err)),
				Advice:  "Make it a file that this user may read. It is read again at the next call.",
				Err:     err,
			}
		}
		if strings.TrimSpace(string(data)) == "" {
			return idToken{}, &Error{
				Message: fmt.Sprintf("The id token file %s is empty.", path),
				Advice:  "Whatever provides it has to write a JWT into it. It is read again at the next call.",
			}
		}
		return checkIDToken(idToken{
			value: strings.TrimSpace(string(data)), where: "the file " + path,
			renew: "Whatever provides the file has to write a new token into it; it is read again at the next call.",
		})
	}
}

// checkIDToken refuses what is no JWT before it is sent anywhere.
func checkIDToken(t idToken) (idToken, error) {
	if !isBearer(t.value) || strings.Count(t.value, ".") != 2 {
		return idToken{}, &Error{
			Message: fmt.Sprintf("What is in %s is not an id token (a JWT: three parts with a dot between them).", t.where),
			Advice:  "Put the token alone there, without quotation marks or surrounding text.",
		}
	}
	return t, nil
}

func checkGitHub(_ Host, s settings) error {
	return checkServiceURL(s, "actions_id_token_request_url", "GitHub Actions")
}

func checkDevOps(_ Host, s settings) error {
	return checkServiceURL(s, "system_teamfoundationcollectionuri", "Azure Pipelines")
}

// checkServiceURL: the bearer of the CI job goes there.
func checkServiceURL(s settings, name, system string) error {
	u, err := url.Parse(s.values[name])
	if err == nil && u.User == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil
	}
	return &Error{
		Message: fmt.Sprintf("%s (%s) is not an https URL.", name, s.sources[name]),
		Advice:  system + " sets it by itself: unset it outside of a job of that system.",
	}
}

// githubIDToken asks GitHub Actions for the id token of the running job.
func githubIDToken(s signIn) idTokenSource {
	v := s.settings.values
	ci := ciService{
		name: "GitHub Actions", client: noRedirects(s.options.HTTPClient), bearer: v["actions_id_token_request_token"],
		denied:  "The job needs \"permissions: id-token: write\", and a request token ends with its job.",
		explain: explainer{secrets: []string{v["actions_id_token_request_token"]}, now: s.options.Now},
	}
	return func(ctx context.Context, audience string) (idToken, error) {
		u, err := url.Parse(v["actions_id_token_request_url"])
		if err != nil {
			return idToken{}, &Error{Message: "actions_id_token_request_url is not a URL.", Advice: ci.denied}
		}
		q := u.Query()
		q.Set("audience", audience)
		u.RawQuery = q.Encode()
		return ci.ask(ctx, http.MethodGet, u)
	}
}

// devOpsIDToken asks Azure Pipelines for the id token of the running job. Its
// audience is always azureAudience.
func devOpsIDToken(s signIn) idTokenSource {
	v := s.settings.values
	ci := ciService{
		name: "Azure Pipelines", client: noRedirects(s.options.HTTPClient), bearer: v["system_accesstoken"],
		denied:  "Map System.AccessToken into the step (env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)); it ends with its job.",
		explain: explainer{secrets: []string{v["system_accesstoken"]}, now: s.options.Now},
	}
	return func(ctx context.Context, _ string) (idToken, error) {
		u, err := url.Parse(v["system_teamfoundationcollectionuri"])
		if err != nil {
			return idToken{}, &Error{Message: "system_teamfoundationcollectionuri is not a URL.", Advice: ci.denied}
		}
		u = u.JoinPath(url.PathEscape(v["system_teamprojectid"]), "_apis/distributedtask/hubs", url.PathEscape(v["system_hosttype"]),
			"plans", url.PathEscape(v["system_planid"]), "jobs", url.PathEscape(v["system_jobid"]), "oidctoken")
		u.RawQuery = "api-version=7.2-preview.1"
		return ci.ask(ctx, http.MethodPost, u)
	}
}

// ciService is the part of a CI system that vouches for a running job.
type ciService struct {
	name    string
	client  *http.Client
	bearer  string
	denied  string // what to do when it says no
	explain explainer
}

func (ci ciService) ask(ctx context.Context, method string, u *url.URL) (idToken, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return idToken{}, &Error{Message: "The address of the id tokens of " + ci.name + " is not a URL.", Advice: ci.denied}
	}
	req.Header.Set("Authorization", "Bearer "+ci.bearer)
	var doc struct {
		Value     string `json:"value"`     // GitHub
		OIDCToken string `json:"oidcToken"` // Azure DevOps
	}
	ci.explain.host = ci.name + " (" + u.Scheme + "://" + u.Host + ")"
	resp, err := fetchJSON(ci.client, req, &doc)
	if err != nil {
		return idToken{}, ci.explain.network(err)
	}
	if resp.StatusCode/100 != 2 {
		e := &Error{
			Message:    fmt.Sprintf("%s gave no id token for this job: HTTP %d.", ci.explain.host, resp.StatusCode),
			Advice:     ci.denied,
			Temporary:  resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500,
			retryAfter: retryAfter(resp.Header, ci.explain.now()),
		}
		if e.Temporary {
			e.Advice = "Try again in a minute."
		}
		return idToken{}, e
	}
	return checkIDToken(idToken{value: doc.Value + doc.OIDCToken, where: "the answer of " + ci.explain.host, renew: "The next call asks for a new one."})
}
