package rest

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// explain turns an answer that is no success into a failure.
func (x *exchange) explain(ctx context.Context, resp *http.Response) *failure {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.StatusCode != http.StatusNotModified {
		resp.Body.Close()
		return redirected(x.call, resp)
	}
	body := readErrorBody(resp)
	if ctx.Err() != nil {
		return gaveUp(ctx, x.call, lost, nil)
	}
	c := complaintOf(resp.StatusCode, resp.Header, body, x.hidden()...)
	f := classify(x.call, c)
	if resp.StatusCode == http.StatusUnauthorized || f.Kind == catalog.SignIn {
		f.stale = x.token
	}
	if advise := x.client.config.MissingScope; advise != nil && f.Kind == catalog.Forbidden {
		if name, missing := missingScope(x.call, c); missing {
			f.Advice = advise(name)
		}
	}
	return f
}

// hidden lists what an error may quote of the request and nobody may see.
func (x *exchange) hidden() []string {
	hidden := []string{x.token}
	for _, name := range x.call.Row.Hidden() {
		if v := gjson.ParseBytes(x.call.Args[name]); v.Type == gjson.String {
			// As it is, and as a message that quotes JSON has it.
			hidden = append(hidden, v.Str, strings.Trim(v.Raw, `"`))
		}
	}
	if x.call.Row.Effect != catalog.Read {
		for _, name := range []string{"string_value", "bytes_value"} {
			hidden = append(hidden, gjson.GetBytes(x.call.Body, name).String())
		}
	}
	return hidden
}

// classify finds kind, fate and advice. The code is looked at first, then the
// status (contract README, section 5.1); a few cases are known by their text
// only (section 5.2).
func classify(call *catalog.Call, c *complaint) *failure {
	f := &failure{Error: &catalog.Error{Status: c.status, Code: c.code, RequestID: c.requestID, Quoted: c.said}, after: c.after}
	f.Kind = kindOf(call, c)
	switch {
	case missingRoute(c):
		f.Kind, f.MissingRoute = catalog.Missing, true
	case f.Kind == catalog.Missing:
		f.gone = true
	case f.Kind == catalog.Conflict:
		f.taken = true
	}
	f.fate, f.tries = fateOf(f.Kind, c)
	f.Message = shorten(call.About(), 160) + ": " + c.message
	if c.code != "" && !strings.Contains(c.message, c.code) && !strings.HasPrefix(c.code, "SCIM_") {
		f.Message += " (" + c.code + ")"
	}
	f.Advice = advise(call, c, f)
	return f
}

func kindOf(call *catalog.Call, c *complaint) catalog.Kind {
	if kind := kindByText(call, c); kind != "" {
		return kind
	}
	if kind := kindByCode(c); kind != "" {
		return kind
	}
	switch s := c.status; {
	case s == http.StatusUnauthorized:
		return catalog.SignIn
	case s == http.StatusForbidden:
		return catalog.Forbidden
	case s == http.StatusNotFound, s == http.StatusGone, s == http.StatusMethodNotAllowed, s == http.StatusNotImplemented:
		return catalog.Missing
	case s == http.StatusConflict, s == http.StatusPreconditionFailed, s == http.StatusLocked:
		return catalog.Conflict
	case s == http.StatusTooManyRequests:
		return catalog.Limited
	case s == http.StatusRequestTimeout, s == 499:
		return catalog.Busy
	case s >= 400 && s < 500 && s != http.StatusProxyAuthRequired:
		return catalog.Invalid
	}
	return catalog.Down
}

func kindByCode(c *complaint) catalog.Kind {
	if c.reason == "FILES_API_DIRECTORY_IS_NOT_EMPTY" {
		return catalog.Conflict
	}
	switch c.code {
	case "INVALID_PARAMETER_VALUE", "MALFORMED_REQUEST", "INVALID_ARGUMENT", "MAX_BLOCK_SIZE_EXCEEDED", "MAX_READ_SIZE_EXCEEDED", "MAX_NOTEBOOK_SIZE_EXCEEDED":
		return catalog.Invalid
	case "INVALID_STATE", "ABORTED", "ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS", "RESOURCE_CONFLICT", "DIRECTORY_NOT_EMPTY":
		return catalog.Conflict
	case "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED", "PRIVATE_LINK_VALIDATION_ERROR":
		return catalog.Forbidden
	case "NOT_FOUND":
		return catalog.Missing
	case "RESOURCE_EXHAUSTED", "REQUEST_LIMIT_EXCEEDED", "QUOTA_EXCEEDED", "RESOURCE_LIMIT_EXCEEDED":
		return catalog.Limited
	case "TEMPORARILY_UNAVAILABLE", "UNKNOWN", "DATA_LOSS":
		return catalog.Down
	}
	if strings.HasSuffix(c.code, "_DOES_NOT_EXIST") {
		return catalog.Missing
	}
	return ""
}

var (
	hourlyQuota = lazy(`^There were already \d+ jobs created in past \d+ seconds`)
	goneForGood = lazy(`^Cannot access cluster \S+ that was terminated or unpinned more than`)
	noSuch      = lazy(`(?i)\b(cluster|job|run|warehouse)\b:? .*\b(?:does not|doesn't) exist`)
)

// kindByText knows the answers whose code says something else than they mean.
func kindByText(call *catalog.Call, c *complaint) catalog.Kind {
	switch c.code {
	case "INVALID_STATE":
		if hourlyQuota().MatchString(c.message) {
			return catalog.Limited
		}
		if goneForGood().MatchString(c.message) {
			return catalog.Missing
		}
	case "INVALID_PARAMETER_VALUE":
		if strings.Contains(c.message, "already exists") {
			return catalog.Conflict
		}
		// A create that names a missing object has a wrong argument; any other
		// call of the object's own endpoints is about that object.
		m := noSuch().FindStringSubmatch(c.message)
		if m != nil && call.Row.Effect != catalog.Create && strings.Contains(call.Row.Path, homes[strings.ToLower(m[1])]) {
			return catalog.Missing
		}
	case "", "BAD_REQUEST", "SCIM_400":
		if c.status == http.StatusBadRequest && strings.HasSuffix(strings.TrimSuffix(c.message, "."), "already exists") {
			return catalog.Conflict
		}
	}
	switch {
	case transient(c):
		return catalog.Busy
	case c.status == http.StatusForbidden && strings.Contains(strings.ToLower(c.message), "invalid access token"):
		return catalog.SignIn // how some gateways spell 401
	}
	return ""
}

var homes = map[string]string{"cluster": "/clusters/", "job": "/jobs/", "run": "/jobs/runs/", "warehouse": "/sql/"}

// missingRoute tells a path that the gateway does not know from an object that
// is not there (contract README, section 1).
func missingRoute(c *complaint) bool {
	switch {
	case c.code == "ENDPOINT_NOT_FOUND", c.code == "FEATURE_DISABLED", c.code == "FILES_API_API_IS_NOT_ENABLED":
		return true
	case c.status == http.StatusMethodNotAllowed, c.status == http.StatusNotImplemented:
		return true
	case c.status == http.StatusNotFound && c.page:
		return true
	case c.status != http.StatusNotFound && c.status != http.StatusBadRequest:
		return false
	}
	return strings.HasPrefix(c.message, "No API found for") || strings.HasPrefix(c.message, "Bad Target")
}

var transientTexts = []string{
	"UnknownWorkerEnvironmentException", "does not have any associated worker environments", "There is no worker environment with id",
	"Unknown worker environment", "ClusterNotReadyException", "Timed out after ", "deadline exceeded",
}

var workerEnv = lazy(`worker env \S+ not found`)

// transient reports the texts that the workspace's own clients repeat a call at
// (contract README, section 6.1).
func transient(c *complaint) bool {
	switch c.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return false
	}
	return slices.ContainsFunc(transientTexts, func(t string) bool { return strings.Contains(c.message, t) }) ||
		strings.Contains(c.message, "worker env ") && workerEnv().MatchString(c.message)
}

// fateOf says what is known of the request after such an answer, and how many
// attempts are worth it.
func fateOf(kind catalog.Kind, c *complaint) (fate, int) {
	switch {
	case c.code == "QUOTA_EXCEEDED" || c.code == "RESOURCE_LIMIT_EXCEEDED" || hourlyQuota().MatchString(c.message):
		return refused, 0 // waiting a little does not help
	case kind == catalog.Limited || strings.Contains(c.message, "REQUEST_LIMIT_EXCEEDED"):
		return rejected, 0
	case c.status == http.StatusServiceUnavailable && (kind == catalog.Down || kind == catalog.Busy), kind == catalog.Busy:
		return lost, 0
	case kind == catalog.Down && (c.status >= 500 || c.code != ""):
		return failed, serverTries
	}
	return refused, 0
}

// redirected explains a redirect, which was not followed: the token would have
// gone along.
func redirected(call *catalog.Call, resp *http.Response) *failure {
	e := &catalog.Error{Status: resp.StatusCode, RequestID: requestID(resp.Header)}
	f := &failure{Error: e, fate: refused}
	to, _ := url.Parse(resp.Header.Get("Location"))
	if to == nil {
		to = &url.URL{}
	}
	path := strings.ToLower(to.Path)
	switch {
	case to.Query().Get("error") == "private-link-validation-error":
		e.Kind, e.Status, e.Code = catalog.Forbidden, http.StatusForbidden, "PRIVATE_LINK_VALIDATION_ERROR"
		e.Message = call.About() + ": the workspace accepts connections through Private Link only, and this network is not on it (PRIVATE_LINK_VALIDATION_ERROR)"
		e.Advice = "Connect through the network (VPN, private endpoint) from which the workspace is reachable, or ask its admin; other arguments will not help."
	case strings.Contains(path, "login") || strings.Contains(path, "signin") || strings.Contains(path, "/oidc") || strings.Contains(path, "oauth2"):
		e.Kind = catalog.SignIn
		e.Message = call.About() + ": the host sends to a login page instead of answering"
		e.Advice = wrongHost
	default:
		e.Kind = catalog.Down
		e.Message = call.About() + ": the host redirects elsewhere, which a workspace's API does not; it was not followed"
		e.Advice = "Check that the configured host is that of the workspace itself, and that no proxy answers in its place."
	}
	return f
}

const wrongHost = "Check that the configured host is that of the workspace (not of the account or of a proxy), set the workspace id where one host serves several workspaces, and sign in again."

// webPage explains a success that is a web page: contract README, section 3.
func webPage(call *catalog.Call, requestID string, status int) *catalog.Error {
	return &catalog.Error{
		Kind: catalog.SignIn, Status: status, RequestID: requestID,
		Message: call.About() + ": the host answered with a web page instead of data, as a login page or a wrong host does",
		Advice:  wrongHost,
	}
}
