package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// azureCloud is one of Azure's separate clouds: where tokens come from, and
// what they are for when they are not for Databricks.
type azureCloud struct {
	name       string // ARM_ENVIRONMENT as the Databricks SDKs spell it
	domain     string // of its workspaces
	entra      string // with a slash at the end
	management string // the resource of the management token
}

var azureClouds = []azureCloud{
	{"PUBLIC", "azuredatabricks.net", "https://login.microsoftonline.com/", "https://management.core.windows.net/"},
	{"USGOVERNMENT", "databricks.azure.us", "https://login.microsoftonline.us/", "https://management.core.usgovcloudapi.net/"},
	{"CHINA", "databricks.azure.cn", "https://login.chinacloudapi.cn/", "https://management.core.chinacloudapi.cn/"},
}

const (
	// databricksApp is Databricks in Entra ID: the resource that a token for
	// any workspace is asked for.
	databricksApp = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d"

	// azureEarly: Azure Databricks refuses a token of less than 30 s.
	azureEarly = 40 * time.Second

	resourceIDHeader = "X-Databricks-Azure-Workspace-Resource-Id"
	managementHeader = "X-Databricks-Azure-SP-Management-Token"
)

// Ids that become part of a URL or an argument of a program.
var (
	tenantPattern = pattern(`^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$`)
	guidPattern   = pattern(`^[0-9A-Fa-f-]{36}$`)
)

// cloudOf tells the cloud of a workspace, by its domain, else by name. Nil:
// there is no cloud of that name.
func cloudOf(hostURL string, s settings) *azureCloud {
	if u, err := url.Parse(hostURL); err == nil {
		for i := range azureClouds {
			if inDomain(u.Hostname(), azureClouds[i].domain) {
				return &azureClouds[i]
			}
		}
	}
	name := s.values["azure_environment"]
	if name == "" {
		return &azureClouds[0]
	}
	for i := range azureClouds {
		if strings.EqualFold(name, azureClouds[i].name) {
			return &azureClouds[i]
		}
	}
	return nil
}

// isAzure as the SDK has it: by resource id, by cloud, by domain.
func isAzure(host Host, s settings) bool {
	if s.has("azure_workspace_resource_id") {
		return true
	}
	if s.has("cloud") {
		return strings.EqualFold(s.values["cloud"], "azure")
	}
	u, err := url.Parse(host.URL)
	if err != nil {
		return false
	}
	for _, c := range azureClouds {
		if inDomain(u.Hostname(), c.domain) {
			return true
		}
	}
	return false
}

func checkAzure(host Host, s settings) error {
	bad := func(name, what, advice string) error {
		return &Error{Message: fmt.Sprintf("%s (%s) is not %s.", name, s.sources[name], what), Advice: advice}
	}
	switch {
	case !isAzure(host, s):
		return &Error{
			Message: fmt.Sprintf("%s is not a workspace of Azure by its name.", host.URL),
			Advice:  "If it is one under a name of your own, set DATABRICKS_CLOUD=azure. If not, unset ARM_… and DATABRICKS_AZURE_…, or choose another method with DATABRICKS_AUTH_TYPE.",
		}
	case s.has("azure_tenant_id") && !tenantPattern().MatchString(s.values["azure_tenant_id"]):
		return bad("azure_tenant_id", "a tenant id", "Use the directory (tenant) id that Entra ID shows, or a domain of the tenant.")
	case s.has("azure_login_app_id") && !guidPattern().MatchString(s.values["azure_login_app_id"]):
		return bad("azure_login_app_id", "an application id", "Unset it: the id of Databricks is known.")
	case s.has("azure_workspace_resource_id") && !strings.HasPrefix(strings.ToLower(s.values["azure_workspace_resource_id"]), "/subscriptions/"):
		return bad("azure_workspace_resource_id", "the resource id of a workspace",
			"It looks like /subscriptions/…/resourceGroups/…/providers/Microsoft.Databricks/workspaces/…; the Azure portal shows it under Properties of the workspace.")
	case cloudOf(host.URL, s) == nil:
		return bad("azure_environment", "a cloud of Azure", "Use PUBLIC, USGOVERNMENT or CHINA, or unset it.")
	}
	return nil
}

// azure is a sign-in by Entra ID: a token for Databricks and, for a workspace
// that is named by its resource id, a second one that shows Azure's management
// what the principal may do there.
type azure struct {
	*refresher
	resourceID string // "" : no headers
	management *refresher

	// userToo: the method signs in people, too, who often may not have a
	// management token and then do not need one.
	userToo bool

	mu      sync.Mutex
	had     string // the last management token
	without bool   // it was refused before there was one
}

// newAzure builds the source from a function that gets a token for a
// resource.
func newAzure(s signIn, userToo bool, stale string, fetch func(ctx context.Context, resource string) (granted, error)) *azure {
	v := s.settings.values
	app, cloud := v["azure_login_app_id"], cloudOf(s.id.Host, s.settings)
	if app == "" {
		app = databricksApp
	}
	refresh := func(resource string) *refresher {
		return &refresher{
			fetch: func(ctx context.Context) (granted, error) { return fetch(ctx, resource) }, now: s.options.Now, pause: pause,
			stale: &Error{Message: fmt.Sprintf("%s refused a token that Azure had just issued (%s).", s.id.Host, s.id.AuthType), Advice: stale},
		}
	}
	return &azure{
		refresher: refresh(app), management: refresh(cloud.management),
		resourceID: v["azure_workspace_resource_id"], userToo: userToo,
	}
}

const notInWorkspace = "The principal is probably not a member of this workspace: an admin adds it under Settings, Identity and access. With DATABRICKS_AZURE_RESOURCE_ID set, Contributor or Owner of the workspace in Azure is enough."

func (a *azure) Headers(ctx context.Context) (http.Header, error) {
	if a.resourceID == "" {
		return nil, nil
	}
	h := http.Header{}
	h.Set(resourceIDHeader, a.resourceID)
	if a.isWithout() {
		return h, nil
	}
	token, err := a.management.Token(ctx)
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Temporary || !a.decline() {
			return nil, err
		}
		return h, nil
	}
	a.mu.Lock()
	a.had = token
	a.mu.Unlock()
	h.Set(managementHeader, token)
	return h, nil
}

func (a *azure) isWithout() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.without
}

// decline decides, once and before there was a management token, to do
// without; the SDK does the same. Whoever had one does not lose it silently.
func (a *azure) decline() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.without = a.userToo && a.had == ""
	return a.without
}

// Invalidate drops both tokens: a 401 does not say which of them it is about.
func (a *azure) Invalidate(token string) {
	a.mu.Lock()
	had := a.had
	a.mu.Unlock()
	a.refresher.Invalidate(token)
	a.management.Invalidate(had)
}

func (a *azure) Refused() bool {
	return a.refresher.Refused() || !a.isWithout() && a.management.Refused()
}

// shortAAD cuts the ids that Entra ID appends to what it says.
func shortAAD(s string) string {
	for _, end := range []string{"Trace ID:", "Correlation ID:", "Timestamp:"} {
		s, _, _ = strings.Cut(s, end)
	}
	return strings.TrimRight(s, " .\r\n")
}
