package main

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/transport/managed"
	"brickmcp/transport/rest"

	turns "golang.org/x/time/rate"
)

// managedServers are the MCP servers that --managed names, each of a profile that is
// served.
func (c *config) managedServers() ([]tools.ManagedServer, error) {
	servers, err := tools.ParseManagedServers(c.managed)
	if err != nil {
		return nil, usagef("--managed %w", err)
	}
	for _, m := range servers {
		known := m.Profile == ""
		for _, place := range c.places() {
			known = known || place == m.Profile
		}
		if !known {
			return nil, usagef("--managed %s: the profile %s is not one of --profile", m.Prefix, m.Profile)
		}
	}
	return servers, nil
}

// prefixes are those of the tools of servers.
func prefixes(servers []tools.ManagedServer) []string {
	var all []string
	for _, m := range servers {
		all = append(all, m.Prefix)
	}
	return all
}

// managed opens MCP servers of the workspace. They share its limits, which are 10
// requests a second for SQL and 50 for the others (contract mcp.md, section 3.5).
func (w *workspace) managed() func(tools.ManagedServer, func()) tools.Upstream {
	var sql, others managed.Turns
	if w.rateLimit != rest.NoRateLimit {
		sql, others = turns.NewLimiter(10, 10), turns.NewLimiter(50, 50)
	}
	return func(server tools.ManagedServer, changed func()) tools.Upstream {
		u := &upstream{w: w, server: server, changed: changed, turns: others}
		if server.SQL() {
			u.turns = sql
		}
		return u
	}
}

// upstream is an MCP server of the workspace, connected when it is first used: only
// then is it known where the workspace is.
type upstream struct {
	w       *workspace
	server  tools.ManagedServer
	changed func()
	turns   managed.Turns

	mu     sync.Mutex
	client *managed.Client
}

var _ tools.Upstream = (*upstream)(nil)

func (u *upstream) get() (*managed.Client, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.client != nil {
		return u.client, nil
	}
	rest, err := u.w.config()
	if err != nil {
		return nil, signInError(err)
	}
	config := managed.Config{
		URL:   u.address(rest.Host),
		Token: rest.Token, Invalidate: rest.Invalidate, Headers: rest.Headers, SignInError: rest.SignInError,
		SignInHosts: []string{hostOf(rest.Host)}, WorkspaceID: rest.WorkspaceID, UserAgent: rest.UserAgent,
		RoundTripper: rest.RoundTripper, Turns: u.turns, Timeout: managed.OtherTime,
		Needs: u.server.Needs(), Version: version, Changed: u.changed,
	}
	if u.server.Path() == "" {
		// An app. What is for the workspace is not for its host, and that it refuses a
		// token must not sign anybody out there.
		config.Token, config.Invalidate, config.SignInError = u.w.appToken, nil, appSignInError
		config.Headers, config.WorkspaceID = nil, ""
		if u.w.forwarded { // nor does it say whether the workspace takes the user's token
			config.Invalidate = nil
		}
	}
	if u.server.Genie() {
		config.Timeout = managed.GenieTime
	}
	u.client = managed.New(config)
	return u.client, nil
}

// address is where the server is. An app has a host of its own, which the workspace
// knows.
func (u *upstream) address(host string) func(context.Context) (string, error) {
	if path := u.server.Path(); path != "" {
		return func(context.Context) (string, error) { return host + path, nil }
	}
	return func(ctx context.Context) (string, error) {
		app, err := catalog.GetApp.Call(ctx, u.w, catalog.AppName{Name: u.server.Name})
		switch {
		case err != nil:
			return "", err
		case app.URL == "":
			return "", &catalog.Error{Kind: catalog.Busy, Message: "the app " + u.server.Name + " has no address: it is not running", Advice: "Start the app, then call again."}
		}
		if _, _, err := u.w.appConfig(app.URL); err != nil {
			return "", err
		}
		return strings.TrimSuffix(app.URL, "/") + "/mcp", nil
	}
}

// Tools implements tools.Upstream.
func (u *upstream) Tools(ctx context.Context) ([]json.RawMessage, error) {
	client, err := u.get()
	if err != nil {
		return nil, err
	}
	return client.Tools(ctx)
}

// Call implements tools.Upstream.
func (u *upstream) Call(ctx context.Context, params json.RawMessage, repeatable bool, progress func(string), ask tools.Asker) (json.RawMessage, error) {
	client, err := u.get()
	if err != nil {
		return nil, err
	}
	return client.Call(ctx, params, repeatable, progress, ask)
}

// Close implements tools.Upstream.
func (u *upstream) Close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.client != nil {
		u.client.Close()
	}
}
