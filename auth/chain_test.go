package auth

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

// Environments that make each method complete on its own.
var (
	github = env{"ACTIONS_ID_TOKEN_REQUEST_URL": "https://ci.example.com/token?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "hush-ci"}
	devOps = env{"SYSTEM_ACCESSTOKEN": "hush-ci", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI": "https://dev.azure.com/org/", "SYSTEM_TEAMPROJECTID": "p",
		"SYSTEM_HOSTTYPE": "build", "SYSTEM_PLANID": "plan", "SYSTEM_JOBID": "job"}
	adb         = env{"DATABRICKS_HOST": "https://adb-1.2.azuredatabricks.net"}
	aws         = env{"DATABRICKS_HOST": "https://dbc-1.cloud.databricks.com"}
	azureSecret = env{"ARM_CLIENT_ID": "app", "ARM_CLIENT_SECRET": "hush-azure", "ARM_TENANT_ID": "tenant"}
	msi         = env{"ARM_USE_MSI": "true"}
	resource    = env{"DATABRICKS_AZURE_RESOURCE_ID": resourceID}
	pat         = env{"DATABRICKS_TOKEN": "hush-pat"}
	m2mVars     = env{"DATABRICKS_CLIENT_ID": "sp", "DATABRICKS_CLIENT_SECRET": "hush-m2m"}
	spID        = env{"DATABRICKS_CLIENT_ID": "sp"}
	envToken    = env{"DATABRICKS_OIDC_TOKEN": "hush.jwt.x"}
	fileToken   = env{"DATABRICKS_OIDC_TOKEN_FILEPATH": "/var/run/a token"}
	metadata    = env{"DATABRICKS_METADATA_SERVICE_URL": "http://localhost:7/hush-path"}
	google      = env{"GOOGLE_CREDENTIALS": "{hush}"}
)

const resourceID = "/subscriptions/00000000-0000-4000-8000-000000000009/resourceGroups/rg/providers/Microsoft.Databricks/workspaces/ws"

func with(vars ...env) env {
	out := env{}
	for _, v := range vars {
		maps.Copy(out, v)
	}
	return out
}

func pin(method string) env { return env{"DATABRICKS_AUTH_TYPE": method} }

func TestChain(t *testing.T) {
	covered := map[string]bool{externalBrowser: true} // has tests of its own
	for _, tt := range []struct {
		name string
		env  env
		want string   // the method; "" = an error
		says []string // in the error
	}{
		{"pat", with(aws, pat), "pat", nil},
		{"oauth-m2m", with(aws, m2mVars), "oauth-m2m", nil},
		{"metadata-service", with(aws, metadata), "metadata-service", nil},
		{"github-oidc", with(aws, github), "github-oidc", nil},
		{"github-oidc of a service principal", with(aws, github, spID), "github-oidc", nil},
		{"azure-devops-oidc", with(aws, devOps), "azure-devops-oidc", nil},
		{"env-oidc", with(aws, envToken), "env-oidc", nil},
		{"env-oidc by another variable", with(aws, env{"DATABRICKS_OIDC_TOKEN_ENV": "MINE"}), "env-oidc", nil},
		{"file-oidc", with(aws, fileToken, spID), "file-oidc", nil},
		{"github-oidc-azure", with(adb, github, env{"ARM_CLIENT_ID": "app", "ARM_TENANT_ID": "tenant"}), "github-oidc-azure", nil},
		{"azure-msi", with(adb, msi), "azure-msi", nil},
		{"azure-msi of a user", with(adb, msi, env{"ARM_CLIENT_ID": "id"}), "azure-msi", nil},
		{"azure-client-secret", with(adb, azureSecret), "azure-client-secret", nil},
		{"azure-cli", with(adb, resource), "azure-cli", nil},
		{"azure-cli in a tenant", with(adb, resource, env{"ARM_TENANT_ID": "t"}), "azure-cli", nil},

		// A host alone configures nobody.
		{"host alone", aws, "", []string{"no Databricks credentials", "databricks-cli"}},
		{"Azure host alone", adb, "", []string{"no Databricks credentials"}},
		{"path of the CLI alone", with(aws, env{"DATABRICKS_CLI_PATH": "/opt/databricks cli"}), "", []string{"no Databricks credentials"}},
		{"databricks-cli pinned", with(aws, pin("databricks-cli")), "databricks-cli", nil},
		{"azure-cli pinned needs no resource id", with(adb, pin("azure-cli")), "azure-cli", nil},

		// What a CI system gives to every job contradicts nothing …
		{"pat on GitHub", with(aws, github, pat), "pat", nil},
		{"m2m on GitHub", with(aws, github, m2mVars), "oauth-m2m", nil},
		{"file on GitHub", with(aws, github, fileToken, spID), "file-oidc", nil},
		{"azure secret on GitHub", with(adb, github, azureSecret), "azure-client-secret", nil},
		{"pat on Azure Pipelines", with(aws, devOps, pat), "pat", nil},
		// … unless a client id without a secret says that it is meant.
		{"pat and federation on GitHub", with(aws, github, pat, spID), "", []string{"More than one", "pat (token", "github-oidc (actions_id_token_request_url"}},

		// A part that methods share is no second method.
		{"msi with a resource id", with(adb, msi, resource), "azure-msi", nil},
		{"azure secret with a resource id", with(adb, azureSecret, resource), "azure-client-secret", nil},
		{"GitHub on Azure with a resource id", with(adb, github, resource, env{"ARM_CLIENT_ID": "app", "ARM_TENANT_ID": "tenant"}), "github-oidc-azure", nil},

		{"pat and env-oidc", with(aws, pat, envToken), "", []string{"More than one", "pat (", "env-oidc (oidc_token_env: DATABRICKS_OIDC_TOKEN in the environment)", "DATABRICKS_AUTH_TYPE=pat or DATABRICKS_AUTH_TYPE=env-oidc"}},
		{"env-oidc and file-oidc", with(aws, envToken, fileToken), "", []string{"More than one", "env-oidc", "file-oidc"}},
		{"m2m and file-oidc", with(aws, m2mVars, fileToken), "", []string{"More than one", "oauth-m2m", "file-oidc"}},
		{"pat and metadata-service", with(aws, pat, metadata), "", []string{"More than one", "pat", "metadata-service"}},
		{"msi and secret are two identities", with(adb, msi, azureSecret), "", []string{"More than one", "azure-msi", "azure-client-secret"}},
		{"pat and azure-cli", with(adb, pat, resource), "", []string{"More than one", "pat", "azure-cli (azure_workspace_resource_id: DATABRICKS_AZURE_RESOURCE_ID"}},
		{"pat and google", with(aws, pat, google), "", []string{"More than one", "pat", "google-credentials"}},
		{"two CI systems", with(aws, github, devOps), "", []string{"More than one", "github-oidc", "azure-devops-oidc"}},

		{"pinned among two", with(aws, pat, envToken, pin("env-oidc")), "env-oidc", nil},
		{"pinned beside a stray token", with(aws, pat, pin("databricks-cli")), "databricks-cli", nil},
		{"pinned to the default variable", with(aws, pin("env-oidc")), "env-oidc", nil},
		{"pinned github-oidc elsewhere", with(aws, pat, pin("github-oidc")), "", []string{"github-oidc is chosen", "actions_id_token_request_url and actions_id_token_request_token are not set"}},
		{"pinned msi that is off", with(adb, pin("azure-msi"), env{"ARM_USE_MSI": "false"}), "", []string{"azure_use_msi is not set"}},

		{"azure at another host", with(aws, azureSecret), "", []string{"azure-client-secret (azure_client_id: ARM_CLIENT_ID in the environment", "not a workspace of Azure", "DATABRICKS_CLOUD=azure"}},
		{"azure at a name of one's own", with(env{"DATABRICKS_HOST": "https://lake.example.com", "DATABRICKS_CLOUD": "azure"}, azureSecret), "azure-client-secret", nil},
		{"azure-cli pinned at another host", with(aws, pin("azure-cli")), "", []string{"azure-cli (auth_type: DATABRICKS_AUTH_TYPE in the environment)", "not a workspace of Azure"}},
		{"resource id that is none", with(adb, env{"DATABRICKS_AZURE_RESOURCE_ID": "ws"}), "", []string{"is not the resource id of a workspace"}},
		{"tenant that is none", with(adb, azureSecret, env{"ARM_TENANT_ID": "../x"}), "", []string{"azure_tenant_id (ARM_TENANT_ID in the environment) is not a tenant id"}},
		{"login app that is none", with(adb, msi, env{"DATABRICKS_AZURE_LOGIN_APP_ID": "&calc"}), "", []string{"is not an application id"}},
		{"cloud that is none", with(env{"DATABRICKS_HOST": "https://lake.example.com", "ARM_ENVIRONMENT": "moon"}, resource), "", []string{"PUBLIC, USGOVERNMENT or CHINA"}},
		{"resource id without host", resource, "", []string{"no workspace host", "does not look it up"}},
		{"metadata service elsewhere", with(aws, env{"DATABRICKS_METADATA_SERVICE_URL": "http://metadata.example.com/hush-path"}), "", []string{"metadata_service_url", "not an http URL of this machine"}},
		{"metadata service that only looks local", with(aws, env{"DATABRICKS_METADATA_SERVICE_URL": "http://localhost@example.com/hush-path"}), "", []string{"not an http URL of this machine"}},
		{"id tokens in the clear", with(aws, github, env{"ACTIONS_ID_TOKEN_REQUEST_URL": "http://ci.example.com/"}), "", []string{"not an https URL"}},
		{"basic", with(aws, env{"DATABRICKS_USERNAME": "u", "DATABRICKS_PASSWORD": "hush"}), "", []string{"basic", "not available"}},
		{"google", with(aws, google), "", []string{"google-credentials", "not available"}},
	} {
		covered[tt.want] = true
		t.Run(tt.name, func(t *testing.T) {
			id, err := Resolve(Options{Home: t.TempDir(), Getenv: tt.env.get})
			if tt.want == "" {
				e := wantError(t, err, tt.says...)
				if strings.Contains(e.Error(), "hush") {
					t.Errorf("the error holds a secret: %v", e)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if id.AuthType != tt.want {
				t.Errorf("method %s, want %s", id.AuthType, tt.want)
			}
			if len(id.Warnings) > 0 {
				t.Errorf("warnings: %q", id.Warnings)
			}
		})
	}
	for _, name := range availableMethods() {
		if !covered[name] {
			t.Errorf("no case chooses %s", name)
		}
	}
}

func TestChainByProfile(t *testing.T) {
	text := `
[__settings__]
default_profile = cli

[DEFAULT]
host  = https://default.example.com
token = hush

[cli]
host      = https://dbc-1.cloud.databricks.com
auth_type = databricks-cli
scopes    = sql

[file]
host                         = https://dbc-1.cloud.databricks.com
databricks_id_token_filepath = /var/run/token
client_id                    = sp

[env]
host           = https://dbc-1.cloud.databricks.com
oidc_token_env = MY_TOKEN
audience       = mine

[secret]
host                = https://adb-1.2.azuredatabricks.net
azure_client_id     = app
azure_client_secret = hush
azure_tenant_id     = tenant

[msi]
host          = https://adb-1.2.azuredatabricks.net
azure_use_msi = true

[az]
host                        = https://adb-1.2.azuredatabricks.net
azure_workspace_resource_id = ` + resourceID + `

[meta]
host                 = https://dbc-1.cloud.databricks.com
metadata_service_url = http://127.0.0.1:7/hush

[devops]
host               = https://dbc-1.cloud.databricks.com
system_accesstoken = hush
auth_type          = azure-devops-oidc
`
	path := writeConfig(t, text)
	for _, tt := range []struct{ profile, method, clientID, scopes string }{
		{"", "databricks-cli", "", ""}, // default_profile
		{"DEFAULT", "pat", "", ""},
		{"file", "file-oidc", "sp", "all-apis"},
		{"env", "env-oidc", "", "all-apis"},
		{"secret", "azure-client-secret", "app", ""},
		{"msi", "azure-msi", "", ""},
		{"az", "azure-cli", "", ""},
		{"meta", "metadata-service", "", ""},
	} {
		id := resolve(t, Options{Home: filepath.Dir(path), Profile: tt.profile})
		if id.AuthType != tt.method || id.ClientID != tt.clientID || strings.Join(id.Scopes, " ") != tt.scopes {
			t.Errorf("profile %q: %s, client id %q, scopes %q", tt.profile, id.AuthType, id.ClientID, id.Scopes)
		}
	}
	// A variable of the environment belongs to the merged configuration …
	_, err := Resolve(Options{ConfigFile: path, Profile: "file", Getenv: pat.get})
	wantError(t, err, "More than one", "pat (token: DATABRICKS_TOKEN in the environment)", "file-oidc (databricks_id_token_filepath: profile file of")
	// … and any part of a method in it makes the file be skipped, as in the SDK.
	_, err = Resolve(Options{ConfigFile: path, Getenv: msi.get})
	wantError(t, err, "azure-msi", "no workspace host", "was not read because ARM_USE_MSI is set")
	// What only a CI system sets cannot come from a file.
	_, err = Resolve(Options{ConfigFile: path, Profile: "devops"})
	wantError(t, err, "azure-devops-oidc is chosen", "system_accesstoken and")
}

// A method that is configured and fails is the answer, although a personal
// access token would have worked: it may be another person's.
func TestNoFallingThrough(t *testing.T) {
	vars := with(aws, pat, pin("env-oidc"))
	c := NewCredential(Options{Getenv: vars.get, HTTPClient: noNetwork(t)})
	for range 2 {
		tok, err := c.Token(t.Context())
		if err == nil {
			t.Fatalf("token %q", tok)
		}
		wantError(t, err)
	}
	if id, err := c.Identity(); err != nil || id.AuthType != "env-oidc" {
		t.Errorf("identity %v, %v", id, err)
	}
}
