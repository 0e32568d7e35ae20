package main

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"testing"

	"brickmcp/transport/rest"
	"brickmcp/transport/serve"
)

// Every refusal says why, and what to give instead.
func TestServingRefuses(t *testing.T) {
	app := map[string]string{"DATABRICKS_APP_NAME": "a", "DATABRICKS_HOST": "https://dbc-1.cloud.databricks.com"}
	for name, c := range map[string]struct {
		arguments string
		env       map[string]string
		says      []string
	}{
		"unknown transport":         {"--transport websocket", nil, []string{`"websocket"`, "stdio, http, sse"}},
		"http for nobody":           {"--transport http", nil, []string{"--identity local", "--identity apps"}},
		"sse for nobody":            {"--transport sse", nil, []string{"--identity local", "--identity apps"}},
		"unknown identity":          {"--transport http --identity everybody", nil, []string{`"everybody"`, "local, apps"}},
		"stdio with listen":         {"--listen 127.0.0.1:1", nil, []string{"--listen", "stdio", "--transport http"}},
		"stdio with identity":       {"--identity local", nil, []string{"--identity", "--transport http"}},
		"stdio with metrics":        {"serve --admin-listen :1", nil, []string{"--admin-listen", "--transport http"}},
		"stdio with a twin":         {"", map[string]string{"BRICKMCP_LISTEN": ":1"}, []string{"BRICKMCP_LISTEN", "--transport http"}},
		"stdio with hosts":          {"--allow-host a", nil, []string{"--allow-host", "--transport http"}},
		"local for all":             {"--transport http --identity local --listen 0.0.0.0:1", nil, []string{"0.0.0.0:1", "127.0.0.1:PORT", "--identity apps"}},
		"local without a host":      {"--transport http --identity local --listen :1", nil, []string{":1", "127.0.0.1:PORT"}},
		"local on a name":           {"--transport http --identity local --listen example.com:1", nil, []string{"example.com:1"}},
		"local on v6":               {"--transport http --identity local --listen [::]:1", nil, []string{"[::]:1"}},
		"local without a port":      {"--transport http --identity local --listen 127.0.0.1", nil, []string{"HOST:PORT"}},
		"local with a wrong port":   {"--transport http --identity local --listen 127.0.0.1:99999", nil, []string{"HOST:PORT"}},
		"local without a home":      {"--transport http --identity local", map[string]string{"HOME": ""}, []string{"XDG_STATE_HOME"}},
		"metrics without a port":    {"--transport http --identity local --admin-listen x", nil, []string{"--admin-listen", "HOST:PORT"}},
		"metrics beside users":      {"--transport http --identity local --listen 127.0.0.1:7 --admin-listen 127.0.0.1:7", nil, []string{"--admin-listen", "kept apart"}},
		"apps elsewhere":            {"--transport http --identity apps", map[string]string{"DATABRICKS_HOST": "https://x.cloud.databricks.com"}, []string{"DATABRICKS_APP_NAME", "X-Forwarded-Access-Token", "--identity local"}},
		"apps without a workspace":  {"--transport http --identity apps", map[string]string{"DATABRICKS_APP_NAME": "a"}, []string{"DATABRICKS_HOST"}},
		"apps with a bad workspace": {"--transport http --identity apps", map[string]string{"DATABRICKS_APP_NAME": "a", "DATABRICKS_HOST": "http://x.example.com"}, []string{"plain http"}},
		"apps with a profile":       {"--transport http --identity apps --profile p", app, []string{"--profile", "one person's credentials"}},
		"apps with a host":          {"--transport http --identity apps --host https://x.cloud.databricks.com", app, []string{"--host", "DATABRICKS_HOST"}},
		"apps with a twin":          {"--transport http --identity apps", map[string]string{"DATABRICKS_APP_NAME": "a", "DATABRICKS_HOST": "https://x.cloud.databricks.com", "BRICKMCP_PROFILE": "p"}, []string{"BRICKMCP_PROFILE"}},
		"apps with OAuth":           {"--transport http --identity apps --oauth-client-id x", app, []string{"--oauth-client-id"}},
		"apps with scopes":          {"--transport http --identity apps --oauth-scopes x", app, []string{"user_api_scopes"}},
		"apps with files":           {"--transport http --identity apps --allow-dir /tmp", app, []string{"--allow-dir", "share"}},
		"apps with a bad port":      {"--transport http --identity apps", map[string]string{"DATABRICKS_APP_NAME": "a", "DATABRICKS_HOST": "https://x.cloud.databricks.com", "DATABRICKS_APP_PORT": "web"}, []string{"DATABRICKS_APP_PORT", `"web" is no port`}},
		"apps on a bad address":     {"--transport http --identity apps --listen web", app, []string{"--listen", "HOST:PORT"}},
		"a URL for a host":          {"--transport http --identity local --allow-host https://x.example.com", nil, []string{"--allow-host", `"https://x.example.com"`, "NAME:PORT"}},
		"no host":                   {"--transport http --identity local", map[string]string{"BRICKMCP_ALLOW_HOST": "x.example.com,"}, []string{"BRICKMCP_ALLOW_HOST", `""`}},
		"a host for an origin":      {"--transport http --identity local --allow-origin chat.example.com", nil, []string{"--allow-origin", `"chat.example.com"`, "https://chat.example.com"}},
		"every origin":              {"--transport http --identity local --allow-origin *", nil, []string{`"*"`, "SCHEME://HOST"}},
		"no time to end":            {"--drain-timeout 0s", nil, []string{"--drain-timeout"}},
		"less than no time to end":  {"--transport http --identity local --drain-timeout -1s", nil, []string{"--drain-timeout"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"HOME": t.TempDir()}
			for name, value := range c.env {
				env[name] = value
			}
			var out, log bytes.Buffer
			root := newRoot(newConfig(func(name string) string { return env[name] }, strings.NewReader(""), &out, &log))
			root.SetArgs(strings.Fields(c.arguments))
			err := root.ExecuteContext(t.Context())
			var usage usageError
			if !errors.As(err, &usage) {
				t.Fatalf("it is no wrong usage: %v", err)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			if out.Len() > 0 {
				t.Errorf("stdout carries %q", out.String())
			}
		})
	}
}

func TestServingDefaults(t *testing.T) {
	app := map[string]string{"DATABRICKS_APP_NAME": "a", "DATABRICKS_HOST": "https://dbc-1.cloud.databricks.com", "HOME": "/home/app"}
	port := map[string]string{"DATABRICKS_APP_PORT": "1234"}
	for name, c := range map[string]struct {
		change        func(*config)
		env           map[string]string
		listen, admin string
	}{
		"local":              {func(c *config) { c.identity = identityLocal }, nil, "127.0.0.1:8765", ""},
		"local, v6":          {func(c *config) { c.identity, c.listen = identityLocal, "[::1]:9" }, nil, "[::1]:9", ""},
		"local, by name":     {func(c *config) { c.identity, c.listen = identityLocal, "localhost:0" }, nil, "localhost:0", ""},
		"local, metrics":     {func(c *config) { c.identity, c.adminListen = identityLocal, ":9090" }, nil, "127.0.0.1:8765", "127.0.0.1:9090"},
		"metrics for others": {func(c *config) { c.identity, c.adminListen = identityLocal, "0.0.0.0:9090" }, nil, "127.0.0.1:8765", "0.0.0.0:9090"},
		"apps":               {func(c *config) { c.identity = identityApps }, nil, "0.0.0.0:8000", ""},
		"apps, its port":     {func(c *config) { c.identity = identityApps }, port, "0.0.0.0:1234", ""},
		"apps, told":         {func(c *config) { c.identity, c.listen = identityApps, "127.0.0.1:5" }, port, "127.0.0.1:5", ""},
	} {
		t.Run(name, func(t *testing.T) {
			config := newConfig(func(name string) string {
				if value := c.env[name]; value != "" {
					return value
				}
				return app[name]
			}, nil, nil, nil)
			config.transport = transportHTTP
			c.change(config)
			if err := config.checkTransport(); err != nil {
				t.Fatal(err)
			}
			if config.listen != c.listen || config.adminListen != c.admin || config.drain <= 0 {
				t.Errorf("listens on %s and %s, drains for %v", config.listen, config.adminListen, config.drain)
			}
		})
	}
}

// A port that another program has is the commonest failure: it is said once, with what
// to do.
func TestAddressesThatAreTaken(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().String()
	for flag, c := range map[string]*config{
		"--listen":       {listen: taken},
		"--admin-listen": {listen: "127.0.0.1:0", adminListen: taken},
	} {
		_, _, err := c.listeners()
		if err == nil || strings.Count(err.Error(), taken) != 1 || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestRateLimitLiftsThoseOfTheServer(t *testing.T) {
	for given, want := range map[string]serve.Limits{
		"":           {},
		"documented": {},
		"20":         {}, // towards the workspace alone
		"off":        {UserRate: -1, UserCalls: -1, UserStreams: -1, Calls: -1},
		"5000":       {UserRate: 5000, UserBurst: 10000, UserCalls: -1, UserStreams: -1, Calls: -1},
	} {
		limit, err := rest.ParseRateLimit(given)
		if err != nil {
			t.Fatal(err)
		}
		if got := limits(limit); got != want {
			t.Errorf("--rate-limit %s: %+v, want %+v", given, got, want)
		}
	}
}
