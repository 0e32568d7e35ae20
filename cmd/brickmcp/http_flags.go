package main

import (
	"cmp"
	"net"
	"strconv"
	"strings"

	"brickmcp/transport/serve"
)

// The transports, and the identities of those on HTTP.
const (
	transportStdio = "stdio"
	transportHTTP  = "http"
	transportSSE   = "sse"

	identityLocal = "local"
	identityApps  = "apps"
)

const (
	// localListen is where one person's server listens, on their own machine.
	localListen = "127.0.0.1:8765"
	// appPort is where a Databricks App listens unless it is told otherwise
	// (contract auth.md, section 9).
	appPort = "8000"
)

// checkTransport checks the flags of serving, and fills in what was not given. What
// would be ignored is refused: whoever gave it expects something of it.
func (c *config) checkTransport() error {
	switch {
	case c.transport != transportStdio && c.transport != transportHTTP && c.transport != transportSSE:
		return usagef("--transport %q is none of stdio, http, sse", c.transport)
	case c.drain < 0 || c.drain == 0 && c.given["drain-timeout"] != "":
		return usagef("--drain-timeout must be above 0, not %s", c.drain)
	case c.transport == transportStdio:
		c.drain = cmp.Or(c.drain, serve.DefaultDrain)
		for _, flag := range []string{"listen", "admin-listen", "identity", "allow-host", "allow-origin"} {
			if where := c.given[flag]; where != "" {
				return usagef("%s is for a server on HTTP, and --transport stdio listens nowhere: leave it out, or add --transport http", where)
			}
		}
		return nil
	}
	c.drain = cmp.Or(c.drain, serve.DefaultHTTPDrain)
	if err := c.checkAllowed(); err != nil {
		return err
	}
	switch c.identity {
	case "":
		return usagef("--transport %s serves nobody without --identity: give --identity local to serve yourself on this machine (brickmcp secret prints what clients need), or --identity apps in a Databricks App, to serve each user as themselves", c.transport)
	case identityLocal:
		return c.checkLocal()
	case identityApps:
		return c.checkApps()
	}
	return usagef("--identity %q is none of local, apps", c.identity)
}

// checkAllowed refuses what no request could ever be for, or come from.
func (c *config) checkAllowed() error {
	for _, host := range c.allowHosts {
		if !serve.ValidHost(host) {
			return usagef("%s: %q is no host: want NAME or NAME:PORT, such as mcp.example.com", cmp.Or(c.given["allow-host"], "--allow-host"), host)
		}
	}
	for _, origin := range c.allowOrigins {
		if !serve.ValidOrigin(origin) {
			return usagef("%s: %q is no origin: want SCHEME://HOST or SCHEME://HOST:PORT, such as https://chat.example.com", cmp.Or(c.given["allow-origin"], "--allow-origin"), origin)
		}
	}
	return nil
}

// checkLocal: whoever can reach the port and has the secret is the person whose
// credentials are here, so nobody else may reach it.
func (c *config) checkLocal() error {
	c.listen = cmp.Or(c.listen, localListen)
	host, err := hostPort(cmp.Or(c.given["listen"], "--listen"), c.listen)
	if err != nil {
		return err
	}
	if !onLoopback(host) {
		return usagef("--identity local serves one person's own credentials, so it listens on this machine only, and --listen %s is more than that: give --listen 127.0.0.1:PORT, or --identity apps in a Databricks App", c.listen)
	}
	if c.stateDir() == "" {
		return usagef("--identity local keeps its secret in the state directory, and the environment names none: set HOME or XDG_STATE_HOME")
	}
	return c.checkAdmin()
}

// checkApps: the header that says who a user is can be believed only where the
// platform sets it, and one user must not reach what is another's, or the app's.
func (c *config) checkApps() error {
	if c.getenv("DATABRICKS_APP_NAME") == "" {
		return usagef("--identity apps believes the X-Forwarded-Access-Token of requests, which only Databricks Apps makes true, and this is no Databricks App: DATABRICKS_APP_NAME is not set. Give --identity local to serve yourself on this machine")
	}
	for _, refused := range []struct{ flag, why string }{
		{"profile", "a profile is one person's credentials"},
		{"host", "users are of the app's own workspace, DATABRICKS_HOST"},
		{"oauth-client-id", "users are signed in by the platform"},
		{"oauth-scopes", "users are signed in by the platform; scopes are the app's user_api_scopes"},
		{"oauth-user", "each request says who the user is"},
		{"allow-dir", "all users would share its files"},
	} {
		if where := c.given[refused.flag]; where != "" {
			return usagef("%s does not go with --identity apps: %s. Leave it out", where, refused.why)
		}
	}
	if !c.sandbox && c.getenv("DATABRICKS_HOST") == "" {
		return usagef("--identity apps needs DATABRICKS_HOST, the workspace of the app; Databricks Apps sets it by itself")
	}
	if c.listen == "" {
		port := cmp.Or(c.getenv("DATABRICKS_APP_PORT"), appPort)
		c.listen = net.JoinHostPort("0.0.0.0", port)
		if _, err := hostPort("", c.listen); err != nil {
			return usagef("DATABRICKS_APP_PORT: %q is no port to listen on, such as %s; Databricks Apps sets it by itself", port, appPort)
		}
	}
	if _, err := hostPort(cmp.Or(c.given["listen"], "--listen"), c.listen); err != nil {
		return err
	}
	return c.checkAdmin()
}

// checkAdmin: numbers about a server are nobody's business by default, so an address
// without a host is that of this machine.
func (c *config) checkAdmin() error {
	if c.adminListen == "" {
		return nil
	}
	host, err := hostPort(cmp.Or(c.given["admin-listen"], "--admin-listen"), c.adminListen)
	if err != nil {
		return err
	}
	if host == "" {
		c.adminListen = "127.0.0.1" + c.adminListen
	}
	if c.adminListen == c.listen && !strings.HasSuffix(c.listen, ":0") {
		return usagef("--admin-listen and --listen are both %s: /metrics is kept apart from what users reach", c.listen)
	}
	return nil
}

// hostPort checks HOST:PORT and gives the host, which may be empty.
func hostPort(flag, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", usagef("%s: %q is no address to listen on: want HOST:PORT, such as %s", flag, address, localListen)
	}
	return host, nil
}
