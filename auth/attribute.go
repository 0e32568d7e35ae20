package auth

import (
	"fmt"
	"strings"
)

// An attribute is one setting of Databricks' unified authentication: its key
// in a profile and its environment variable. The tables of the SDK and of the
// contract's auth.md, section 1, are the source.
type attribute struct {
	name string // key in the configuration file; also the name in Identity.Sources
	env  string // "" where there is no variable

	// method: the attribute belongs to one way of signing in. Any such
	// attribute in the environment makes the SDK skip the configuration file
	// unless a profile is named.
	method bool
	secret bool
	spaces bool // a value may hold spaces and letters beyond ASCII, as a path does
	// envOnly: no attribute of a profile. The name serves this package alone.
	envOnly bool
}

// A secret client assertion, password or token is marked so that no message
// ever quotes it.
var attributes = []attribute{
	{name: "host", env: "DATABRICKS_HOST", spaces: true},
	{name: "account_id", env: "DATABRICKS_ACCOUNT_ID"},
	{name: "workspace_id", env: "DATABRICKS_WORKSPACE_ID"},
	{name: "warehouse_id", env: "DATABRICKS_WAREHOUSE_ID"},
	{name: "auth_type", env: "DATABRICKS_AUTH_TYPE"},
	{name: "discovery_url", env: "DATABRICKS_DISCOVERY_URL"},
	{name: "cloud", env: "DATABRICKS_CLOUD"},
	{name: "scopes", spaces: true},
	{name: "disable_oauth_refresh_token", env: "DATABRICKS_DISABLE_OAUTH_REFRESH_TOKEN"},
	{name: "oauth_callback_port", env: "DATABRICKS_OAUTH_CALLBACK_PORT"},
	{name: "audience", env: "DATABRICKS_TOKEN_AUDIENCE"},
	{name: "databricks_cli_path", env: "DATABRICKS_CLI_PATH", spaces: true},

	{name: "token", env: "DATABRICKS_TOKEN", method: true, secret: true},
	{name: "username", env: "DATABRICKS_USERNAME", method: true},
	{name: "password", env: "DATABRICKS_PASSWORD", method: true, secret: true},
	{name: "client_id", env: "DATABRICKS_CLIENT_ID", method: true},
	{name: "client_secret", env: "DATABRICKS_CLIENT_SECRET", method: true, secret: true},

	{name: "metadata_service_url", env: "DATABRICKS_METADATA_SERVICE_URL", method: true, secret: true},
	{name: "databricks_id_token_filepath", env: "DATABRICKS_OIDC_TOKEN_FILEPATH", method: true, spaces: true},
	{name: "oidc_token_env", env: "DATABRICKS_OIDC_TOKEN_ENV", method: true},
	{name: "azure_workspace_resource_id", env: "DATABRICKS_AZURE_RESOURCE_ID", method: true},
	{name: "azure_use_msi", env: "ARM_USE_MSI", method: true},
	{name: "azure_client_id", env: "ARM_CLIENT_ID", method: true},
	{name: "azure_client_secret", env: "ARM_CLIENT_SECRET", method: true, secret: true},
	{name: "azure_tenant_id", env: "ARM_TENANT_ID", method: true},
	{name: "azure_login_app_id", env: "DATABRICKS_AZURE_LOGIN_APP_ID", method: true},
	{name: "azure_environment", env: "ARM_ENVIRONMENT"},
	{name: "google_service_account", env: "DATABRICKS_GOOGLE_SERVICE_ACCOUNT", method: true},
	{name: "google_credentials", env: "GOOGLE_CREDENTIALS", method: true, secret: true, spaces: true},

	// What a CI system tells its jobs. None of these makes the SDK skip the
	// configuration file.
	{name: "actions_id_token_request_url", env: "ACTIONS_ID_TOKEN_REQUEST_URL"},
	{name: "actions_id_token_request_token", env: "ACTIONS_ID_TOKEN_REQUEST_TOKEN", secret: true},
	{name: "system_accesstoken", env: "SYSTEM_ACCESSTOKEN", secret: true, envOnly: true},
	{name: "system_teamfoundationcollectionuri", env: "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", envOnly: true},
	{name: "system_teamprojectid", env: "SYSTEM_TEAMPROJECTID", envOnly: true},
	{name: "system_hosttype", env: "SYSTEM_HOSTTYPE", envOnly: true},
	{name: "system_planid", env: "SYSTEM_PLANID", envOnly: true},
	{name: "system_jobid", env: "SYSTEM_JOBID", envOnly: true},
}

func attributeNamed(name string) attribute {
	for _, a := range attributes {
		if a.name == name {
			return a
		}
	}
	panic("auth: no attribute " + name) // a misspelt method table, found by any test
}

// Origin is the kind of place a value came from.
type Origin string

const (
	FromOption Origin = "option" // a flag, or whatever the caller put into Options
	FromEnv    Origin = "environment"
	FromFile   Origin = "config file"
	FromSignIn Origin = "sign-in"  // the only stored sign-in, when no host is set
	FromURL    Origin = "host URL" // an id in the query of a pasted workspace URL
)

// Source says where one attribute came from, for whoami and doctor.
type Source struct {
	Origin  Origin `json:"origin"`
	Name    string `json:"name"`              // the variable, the option, or the path of the file
	Profile string `json:"profile,omitempty"` // with FromFile
}

// String names the place in a sentence: "DATABRICKS_TOKEN in the environment".
func (s Source) String() string {
	switch s.Origin {
	case FromEnv:
		return s.Name + " in the environment"
	case FromFile:
		return fmt.Sprintf("profile %s of %s", s.Profile, s.Name)
	case FromURL:
		return "the query of the host URL"
	case FromSignIn:
		return "the stored sign-in " + s.Name
	default:
		return "the option " + s.Name
	}
}

// settings are the merged attributes. What is set first stays: callers add
// the places in the order of their precedence.
type settings struct {
	values  map[string]string
	sources map[string]Source
}

func newSettings() settings {
	return settings{values: map[string]string{}, sources: map[string]Source{}}
}

func (s settings) add(name, value string, from Source) {
	if value == "" || s.values[name] != "" {
		return
	}
	s.values[name], s.sources[name] = value, from
}

func (s settings) has(name string) bool { return s.values[name] != "" }

// check refuses values that cannot be meant, before they reach a request and
// come back as a puzzling 401. It never quotes the value: anything may have
// been pasted anywhere.
func (s settings) check() error {
	for _, a := range attributes {
		v := s.values[a.name]
		if v == "" {
			continue
		}
		where := fmt.Sprintf("The value of %s (%s)", a.name, s.sources[a.name])
		switch {
		case isPlaceholder(v):
			return &Error{
				Message: where + " is a placeholder like ${…} or <…>, not a value.",
				Advice:  "The program that starts this server did not fill it in: write the value itself, or set the variable where that program expands it.",
			}
		case len(v) > 1 && strings.ContainsRune(`"'`, rune(v[0])) && v[len(v)-1] == v[0]:
			return &Error{
				Message: where + " is wrapped in quotation marks that belong to it.",
				Advice:  "Remove the quotation marks.",
			}
		case !a.spaces &&
			strings.ContainsFunc(v, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
			return &Error{
				Message: where + " contains a space, a line break or another character that cannot be part of it.",
				Advice:  "Copy the value again, alone: no \"Bearer\", no line break, no surrounding text.",
			}
		}
	}
	return nil
}

func isPlaceholder(v string) bool {
	return strings.HasPrefix(v, "${") && strings.HasSuffix(v, "}") ||
		strings.HasPrefix(v, "<") && strings.HasSuffix(v, ">")
}
