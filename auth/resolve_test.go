package auth

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// env is a whole environment: what is not in it is not set.
type env map[string]string

func (e env) get(name string) string { return e[name] }

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), ".databrickscfg")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func resolve(t *testing.T, o Options) *Identity {
	t.Helper()
	id, err := Resolve(o)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	return id
}

func token(t *testing.T, id *Identity) string {
	t.Helper()
	tok, err := id.Token(t.Context())
	if err != nil {
		t.Fatalf("Token: %v", err)
	}
	return tok
}

func wantError(t *testing.T, err error, says ...string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Message == "" || e.Advice == "" {
		t.Errorf("%#v: want message and advice", e)
	}
	for _, s := range says {
		if !strings.Contains(e.Error(), s) {
			t.Errorf("error %q\n does not say %q", e, s)
		}
	}
	return e
}

const profiles = `
[__settings__]
auth_storage = secure

[DEFAULT]
host  = https://default.example.com
token = default-token

[work]
host  = https://work.example.com/?o=77
token = work-token

[sp]
host          = https://sp.example.com
client_id     = sp-id
client_secret = sp-secret
scopes        = sql, files

[both]
host          = https://both.example.com
token         = both-token
client_id     = both-id
client_secret = both-secret

[pinned]
host          = https://both.example.com
auth_type     = pat
token         = both-token
client_id     = both-id
client_secret = both-secret

[cli]
host      = https://cli.example.com
auth_type = databricks-cli

[nohost]
token = nohost-token

[justhost]
host = https://justhost.example.com

[empty]
`

const withDefaultProfile = "[__settings__]\ndefault_profile = work\n" +
	"[DEFAULT]\nhost = https://default.example.com\ntoken = default-token\n" +
	"[work]\nhost = https://work.example.com\ntoken = work-token\n"

func TestDefaultWarehouse(t *testing.T) {
	file := "[DEFAULT]\nhost = https://default.example.com\ntoken = default-token\nwarehouse_id = of-the-profile\n"
	home := filepath.Dir(writeConfig(t, file))
	for variable, want := range map[string]string{"": "of-the-profile", "of-the-environment": "of-the-environment"} {
		id := resolve(t, Options{Home: home, Getenv: env{"DATABRICKS_WAREHOUSE_ID": variable}.get})
		// No part of a sign-in: it does not keep the file from being read.
		if id.WarehouseID != want || token(t, id) != "default-token" {
			t.Errorf("with %q: warehouse %q", variable, id.WarehouseID)
		}
	}
}

func TestPrecedence(t *testing.T) {
	type want struct {
		auth, host, profile, token, workspace string
		hostFrom, tokenFrom                   Origin
	}
	for _, tt := range []struct {
		name    string
		file    string // "" = profiles
		options Options
		env     env
		want    want
	}{
		{"DEFAULT of the file", "", Options{}, nil,
			want{"pat", "https://default.example.com", "DEFAULT", "default-token", "", FromFile, FromFile}},
		{"default_profile beats DEFAULT", withDefaultProfile, Options{}, nil,
			want{"pat", "https://work.example.com", "work", "work-token", "", FromFile, FromFile}},
		{"environment profile beats default_profile", withDefaultProfile, Options{}, env{"DATABRICKS_CONFIG_PROFILE": "DEFAULT"},
			want{"pat", "https://default.example.com", "DEFAULT", "default-token", "", FromFile, FromFile}},
		{"option beats environment profile", "", Options{Profile: "work"}, env{"DATABRICKS_CONFIG_PROFILE": "sp"},
			want{"pat", "https://work.example.com", "work", "work-token", "77", FromFile, FromFile}},
		{"environment alone, file skipped", "", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "env-token"},
			want{"pat", "https://env.example.com", "", "env-token", "", FromEnv, FromEnv}},
		{"environment skips even a default_profile", withDefaultProfile, Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "env-token"},
			want{"pat", "https://env.example.com", "", "env-token", "", FromEnv, FromEnv}},
		{"host option and environment token", "", Options{Host: "opt.example.com"}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "env-token"},
			want{"pat", "https://opt.example.com", "", "env-token", "", FromOption, FromEnv}},
		{"environment token beats the profile's", "", Options{}, env{"DATABRICKS_CONFIG_PROFILE": "work", "DATABRICKS_TOKEN": "env-token"},
			want{"pat", "https://work.example.com", "work", "env-token", "77", FromFile, FromEnv}},
		{"environment host beats the profile's", "", Options{Profile: "work"}, env{"DATABRICKS_HOST": "https://env.example.com"},
			want{"pat", "https://env.example.com", "work", "work-token", "", FromEnv, FromFile}},
		{"profile fills in what the environment lacks", "", Options{Profile: "justhost"}, env{"DATABRICKS_TOKEN": "env-token"},
			want{"pat", "https://justhost.example.com", "justhost", "env-token", "", FromFile, FromEnv}},
		{"token without host in the profile", "", Options{Profile: "nohost", Host: "https://opt.example.com"}, nil,
			want{"pat", "https://opt.example.com", "nohost", "nohost-token", "", FromOption, FromFile}},
		{"auth_type in the profile pins", "", Options{Profile: "pinned"}, nil,
			want{"pat", "https://both.example.com", "pinned", "both-token", "", FromFile, FromFile}},
		{"auth_type in the environment pins", "", Options{Profile: "both"}, env{"DATABRICKS_AUTH_TYPE": "pat"},
			want{"pat", "https://both.example.com", "both", "both-token", "", FromFile, FromFile}},
		{"service principal of a profile", "", Options{Profile: "sp"}, nil,
			want{"oauth-m2m", "https://sp.example.com", "sp", "", "", FromFile, ""}},
		{"service principal of the environment", "", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_CLIENT_ID": "i", "DATABRICKS_CLIENT_SECRET": "s"},
			want{"oauth-m2m", "https://env.example.com", "", "", "", FromEnv, ""}},
		{"half a service principal does not contradict", "", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "env-token", "DATABRICKS_CLIENT_ID": "i"},
			want{"pat", "https://env.example.com", "", "env-token", "", FromEnv, FromEnv}},
		{"explicit workspace id beats the URL's", "", Options{Profile: "work"}, env{"DATABRICKS_WORKSPACE_ID": "99"},
			want{"pat", "https://work.example.com", "work", "work-token", "99", FromFile, FromFile}},
		{"empty variables are not set", "", Options{}, env{"DATABRICKS_HOST": "", "DATABRICKS_TOKEN": " ", "DATABRICKS_CONFIG_PROFILE": ""},
			want{"pat", "https://default.example.com", "DEFAULT", "default-token", "", FromFile, FromFile}},
		{"a line break after the value", "", Options{}, env{"DATABRICKS_HOST": "https://env.example.com\n", "DATABRICKS_TOKEN": "env-token\n"},
			want{"pat", "https://env.example.com", "", "env-token", "", FromEnv, FromEnv}},
		{"azure_use_msi that is false", "", Options{Profile: "work"}, env{"ARM_USE_MSI": "false"},
			want{"pat", "https://work.example.com", "work", "work-token", "77", FromFile, FromFile}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.file
			if text == "" {
				text = profiles
			}
			tt.options.Getenv = tt.env.get
			tt.options.Home = filepath.Dir(writeConfig(t, text))
			id := resolve(t, tt.options)
			got := want{auth: id.AuthType, host: id.Host, profile: id.Profile, workspace: id.WorkspaceID,
				hostFrom: id.Sources["host"].Origin, tokenFrom: id.Sources["token"].Origin}
			if id.AuthType == "pat" {
				got.token = token(t, id)
			}
			if got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	for _, tt := range []struct {
		name    string
		file    string // "" = profiles, "none" = no file
		options Options
		env     env
		says    []string
	}{
		{"nothing at all", "none", Options{}, nil,
			[]string{"no Databricks credentials", "Methods tried: pat, oauth-m2m", "DATABRICKS_TOKEN", "there is no configuration file", "--sandbox"}},
		{"host only: the file is skipped, and says so", "", Options{}, env{"DATABRICKS_HOST": "https://work.example.com"},
			[]string{"was not read because DATABRICKS_HOST is set", "profile work of that file is for this host", "DATABRICKS_CONFIG_PROFILE=work"}},
		{"no DEFAULT profile", "[a]\nhost = https://a.example.com\ntoken = x\n[b]\nhost = y\n", Options{}, nil,
			[]string{"has no DEFAULT profile", "the profiles a, b"}},
		{"profile without credentials", "", Options{Profile: "justhost"}, nil,
			[]string{"the profile justhost of", "has no credentials"}},
		{"client id without secret", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_CLIENT_ID": "i"},
			[]string{"oauth-m2m lacks DATABRICKS_CLIENT_SECRET (client_secret in a profile)"}},
		{"token without host", "none", Options{}, env{"DATABRICKS_TOKEN": "hush"},
			[]string{"no workspace host", "pat; token: DATABRICKS_TOKEN in the environment", "not read because DATABRICKS_TOKEN is set"}},
		{"profile without host", "", Options{Profile: "nohost"}, nil, []string{"no workspace host", "the profile nohost of", "has no host"}},
		{"unknown profile", "", Options{Profile: "wrok"}, nil,
			[]string{`no profile "wrok"`, "the option --profile", "Did you mean work?", "DEFAULT, work, sp"}},
		{"unknown profile by case", "", Options{}, env{"DATABRICKS_CONFIG_PROFILE": "WORK"},
			[]string{`no profile "WORK"`, "DATABRICKS_CONFIG_PROFILE in the environment", "Did you mean work"}},
		{"unknown default_profile", "[__settings__]\ndefault_profile = gone\n[home]\nhost = x\n", Options{}, nil,
			[]string{`no profile "gone"`, "default_profile in [__settings__]", "home"}},
		{"empty profile", "", Options{Profile: "empty"}, nil, []string{`The profile "empty"`, "is empty"}},
		{"profile but no file", "none", Options{Profile: "work"}, nil, []string{`no profile "work"`, "because there is no configuration file"}},
		{"reserved section", "", Options{Profile: "__settings__"}, nil, []string{"reserved"}},
		{"two methods in the environment", "", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "hush", "DATABRICKS_CLIENT_ID": "i", "DATABRICKS_CLIENT_SECRET": "hush"},
			[]string{"More than one", "pat (token: DATABRICKS_TOKEN in the environment)", "oauth-m2m (client_id: DATABRICKS_CLIENT_ID in the environment, client_secret: DATABRICKS_CLIENT_SECRET", "DATABRICKS_AUTH_TYPE=pat or DATABRICKS_AUTH_TYPE=oauth-m2m"}},
		{"two methods in a profile", "", Options{Profile: "both"}, nil, []string{"More than one", "pat (token: profile both of", "oauth-m2m"}},
		{"two methods from two places", "", Options{Profile: "sp"}, env{"DATABRICKS_TOKEN": "hush"},
			[]string{"pat (token: DATABRICKS_TOKEN in the environment)", "oauth-m2m (client_id: profile sp of"}},
		{"a method that could not work here counts, too", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "hush", "ARM_CLIENT_ID": "a", "ARM_CLIENT_SECRET": "hush", "ARM_TENANT_ID": "t"},
			[]string{"More than one", "azure-client-secret (azure_client_id: ARM_CLIENT_ID in the environment"}},
		{"unavailable by environment", "none", Options{}, env{"DATABRICKS_AUTH_TYPE": "google-id", "DATABRICKS_HOST": "https://env.example.com"},
			[]string{"google-id", "DATABRICKS_AUTH_TYPE in the environment", "not available here yet", "Available: pat, oauth-m2m, databricks-cli"}},
		{"unavailable by its attributes", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "GOOGLE_CREDENTIALS": "{hush}"},
			[]string{"google-credentials", "not available here yet"}},
		{"basic is retired", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_USERNAME": "u", "DATABRICKS_PASSWORD": "hush"},
			[]string{"basic", "not available here yet"}},
		{"pinned method is incomplete", "", Options{Profile: "work"}, env{"DATABRICKS_AUTH_TYPE": "oauth-m2m"},
			[]string{"oauth-m2m is chosen", "client_id and client_secret are not set", "DATABRICKS_CLIENT_ID"}},
		{"pinned method is misspelt", "", Options{Profile: "work"}, env{"DATABRICKS_AUTH_TYPE": "oauth-m2n"},
			[]string{`no sign-in method "oauth-m2n"`, "Did you mean oauth-m2m"}},
		{"host that is wrong", "none", Options{}, env{"DATABRICKS_HOST": "http://env.example.com", "DATABRICKS_TOKEN": "hush"},
			[]string{"plain http", "DATABRICKS_HOST in the environment"}},
		{"token with Bearer", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "Bearer hush"},
			[]string{"token (DATABRICKS_TOKEN in the environment)", `no "Bearer"`}},
		{"token in quotes", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": `"hush"`}, []string{"quotation marks"}},
		{"variable that nobody expanded", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "${hush}"}, []string{"placeholder"}},
		{"workspace id that is none", "none", Options{}, env{"DATABRICKS_HOST": "https://env.example.com", "DATABRICKS_TOKEN": "hush", "DATABRICKS_WORKSPACE_ID": "a:b"},
			[]string{"workspace_id (DATABRICKS_WORKSPACE_ID in the environment) is not an id"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			switch tt.file {
			case "none":
				tt.options.Home = t.TempDir()
			case "":
				tt.options.Home = filepath.Dir(writeConfig(t, profiles))
			default:
				tt.options.Home = filepath.Dir(writeConfig(t, tt.file))
			}
			tt.options.Getenv = tt.env.get
			id, err := Resolve(tt.options)
			if id != nil {
				t.Fatalf("got %v", id)
			}
			e := wantError(t, err, tt.says...)
			for _, secret := range []string{"hush", "both-token", "both-secret", "sp-secret", "work-token"} {
				if strings.Contains(e.Error(), secret) {
					t.Errorf("the error holds a secret: %v", e)
				}
			}
			if e.Temporary {
				t.Errorf("temporary: %v", e)
			}
		})
	}
}

func TestConfigFileOfTheEnvironment(t *testing.T) {
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "cfg"), []byte("[DEFAULT]\nhost = https://a.example.com\ntoken = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := resolve(t, Options{Home: home, Getenv: env{"DATABRICKS_CONFIG_FILE": "~/cfg"}.get})
	if want := filepath.Join(home, "cfg"); id.ConfigFile != want || id.Sources["token"].Name != want {
		t.Errorf("config file %q, token from %v", id.ConfigFile, id.Sources["token"])
	}
}

func TestIdentityHidesItsSecrets(t *testing.T) {
	id := resolve(t, Options{ConfigFile: writeConfig(t, profiles), Profile: "sp"})
	text := fmt.Sprintf("%v %+v %#v %s %q", id, id, id, id, id)
	if strings.Contains(text, "sp-secret") || !strings.Contains(text, "oauth-m2m on https://sp.example.com (profile sp)") {
		t.Errorf("printed: %s", text)
	}
	if id.ClientID != "sp-id" || !slices.Equal(id.Scopes, []string{"files", "sql"}) {
		t.Errorf("client id %q, scopes %q", id.ClientID, id.Scopes)
	}
}

func TestWarnings(t *testing.T) {
	path := writeConfig(t, profiles)
	for _, tt := range []struct {
		env  env
		says string // "" = no warning
	}{
		{env{"DATABRICKS_CONFIG_PROFILE": "work"}, ""},
		{env{"DATABRICKS_CONFIG_PROFILE": "work", "DATABRICKS_HOST": "https://other.example.com"}, "credentials of profile work, which is for https://work.example.com, are used for https://other.example.com"},
		{env{"DATABRICKS_CONFIG_PROFILE": "work", "DATABRICKS_CLIENT_ID": "i"}, "pat is used; another method is half configured: oauth-m2m lacks"},
		{env{"DATABRICKS_HOST": "https://accounts.cloud.databricks.com", "DATABRICKS_TOKEN": "t"}, "host of an account"},
		{env{"DATABRICKS_HOST": "https://accounts.cloud.databricks.com?w=1", "DATABRICKS_TOKEN": "t"}, ""},
	} {
		id := resolve(t, Options{ConfigFile: path, Getenv: tt.env.get})
		got := strings.Join(id.Warnings, "\n")
		if tt.says == "" && got != "" || !strings.Contains(got, tt.says) {
			t.Errorf("%v: warnings %q, want %q", tt.env, got, tt.says)
		}
	}
}

// The tables refer to each other by name; a misspelt name would only show in
// a rare error message.
func TestMethodTable(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range methods {
		if seen[m.name] || m.family == "" {
			t.Errorf("method %q twice or without a family", m.name)
		}
		seen[m.name] = true
		for _, n := range m.needs {
			if a := attributeNamed(n); !a.method && !a.envOnly && !strings.HasPrefix(n, "actions_") {
				t.Errorf("method %s needs %s, which does not count as part of a method", m.name, n)
			}
		}
		for _, n := range append([]string{m.clientID}, slices.Concat(m.signs, m.takes)...) {
			if n != "" {
				attributeNamed(n)
			}
		}
	}
}
