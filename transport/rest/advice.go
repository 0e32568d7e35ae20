package rest

import (
	"net/http"
	"strings"

	"brickmcp/catalog"
)

// advise says what an agent can do next.
func advise(call *catalog.Call, c *complaint, f *failure) string {
	advice := ""
	switch f.Kind {
	case catalog.Invalid:
		advice = adviseInvalid(c)
	case catalog.SignIn:
		advice = "The workspace does not accept the credentials. A person must sign in again or renew the token; then call again."
	case catalog.Forbidden:
		advice = adviseForbidden(call, c)
	case catalog.Missing:
		advice = "Check the id, name or path, and list the objects to find it. It may also exist where this user cannot see it."
		switch {
		case !f.gone:
			advice = "This is no missing object: the workspace has no such endpoint (" + call.Row.Endpoint() + "). The feature is not enabled there, or the configured host is not a workspace; other arguments will not help."
		case goneForGood().MatchString(c.message):
			advice = "It is gone for good: use another cluster, or create a new one."
		}
	case catalog.Conflict:
		advice = adviseConflict(c)
	case catalog.Busy:
		advice = "It is not ready at the moment. Look at its state and call again in a minute."
	case catalog.Limited:
		advice = "The workspace limits the request rate: make fewer calls at once."
		if f.fate == refused {
			advice = "A quota of the workspace is used up; trying again soon does not help. Remove what is no longer needed, or ask a workspace admin."
		}
	default:
		advice = "The workspace has a problem of its own; if it stays, report the request id."
		if c.status == http.StatusProxyAuthRequired {
			advice = "A proxy wants a sign-in of its own: a person must put it into HTTPS_PROXY, or the host into NO_PROXY."
		}
	}
	if c.help != "" {
		advice += " See " + c.help
	}
	return advice
}

func adviseInvalid(c *complaint) string {
	switch {
	case len(c.fields) > 0:
		return "Correct " + strings.Join(c.fields, ", ") + " and call again."
	case c.status == http.StatusRequestEntityTooLarge || strings.HasSuffix(c.code, "_SIZE_EXCEEDED"):
		return "It is larger than the API allows: ask for or send less at a time."
	case c.status == http.StatusRequestedRangeNotSatisfiable:
		return "The range lies beyond the end of the file: start earlier."
	case strings.Contains(c.message, "multiple tasks"):
		return "Pass the run id of one task, not that of the whole run."
	}
	return "Correct the arguments and call again."
}

func adviseConflict(c *complaint) string {
	switch {
	case strings.Contains(c.code, "EXISTS") || strings.Contains(c.message, "already exists"):
		return "Use the one that exists, or choose another name; where the tool has overwrite, it replaces."
	case c.code == "DIRECTORY_NOT_EMPTY" || c.reason == "FILES_API_DIRECTORY_IS_NOT_EMPTY":
		return "Remove what is in the directory first."
	}
	return "The object's present state does not allow this. Look at its state, and call again when it has changed."
}

var scopeText = lazy(`(?i)\bscopes?\b(?: \(s\))?[:\s]+["'\[]?([a-z][a-z0-9_.:-]*)`)

var notScopes = map[string]bool{"is": true, "are": true, "for": true, "of": true, "to": true, "the": true, "not": true, "with": true, "in": true, "required": true, "does": true, "has": true, "or": true}

// missingScope reports that a 403 is about an OAuth scope, and which; "" when the
// workspace does not name it.
func missingScope(call *catalog.Call, c *complaint) (name string, missing bool) {
	lower := strings.ToLower(c.message)
	if !strings.Contains(lower, "oauth scope") && (!strings.Contains(lower, "scope") || call.Row.Group == catalog.Secrets) {
		return "", false
	}
	for _, m := range scopeText().FindAllStringSubmatch(c.message, -1) {
		if !notScopes[strings.ToLower(m[1])] {
			return shorten(strings.TrimRight(m[1], ".:"), 60), true
		}
	}
	return "", true
}

// adviseForbidden names the permission of the row, and who can give it.
func adviseForbidden(call *catalog.Call, c *complaint) string {
	lower := strings.ToLower(c.message)
	switch {
	case strings.Contains(lower, "ip acl") || strings.Contains(lower, "ip access list") || strings.Contains(lower, "ip address") && strings.Contains(lower, "blocked"):
		return "The address of this machine is not on the workspace's IP access list. A workspace admin can add it; or use the network (VPN) from which access is allowed."
	}
	if name, missing := missingScope(call, c); missing {
		if name == "" {
			return "The token lacks an OAuth scope: a person must sign in again with the scope that is named, or with all-apis."
		}
		return "The token lacks the OAuth scope " + name + ": a person must sign in again with it, or with all-apis."
	}
	advice := "Another user or an admin must allow it. "
	if needs := call.Row.Needs; needs != "" && !strings.HasPrefix(needs, "no") {
		advice = "You need " + needs + ". "
	}
	switch call.Row.Group {
	case catalog.Jobs:
		advice += "The job's owner or a workspace admin can grant it."
		if call.Object != "" {
			advice += " An id that does not exist gets the same answer: check it with jobs_list or jobs_list_runs first."
		}
	case catalog.Files:
		if !strings.HasPrefix(call.Row.Name, "files_") { // DBFS has no permissions of its own
			advice += "A workspace admin can say whether DBFS is open to you."
			break
		}
		fallthrough
	case catalog.UnityCatalog:
		advice += "The owner of the object, or whoever has MANAGE on it, can grant it; USE CATALOG and USE SCHEMA above it are needed, too."
	case catalog.Secrets:
		advice += "Whoever has MANAGE on the secret scope can grant it."
	case catalog.ServicePrincipals:
		advice += "Ask a workspace admin."
	default:
		advice += "Its owner or a workspace admin can grant it."
	}
	return advice
}
