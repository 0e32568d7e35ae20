package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"brickmcp/catalog"
	"brickmcp/transport/rest"
)

// checkToken gets one as a call would: renewed if it is time.
func (d *doctor) checkToken(ctx context.Context) finding {
	if _, err := d.credential.Token(ctx); err != nil {
		return brokenBy(signInError(err))
	}
	id := d.id
	message := "There is a token; how long it lives is not known."
	if end := id.ExpiresAt(); !end.IsZero() {
		message = "There is a token until " + end.UTC().Format(time.RFC3339) + " (" + left(end.Sub(d.now())) + ")."
	}
	if len(id.Scopes) == 0 {
		return fine("%s", message)
	}
	message += " Scopes: " + strings.Join(id.Scopes, " ") + "."
	if !slices.Contains(id.Scopes, "all-apis") {
		return doubtful("If tools answer that a scope is missing, sign in again with it in --oauth-scopes.", "%s They do not open every part of the workspace.", message)
	}
	return fine("%s", message)
}

// checkUser asks who that is, the way calls go.
func (d *doctor) checkUser(ctx context.Context) finding {
	config := rest.Config{
		Host: d.id.Host, WorkspaceID: d.id.WorkspaceID,
		Token: d.credential.Token, Invalidate: d.credential.Invalidate, Headers: d.credential.Headers,
		SignInError: signInError, UserAgent: userAgent(d.id.AuthType),
	}
	var err error
	if d.sandbox != nil {
		if config.RoundTripper, err = d.sandbox(); err != nil {
			return brokenBy(err)
		}
	}
	if d.client, err = rest.New(config); err != nil {
		return brokenBy(signInError(err))
	}
	me, org, err := askMe(ctx, d.client)
	if err != nil {
		return brokenBy(err)
	}
	d.org = org
	name := ""
	if me.DisplayName != "" && me.DisplayName != me.UserName {
		name = " (" + me.DisplayName + ")"
	}
	return fine("Calls act for %s%s.", me.UserName, name)
}

func (d *doctor) checkWorkspace(context.Context) finding {
	configured := d.id.WorkspaceID
	switch {
	case d.org == "" && configured == "":
		return doubtful("Check that the host is that of a workspace, not of an account.", "The host does not tell the id of its workspace.")
	case d.org == "":
		return fine("Workspace %s, from %s.", configured, d.id.Sources["workspace_id"])
	case configured != "" && configured != d.org:
		return broken("Correct the host or the workspace id: they belong to two workspaces.", "Workspace %s answers, but %s says %s.", d.org, d.id.Sources["workspace_id"], configured)
	}
	return fine("Workspace %s answers.", d.org)
}

// checkWarehouse looks for one that SQL could run on.
func (d *doctor) checkWarehouse(ctx context.Context) finding {
	list, err := catalog.ListWarehouses.Call(ctx, d.client, catalog.ListWarehousesRequest{})
	if err != nil {
		return brokenBy(err)
	}
	if len(list.Warehouses) == 0 {
		return doubtful("Ask for CAN_USE on a SQL warehouse, or create one; other tools work without.", "There is no SQL warehouse that this user may use: SQL cannot run.")
	}
	best := list.Warehouses[0]
	for _, w := range list.Warehouses {
		if w.State == "RUNNING" {
			best = w
			break
		}
	}
	return fine("%d can be used, such as %s (%s, %s).", len(list.Warehouses), best.Name, best.ID, strings.ToLower(best.State))
}
