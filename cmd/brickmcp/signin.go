package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"brickmcp/auth"
	"brickmcp/tools"
	"brickmcp/tools/audit"
	"brickmcp/transport/sandbox"

	"go.uber.org/zap"
)

const (
	// leave bounds what a credential may still write before the process ends.
	leave = 2 * time.Second
	// introduction bounds the question who is signed in, which no call waits for.
	introduction = 30 * time.Second

	sandboxHost = "https://sandbox.brickmcp.invalid" // never dialled
)

// authOptions are the options of every sign-in with one profile ("" for the
// configured default), be it for a server or for a command.
func (c *config) authOptions(profile string) auth.Options {
	return auth.Options{
		Profile: profile, Host: c.host, Getenv: c.getenv, StateDir: c.stateDir(),
		SignInClientID: c.oauthClientID, SignInScopes: strings.FieldsFunc(c.oauthScopes, func(r rune) bool { return r == ',' || r == ' ' }),
		User:       c.oauthUser,
		HTTPClient: &http.Client{Transport: named{http.DefaultTransport}, Timeout: 30 * time.Second},
	}
}

// credential is that of a workspace. A server that lives on can wait for a
// person to sign in; a command cannot.
func (c *config) credential(profile string) *auth.Credential {
	o := c.authOptions(profile)
	o.SignIn = c.serving
	return auth.NewCredential(o)
}

// sandboxCredential is Ana's token for the embedded workspace, whatever else
// is configured.
func sandboxCredential() *auth.Credential {
	return auth.NewCredential(auth.Options{Host: sandboxHost, Getenv: func(name string) string {
		if name == "DATABRICKS_TOKEN" {
			return sandbox.Token
		}
		return ""
	}})
}

// introduce finds out in the background who is signed in, and says it in the
// log: after the first call that got through, because its token is at hand then.
func (w *workspace) introduce() {
	if !w.introduces || !w.introduced.CompareAndSwap(false, true) {
		return
	}
	w.background.Go(func() {
		ctx, cancel := context.WithTimeout(w.life, introduction)
		defer cancel()
		who, err := w.who(ctx)
		if err != nil {
			w.introduced.Store(false) // the next call may have more luck
			w.log.Debug("who is signed in cannot be told", zap.Error(err))
			return
		}
		w.log.Info("signed in", zap.String("user", who.User), zap.String("workspace_id", who.WorkspaceID), zap.String("auth_type", who.AuthType), zap.String("host", who.Host))
	})
}

// identify asks the workspace as whom calls go out. The first answer, and each that
// names somebody else, is written down.
func (w *workspace) identify(ctx context.Context) (tools.Identity, error) {
	client, err := w.get()
	if err != nil {
		return tools.Identity{}, err
	}
	me, _, err := askMe(ctx, client)
	if err != nil {
		return tools.Identity{}, err
	}
	id, err := w.credential.Identity() // after the call: now there is a token
	if err != nil {
		return tools.Identity{}, signInError(err)
	}
	who := tools.Identity{User: me.UserName, Groups: me.GroupNames(), AuthType: id.AuthType}
	if last := w.signedIn.Swap(&who.User); last == nil || *last != who.User {
		note(w.audit, w.log, audit.Line{
			Event: "signin", User: who.User, AuthType: who.AuthType, Workspace: w.hostName(), Outcome: "ok",
			Say: who.User + " is signed in to " + w.hostName() + " by " + who.AuthType + "; calls go out as this user",
		})
	}
	return who, nil
}

// hostName is the workspace as audit names it: its host. It asks nobody.
func (w *workspace) hostName() string {
	if w.roundTripper != nil {
		return "sandbox"
	}
	id, err := w.credential.Identity()
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(id.Host, "https://")
}

// address is the URL of the workspace; "" where that is not known.
func (w *workspace) address() string {
	id, err := w.credential.Identity()
	if err != nil {
		return ""
	}
	return id.Host
}

// close ends what runs in the background. It waits for a refresh of the token
// whose answer is not stored yet.
func (w *workspace) close() {
	w.end()
	w.background.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), leave)
	defer cancel()
	if err := w.credential.Close(ctx); err != nil {
		w.log.Warn("a refreshed sign-in may not have been stored", zap.Error(err))
	}
}

// missingScope is what to do when Databricks Apps forwards tokens that lack a scope.
func missingScope(scope string) string {
	if scope == "" {
		scope = "that is named"
	}
	return "The user's token lacks the OAuth scope " + scope + ": whoever manages the app must add it to user_api_scopes of the app, and the user must then open the app in a browser and consent."
}
