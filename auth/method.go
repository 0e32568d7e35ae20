package auth

import (
	"fmt"
	"slices"
	"strings"
)

// A method is one way of signing in. methods is the place where a new one
// plugs in: its row says what makes it complete, its source how tokens come.
type method struct {
	name string // auth_type as the Databricks SDKs spell it

	// needs are the attributes without which the method cannot work; signs
	// those that show that it is meant although it could do without; takes
	// the others that it uses where they are set. Without needs and signs a
	// method is never found in a configuration, only named by auth_type.
	needs, signs, takes []string

	// family: methods that share attributes. What makes a shared method
	// complete is also of use to others of its family; beside a complete one
	// of them it does not count, because nothing says that it was meant.
	family string
	shared bool
	// ambient: a CI system gives every job what completes the method. It
	// counts beside other methods only when client_id says that it was meant.
	ambient bool

	clientID string // the attribute that is Identity.ClientID
	scopes   bool   // the method asks for scopes

	// check refuses a configuration in which the method cannot work or would
	// not be safe. May be nil.
	check func(Host, settings) error
	// source makes the token source. Nil: known, but not available here yet.
	source func(signIn) tokenSource
}

var (
	githubNeeds = []string{"actions_id_token_request_url", "actions_id_token_request_token"}
	devOpsNeeds = []string{"system_accesstoken", "system_teamfoundationcollectionuri", "system_teamprojectid", "system_hosttype", "system_planid", "system_jobid"}
	azureTakes  = []string{"azure_client_id", "azure_tenant_id", "azure_workspace_resource_id", "azure_login_app_id"}
)

// methods in the order of the SDK's chain.
var methods = []method{
	{name: "pat", family: "pat", needs: []string{"token"}, source: newStatic},
	{name: "basic", family: "basic", needs: []string{"username", "password"}},
	{name: "oauth-m2m", family: "oauth", needs: []string{"client_id", "client_secret"}, clientID: "client_id", scopes: true, source: newM2M},
	{name: "databricks-cli", family: "databricks-cli", source: newDatabricksCLI},
	{name: "metadata-service", family: "metadata-service", needs: []string{"metadata_service_url"}, check: checkMetadataService, source: newMetadataService},
	{name: "github-oidc", family: "oauth", needs: githubNeeds, takes: []string{"client_id"}, shared: true, ambient: true, clientID: "client_id", scopes: true, check: checkGitHub, source: newGitHubOIDC},
	{name: "azure-devops-oidc", family: "oauth", needs: devOpsNeeds, takes: []string{"client_id"}, shared: true, ambient: true, clientID: "client_id", scopes: true, check: checkDevOps, source: newDevOpsOIDC},
	{name: "env-oidc", family: "oauth", needs: []string{"oidc_token_env"}, takes: []string{"client_id"}, clientID: "client_id", scopes: true, source: newEnvOIDC},
	{name: "file-oidc", family: "oauth", needs: []string{"databricks_id_token_filepath"}, takes: []string{"client_id"}, clientID: "client_id", scopes: true, source: newFileOIDC},
	{name: "github-oidc-azure", family: "azure", needs: append([]string{"azure_client_id", "azure_tenant_id"}, githubNeeds...), takes: azureTakes, shared: true, clientID: "azure_client_id", check: checkGitHubAzure, source: newGitHubOIDCAzure},
	{name: "azure-msi", family: "azure", needs: []string{"azure_use_msi"}, takes: azureTakes, clientID: "azure_client_id", check: checkAzure, source: newAzureMSI},
	{name: "azure-client-secret", family: "azure", needs: []string{"azure_client_id", "azure_client_secret", "azure_tenant_id"}, takes: azureTakes, clientID: "azure_client_id", check: checkAzure, source: newAzureClientSecret},
	{name: "azure-cli", family: "azure", signs: []string{"azure_workspace_resource_id"}, takes: azureTakes, shared: true, check: checkAzure, source: newAzureCLI},
	{name: "google-credentials", family: "google", needs: []string{"google_credentials"}},
	{name: "google-id", family: "google", needs: []string{"google_service_account"}},
	// A sign-in of this program. Where nothing else is configured it is meant
	// by the host alone: see browserSignIn.
	{name: externalBrowser, family: externalBrowser, takes: []string{"client_id"}, source: newU2M},
}

// whatWorks is said wherever a method is missing.
const whatWorks = "Set DATABRICKS_HOST together with DATABRICKS_TOKEN (a personal access token) or with DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET (OAuth of a service principal), or a profile of the configuration file that holds host and token, or host, client_id and client_secret. After \"databricks auth login\" a profile with auth_type = databricks-cli works as it is."

// chooseMethod returns the one method that the settings configure: the pinned
// one, else the only complete one. Nil without an error: there is none.
func chooseMethod(s settings) (*method, error) {
	if pinned := s.values["auth_type"]; pinned != "" {
		return pinnedMethod(s, pinned)
	}
	var complete []*method
	for i := range methods {
		if m := &methods[i]; m.complete(s) {
			complete = append(complete, m)
		}
	}
	complete = slices.DeleteFunc(slices.Clone(complete), func(m *method) bool {
		return slices.ContainsFunc(complete, func(other *method) bool { return m.yields(other, s) })
	})
	switch len(complete) {
	case 0:
		return nil, nil
	case 1:
		return complete[0], complete[0].available(complete[0].found(s))
	}
	var found, pins []string
	for _, m := range complete {
		found = append(found, fmt.Sprintf("%s (%s)", m.name, m.found(s)))
		pins = append(pins, "DATABRICKS_AUTH_TYPE="+m.name)
	}
	return nil, &Error{
		Message: "More than one sign-in method is configured, and nothing says which one is meant: " + strings.Join(found, " and ") + ".",
		Advice:  "Remove all but one, or choose with " + strings.Join(pins, " or ") + " (auth_type in a profile).",
	}
}

// yields tells whether m, although complete, does not count because other is
// complete, too.
func (m *method) yields(other *method, s settings) bool {
	if m == other {
		return false
	}
	if m.ambient && !s.has("client_id") && !other.ambient {
		return true
	}
	if !m.shared || m.family != other.family || m.ambient && other.ambient {
		return false
	}
	// Between two shared ones the first of the table stands.
	return !other.shared || slices.IndexFunc(methods, func(x method) bool { return x.name == other.name }) <
		slices.IndexFunc(methods, func(x method) bool { return x.name == m.name })
}

func pinnedMethod(s settings, name string) (*method, error) {
	where := s.sources["auth_type"].String()
	var names []string
	for i := range methods {
		m := &methods[i]
		names = append(names, m.name)
		if m.name != name {
			continue
		}
		if err := m.available("auth_type: " + where); err != nil {
			return nil, err
		}
		if missing := m.missing(s); len(missing) > 0 {
			return nil, &Error{
				Message: fmt.Sprintf("The sign-in method %s is chosen (auth_type: %s), but %s not set.", name, where, isOrAre(missing)),
				Advice:  fmt.Sprintf("Set %s, or unset auth_type.", settable(missing)),
			}
		}
		return m, nil
	}
	advice := ""
	if near := nearest(name, names); len(near) > 0 {
		advice = "Did you mean " + strings.Join(near, " or ") + "? "
	}
	return nil, &Error{
		Message: fmt.Sprintf("There is no sign-in method %q (auth_type: %s).", printable(name), where),
		Advice:  advice + "Available here: " + strings.Join(availableMethods(), ", ") + ".",
	}
}

// complete tells whether the settings configure the method without naming it.
func (m *method) complete(s settings) bool {
	return len(m.needs)+len(m.signs) > 0 && len(m.missing(s)) == 0 &&
		!slices.ContainsFunc(m.signs, func(n string) bool { return !s.has(n) })
}

func (m *method) missing(s settings) []string {
	var names []string
	for _, n := range m.needs {
		v := s.values[n]
		if v == "" || n == "azure_use_msi" && !isTrue(v) {
			names = append(names, n)
		}
	}
	return names
}

// isTrue reads a boolean as strconv.ParseBool does, which the SDK uses.
func isTrue(v string) bool {
	switch v {
	case "1", "t", "T", "TRUE", "true", "True":
		return true
	}
	return false
}

// found says where the attributes of the method were.
func (m *method) found(s settings) string {
	var places []string
	for _, n := range slices.Concat(m.needs, m.signs) {
		places = append(places, n+": "+s.sources[n].String())
	}
	return strings.Join(places, ", ")
}

// chosen says why it is this method.
func (m *method) chosen(s settings) string {
	if s.has("auth_type") {
		return "auth_type: " + s.sources["auth_type"].String()
	}
	return m.found(s)
}

func (m *method) available(found string) error {
	if m.source != nil {
		return nil
	}
	return &Error{
		Message: fmt.Sprintf("The configuration asks for the sign-in method %s (%s), which is not available here yet.", m.name, found),
		Advice:  "Available: " + strings.Join(availableMethods(), ", ") + ". " + whatWorks,
	}
}

func availableMethods() []string {
	var names []string
	for _, m := range methods {
		if m.source != nil {
			names = append(names, m.name)
		}
	}
	return names
}

// incomplete lists the available methods of which something but not all is
// set, for advice and warnings. What the method in use (nil if there is none)
// uses anyway is no sign of another, nor is what only a CI system sets.
func incomplete(s settings, inUse *method) []string {
	var out []string
	for _, m := range methods {
		begun := func(n string) bool {
			return s.has(n) && attributeNamed(n).method &&
				(inUse == nil || !slices.Contains(inUse.needs, n) && !slices.Contains(inUse.takes, n))
		}
		missing := m.missing(s)
		if m.source == nil || len(missing) == 0 || !slices.ContainsFunc(m.needs, begun) ||
			slices.ContainsFunc(missing, func(n string) bool { return !attributeNamed(n).method || n == "azure_use_msi" }) {
			continue
		}
		out = append(out, fmt.Sprintf("%s lacks %s", m.name, settable(missing)))
	}
	return out
}

// settable names attributes as a person sets them.
func settable(names []string) string {
	var out []string
	for _, n := range names {
		if env := attributeNamed(n).env; env != "" {
			out = append(out, fmt.Sprintf("%s (%s in a profile)", env, n))
		} else {
			out = append(out, n)
		}
	}
	return strings.Join(out, " and ")
}

func isOrAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, " and ") + " are"
}
