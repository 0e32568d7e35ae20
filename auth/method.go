package auth

import (
	"fmt"
	"strings"
)

// A method is one way of signing in. methods is the place where a new one
// plugs in: its row says what makes it complete, its source how tokens come.
type method struct {
	name string // auth_type as the Databricks SDKs spell it

	// family: methods of one family share attributes and do not contradict
	// each other; the first complete one of the table stands for all.
	family string
	// needs are the attributes without which the method cannot work. A method
	// that needs none is never found in a configuration, only named by auth_type.
	needs []string
	// source makes the token source. Nil: known, but not available here yet.
	source func(signIn) tokenSource
}

// methods in the order of the SDK's chain.
var methods = []method{
	{name: "pat", family: "pat", needs: []string{"token"}, source: newStatic},
	{name: "basic", family: "basic", needs: []string{"username", "password"}},
	{name: "oauth-m2m", family: "oauth", needs: []string{"client_id", "client_secret"}, source: newM2M},
	{name: "databricks-cli", family: "databricks-cli"},
	{name: "metadata-service", family: "metadata-service", needs: []string{"metadata_service_url"}},
	{name: "github-oidc", family: "github-oidc"},
	{name: "azure-devops-oidc", family: "azure-devops-oidc"},
	{name: "env-oidc", family: "env-oidc", needs: []string{"oidc_token_env"}},
	{name: "file-oidc", family: "file-oidc", needs: []string{"databricks_id_token_filepath"}},
	{name: "github-oidc-azure", family: "azure"},
	{name: "azure-msi", family: "azure", needs: []string{"azure_use_msi", "azure_workspace_resource_id"}},
	{name: "azure-client-secret", family: "azure", needs: []string{"azure_client_id", "azure_client_secret", "azure_tenant_id"}},
	{name: "azure-cli", family: "azure", needs: []string{"azure_workspace_resource_id"}},
	{name: "google-credentials", family: "google", needs: []string{"google_credentials"}},
	{name: "google-id", family: "google", needs: []string{"google_service_account"}},
}

// whatWorks is said wherever a method is missing.
const whatWorks = "Set DATABRICKS_HOST together with DATABRICKS_TOKEN (a personal access token) or with DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET (OAuth of a service principal), or a profile of the configuration file that holds host and token, or host, client_id and client_secret."

// chooseMethod returns the one method that the settings configure: the pinned
// one, else the only complete one. Nil without an error: there is none.
func chooseMethod(s settings) (*method, error) {
	if pinned := s.values["auth_type"]; pinned != "" {
		return pinnedMethod(s, pinned)
	}
	var complete []*method
	for i := range methods {
		m := &methods[i]
		if len(m.needs) == 0 || len(m.missing(s)) > 0 {
			continue
		}
		if n := len(complete); n > 0 && complete[n-1].family == m.family {
			continue
		}
		complete = append(complete, m)
	}
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
	for _, n := range m.needs {
		places = append(places, n+": "+s.sources[n].String())
	}
	return strings.Join(places, ", ")
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
// set, for the advice where no method is complete.
func incomplete(s settings) []string {
	var out []string
	for _, m := range methods {
		if missing := m.missing(s); m.source != nil && len(missing) > 0 && len(missing) < len(m.needs) {
			out = append(out, fmt.Sprintf("%s lacks %s", m.name, settable(missing)))
		}
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
