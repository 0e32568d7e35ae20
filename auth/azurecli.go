package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// azureCLI takes tokens from the login of the Azure CLI.
//
// The SDK asks for a token of the workspace's subscription and, when that
// fails, of whatever login is the default. That may be somebody else, so here
// the tenant is found out, configured or told by the workspace, and a login of
// that tenant is the only one that will do.
type azureCLI struct {
	programs     Programs
	client       *http.Client
	host         string
	cloud        *azureCloud
	tenant       string // configured; "" if not
	subscription string // of the workspace's resource id; "" if unknown
	now          func() time.Time
	explain      explainer

	mu      sync.Mutex
	found   string  // the tenant that the workspace told
	account azLogin // who is logged in
}

// azLogin is the login that the Azure CLI has, by "az account show".
type azLogin struct {
	User struct {
		Name string `json:"name"`
		Type string `json:"type"` // "user", "servicePrincipal"
	} `json:"user"`
}

// managed identities have no choice of tenants: naming one is an error.
func (l azLogin) managed() bool {
	return l.User.Type == "servicePrincipal" && (l.User.Name == "systemAssignedIdentity" || l.User.Name == "userAssignedIdentity")
}

func newAzureCLI(s signIn) tokenSource {
	v := s.settings.values
	c := &azureCLI{
		programs: s.options.Programs, client: noRedirects(s.options.HTTPClient), host: s.id.Host, cloud: cloudOf(s.id.Host, s.settings),
		tenant: v["azure_tenant_id"], now: s.options.Now, explain: explainer{host: s.id.Host, now: s.options.Now},
	}
	if parts := strings.Split(v["azure_workspace_resource_id"], "/"); len(parts) > 2 && guidPattern().MatchString(parts[2]) {
		c.subscription = parts[2]
	}
	return newAzure(s, true, notInWorkspace, c.token)
}

const installAz = "Install the Azure CLI (https://learn.microsoft.com/cli/azure/install-azure-cli)"

func (c *azureCLI) token(ctx context.Context, resource string) (granted, error) {
	program, err := c.programs.Find("az")
	if errors.Is(err, fs.ErrNotExist) {
		return granted{}, &Error{
			Message: "The sign-in method azure-cli needs the Azure CLI, and there is no program az in the PATH of this server.",
			Advice:  installAz + " and sign in: az login. Clients with a window often start servers with a shorter PATH than a terminal has.",
		}
	}
	if err != nil {
		return granted{}, &Error{Message: fmt.Sprintf("The Azure CLI cannot be used: %s.", reason(err)), Advice: installAz + ".", Err: err}
	}
	login, tenant, err := c.prepare(ctx, program.Path)
	if err != nil {
		return granted{}, err
	}
	args := []string{"account", "get-access-token", "--resource", resource, "--output", "json"}
	var choice []string
	switch {
	case login.managed():
	case tenant != "":
		choice = []string{"--tenant", tenant}
	case c.subscription != "":
		choice = []string{"--subscription", c.subscription}
	}
	out, err := c.programs.Run(ctx, Command{Path: program.Path, Args: append(args, choice...)})
	if err != nil && len(choice) > 0 && login.User.Type == "servicePrincipal" && !timedOut(err) {
		// A login by a federated token takes no tenant. A service principal
		// is one identity with and without.
		out, err = c.programs.Run(ctx, Command{Path: program.Path, Args: args})
	}
	if err != nil {
		return granted{}, c.failed(err, tenant)
	}
	token, expiry, err := parseAzureToken(out, time.Local)
	if err != nil {
		return granted{}, &Error{
			Message: fmt.Sprintf("az account get-access-token did not answer with a token: %v.", err),
			Advice:  "Update the Azure CLI: az upgrade.",
		}
	}
	life := lifeUntil(expiry, c.now()) - azureEarly
	if life <= 0 {
		return granted{}, &Error{
			Message: fmt.Sprintf("The token of the Azure CLI has expired, by the clock of this machine (%s).", c.now().UTC().Format(time.RFC3339)),
			Advice:  "If that time is wrong, set the clock. Otherwise sign in again: " + azLoginCommand(tenant) + ".",
		}
	}
	return granted{token: token, life: life}, nil
}

// prepare finds out who is logged in and which tenant is wanted. It is asked
// again only after a failure.
func (c *azureCLI) prepare(ctx context.Context, az string) (azLogin, string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tenant == "" && c.found == "" {
		c.found = c.workspaceTenant(ctx)
	}
	tenant := c.tenant
	if tenant == "" {
		tenant = c.found
	}
	if c.account.User.Type != "" {
		return c.account, tenant, nil
	}
	out, err := c.programs.Run(ctx, Command{Path: az, Args: []string{"account", "show", "--output", "json"}})
	if err != nil {
		return azLogin{}, "", c.explainFailure(err, tenant)
	}
	var login azLogin
	if json.Unmarshal(out, &login) != nil || login.User.Type == "" {
		return azLogin{}, "", &Error{
			Message: "az account show did not answer with an account.", Advice: "Sign in again: " + azLoginCommand(tenant) + ".",
		}
	}
	c.account = login
	return login, tenant, nil
}

// workspaceTenant asks the workspace where it sends people to sign in:
//
//	Location: https://login.microsoftonline.com/<tenant>/oauth2/authorize?…
//
// "" if it does not tell; then the default login has to do.
func (c *azureCLI) workspaceTenant(ctx context.Context) string {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.host+"/aad/auth", nil)
	if err != nil {
		return ""
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return ""
	}
	_ = resp.Body.Close() // nothing was read
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), c.cloud.entra) {
		return ""
	}
	tenant, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if !guidPattern().MatchString(tenant) {
		return "" // "common" and the like
	}
	return tenant
}

func azLoginCommand(tenant string) string {
	if tenant == "" {
		return "az login"
	}
	return "az login --tenant " + tenant
}

func (c *azureCLI) failed(err error, tenant string) *Error {
	c.mu.Lock()
	c.account = azLogin{} // somebody else may log in now
	c.mu.Unlock()
	return c.explainFailure(err, tenant)
}

var (
	azOffline   = pattern(`(?i)Max retries exceeded|Failed to establish a new connection|getaddrinfo|Name or service not known|timed? ?out|Connection (aborted|reset|refused)`)
	azMoreHints = pattern(`(?s)\n.*`)
)

func (c *azureCLI) explainFailure(err error, tenant string) *Error {
	var exit *ExitError
	switch {
	case timedOut(err):
		return &Error{
			Message: "The Azure CLI did not answer in time.", Advice: "Try in a terminal: az account get-access-token.",
			Temporary: true, Err: err,
		}
	case !errors.As(err, &exit):
		return &Error{Message: fmt.Sprintf("The Azure CLI could not be run: %s.", reason(err)), Advice: installAz + " again.", Err: err}
	}
	said := strings.TrimPrefix(strings.TrimSpace(exit.Stderr), "ERROR: ")
	offline := azOffline().MatchString(said)
	said = strings.TrimRight(c.explain.clean(shortAAD(azMoreHints().ReplaceAllString(said, ""))), ".")
	if said == "" {
		said = exit.Error()
	}
	if offline {
		return &Error{
			Message: "The Azure CLI could not reach Azure: " + said + ".", Advice: "Check the network, VPN, and HTTPS_PROXY if this network needs a proxy.",
			Temporary: true,
		}
	}
	where := ""
	if tenant != "" {
		where = " in the tenant " + tenant
	}
	return &Error{
		Message: fmt.Sprintf("The Azure CLI has no usable login for %s%s: %s.", c.host, where, said),
		Advice:  "Sign in again: " + azLoginCommand(tenant) + ". The next call then works.",
	}
}

// parseAzureToken reads the answer of "az account get-access-token":
//
//	{"accessToken": "…", "expiresOn": "2026-01-01 12:00:00.000000", "expires_on": 1767268800, "tokenType": "Bearer"}
//
// expiresOn is local time without saying so, and twice a year wrong; newer
// versions give expires_on, too. Errors quote nothing.
func parseAzureToken(out []byte, local *time.Location) (token string, expiry time.Time, err error) {
	var doc struct {
		AccessToken string      `json:"accessToken"`
		ExpiresOn   string      `json:"expiresOn"`
		Epoch       json.Number `json:"expires_on"`
		TokenType   string      `json:"tokenType"`
	}
	if json.Unmarshal(out, &doc) != nil {
		return "", time.Time{}, errors.New("the answer is not the expected JSON")
	}
	if !isBearer(doc.AccessToken) || doc.TokenType != "" && !strings.EqualFold(doc.TokenType, "Bearer") {
		return "", time.Time{}, errors.New("the answer holds no bearer token")
	}
	if epoch, err := doc.Epoch.Int64(); err == nil && epoch > 0 && epoch < 1<<40 {
		return doc.AccessToken, time.Unix(epoch, 0), nil
	}
	expiry, err = time.ParseInLocation("2006-01-02 15:04:05", doc.ExpiresOn, local)
	if err != nil {
		return "", time.Time{}, errors.New("the answer does not say when the token expires")
	}
	return doc.AccessToken, expiry, nil
}
