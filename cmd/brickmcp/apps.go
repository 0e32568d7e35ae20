package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"brickmcp/catalog"
	"brickmcp/transport/rest"
	"brickmcp/transport/sandbox"
)

// maxApps bounds the apps that are kept open.
const maxApps = 64

// openApp implements tools.Workspace.App: a client of its own for the app at that
// address, which the Apps API gave. Apps see the user's token and nothing else that
// belongs to the workspace.
func (w *workspace) openApp(_ context.Context, address string) (catalog.Caller, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if app := w.apps[address]; app != nil {
		return app, nil
	}
	config, base, err := w.appConfig(address)
	if err != nil {
		return nil, err
	}
	if w.roundTripper != nil {
		if config.RoundTripper, err = w.roundTripper(); err != nil {
			return nil, err
		}
	}
	client, err := rest.New(config)
	if err != nil {
		return nil, badAddress(err.Error())
	}
	if w.apps == nil || len(w.apps) >= maxApps {
		w.apps = map[string]catalog.Caller{}
	}
	w.apps[address] = below{client, base}
	return w.apps[address], nil
}

// appConfig says how the app is called; base is what its paths begin with.
func (w *workspace) appConfig(address string) (config rest.Config, base string, err error) {
	id, err := w.credential.Identity()
	if err != nil {
		return config, "", signInError(err)
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return config, "", badAddress("it is no plain URL")
	case u.Scheme == "https":
	case u.Scheme == "http" && onLoopback(u.Host) && onLoopback(hostOf(id.Host)): // a sandbox on this machine
	default:
		return config, "", badAddress("it is not https")
	}
	return rest.Config{
		Host: u.Scheme + "://" + u.Host,
		// No Invalidate: that an app refuses a token says nothing about the
		// workspace, and must not sign anybody out there.
		Token: w.appToken, SignInError: appSignInError,
		UserAgent: userAgent(id.AuthType), RateLimit: w.rateLimit, Logger: w.log, Waiting: waiting, Pool: w.pool, Observe: w.observe,
	}, strings.TrimSuffix(u.EscapedPath(), "/"), nil
}

// appToken is the user's own. Apps take OAuth alone, as a forwarded token is; in the
// sandbox of this process there is nobody who could sign in, and a token for that.
func (w *workspace) appToken(ctx context.Context) (string, error) {
	if w.forwarded {
		return w.credential.Token(ctx)
	}
	if w.roundTripper != nil {
		return sandbox.OAuthToken, nil
	}
	id, err := w.credential.Identity()
	if err != nil {
		return "", err
	}
	token, err := id.Token(ctx)
	if err == nil && personal(id.AuthType, token) {
		return "", &catalog.Error{
			Kind:    catalog.SignIn,
			Message: "Databricks Apps take OAuth tokens alone, and this server has a personal access token",
			Advice:  "A person must sign in with OAuth: remove the token (DATABRICKS_TOKEN, or token in the profile) and run `brickmcp login`.",
		}
	}
	return token, err
}

// personal tells a personal access token from an OAuth token that stands in its
// place, as on Databricks' own machines.
func personal(authType, token string) bool {
	return authType == "pat" && (strings.HasPrefix(token, "dapi") || strings.Count(token, ".") != 2)
}

// appSignInError passes on what is said already.
func appSignInError(err error) *catalog.Error {
	var e *catalog.Error
	if errors.As(err, &e) {
		return e
	}
	return signInError(err)
}

func badAddress(why string) error {
	return &catalog.Error{Kind: catalog.Down, Message: "the workspace gave an address of the app that was not opened: " + why, Advice: "Look at the app's page in the workspace; nothing was sent."}
}

func hostOf(address string) string {
	_, host, _ := strings.Cut(address, "://")
	return host
}

// onLoopback reports a host, with or without a port, of this machine.
func onLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// below is a client whose paths stand below a base.
type below struct {
	client *rest.Client
	base   string
}

// Do implements catalog.Caller.
func (b below) Do(ctx context.Context, call *catalog.Call) (*catalog.Answer, error) {
	if b.base == "" {
		return b.client.Do(ctx, call)
	}
	moved := *call
	moved.Path = b.base + call.Path
	return b.client.Do(ctx, &moved)
}
