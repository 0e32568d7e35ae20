package auth

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Host is a workspace URL taken apart.
type Host struct {
	URL         string // scheme and host, nothing after it: "https://adb-1.2.azuredatabricks.net"
	WorkspaceID string // of ?w=, ?o= or ?workspace_id=; "" if absent
	AccountID   string // of ?a= or ?account_id=; "" if absent
}

// ids end up in a header of every request, so only what an id may hold.
var idPattern = pattern(`^[A-Za-z0-9_-]{1,64}$`)

// Beginnings of a scheme that somebody typed in a hurry.
var mistypedScheme = pattern(`(?i)^(h?t{1,3}ps?|htps?|hhtps?)(:/*|//+)`)

const hostExample = "A workspace host looks like https://dbc-a1b2c3d4-e5f6.cloud.databricks.com, https://adb-1234567890123456.7.azuredatabricks.net or https://1234567890123456.7.gcp.databricks.com."

// ParseHost normalises a workspace URL as people paste it: without a scheme,
// with the path of the page they were on, with the workspace id in the query.
// Plain http is for loopback only, which is also what a bare loopback address
// means. The error is an *Error.
func ParseHost(raw string) (Host, error) {
	s := strings.TrimSpace(raw)
	fail := func(format string, args ...any) (Host, error) {
		return Host{}, &Error{Message: "The workspace host " + fmt.Sprintf(format, args...), Advice: hostExample}
	}
	switch {
	case s == "":
		return fail("is empty.")
	case looksLikeToken(s):
		return fail("looks like an access token, not like a host. The token belongs into DATABRICKS_TOKEN.")
	case len(s) > 2048 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("<>\"'`\\{}", r) }):
		return fail("contains spaces, quotation marks, placeholders or characters that no host name has.")
	}

	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || strings.ContainsAny(scheme, "./?#@") { // no scheme, or a "://" that belongs to the query
		if m := mistypedScheme().FindString(s); m != "" {
			return fail("begins with %q, which is not https://.", m)
		}
		scheme, rest = "", s
	}
	u, err := url.Parse("https://" + rest)
	if err != nil {
		return fail("cannot be read as a URL.") // the error quotes the input
	}
	if u.User != nil {
		return fail("carries a user name or password before the @. Credentials have settings of their own.")
	}
	name := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	loopback := isLoopback(name)
	switch scheme {
	case "https":
	case "":
		scheme = "https"
		if loopback {
			scheme = "http"
		}
	case "http":
		if !loopback {
			return fail("%q is plain http, which would send the token in the clear. Write https://.", printable(name))
		}
	default:
		return fail("begins with %q, which is not https://.", scheme+"://")
	}
	if problem := checkName(name, u.Port() != "" && u.Port() != "443"); problem != "" { // 443 goes without saying
		return fail("%s", problem)
	}
	authority, ok := authority(scheme, name, u)
	if !ok {
		return fail("%q has a port that is not a number from 1 to 65535.", printable(name))
	}

	q := u.Query()
	h := Host{URL: scheme + "://" + authority, AccountID: firstID(q, false, "a", "account_id")}
	// ?w= takes more than numbers, the older spellings only those; as the SDK does it.
	if h.WorkspaceID = firstID(q, false, "w"); h.WorkspaceID == "" {
		h.WorkspaceID = firstID(q, true, "o", "workspace_id")
	}
	return h, nil
}

func authority(scheme, name string, u *url.URL) (string, bool) {
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	port := u.Port()
	if port == "" {
		return name, !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", false
	}
	if scheme == "https" && n == 443 || scheme == "http" && n == 80 {
		return name, true
	}
	return name + ":" + strconv.FormatUint(n, 10), true
}

// notWorkspaces are Databricks' own sites that get pasted by mistake.
var notWorkspaces = map[string]bool{
	"databricks.com": true, "www.databricks.com": true, "docs.databricks.com": true, "login.databricks.com": true,
	"cloud.databricks.com": true, "gcp.databricks.com": true, "azuredatabricks.net": true, "learn.microsoft.com": true,
	"portal.azure.com": true,
}

var hostLabel = pattern(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?$`)

// checkName returns what is wrong with a host name, or "".
func checkName(name string, hasPort bool) string {
	if name == "" {
		return "has no host name."
	}
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Zone() != "" {
			return "has an IPv6 zone, which a URL cannot carry."
		}
		return ""
	}
	if len(name) > 253 {
		return "is longer than any host name."
	}
	for _, label := range strings.Split(name, ".") {
		if len(label) > 63 || !hostLabel().MatchString(label) {
			return fmt.Sprintf("%q is not a valid host name.", printable(name))
		}
	}
	if notWorkspaces[name] {
		return fmt.Sprintf("%q is a site of the vendor, not a workspace.", name)
	}
	if !strings.Contains(name, ".") && !hasPort && !isLoopback(name) {
		return fmt.Sprintf("%q is not a full host name.", printable(name))
	}
	if meant := nearDomain(name); meant != "" {
		return fmt.Sprintf("%q looks misspelt: it should probably end in %s.", printable(name), meant)
	}
	return ""
}

// domains of Databricks: where workspaces live, and where an endpoint found
// by discovery may be although it is not on the workspace's own host.
var domains = []string{
	"cloud.databricks.com", "gcp.databricks.com", "azuredatabricks.net",
	"cloud.databricks.us", "cloud.databricks.mil", "databricks.azure.us", "databricks.azure.cn",
}

// misspelt endings that are further away than one letter.
var wrongDomains = map[string]string{
	"azuredatabricks.com": "azuredatabricks.net", "databricks.azure.com": "azuredatabricks.net", "azure.databricks.com": "azuredatabricks.net",
	"azuredatabricks.azure.net": "azuredatabricks.net", "aws.databricks.com": "cloud.databricks.com", "cloud.databricks.net": "cloud.databricks.com",
}

func nearDomain(name string) string {
	for wrong, right := range wrongDomains {
		if inDomain(name, wrong) {
			return right
		}
	}
	for _, d := range domains {
		if inDomain(name, d) {
			return ""
		}
	}
	labels := strings.Split(name, ".")
	for _, d := range domains {
		n := strings.Count(d, ".") + 1
		if len(labels) > n && editDistance(strings.Join(labels[len(labels)-n:], "."), d) == 1 {
			return d
		}
	}
	return ""
}

func inDomain(name, domain string) bool {
	return name == domain || strings.HasSuffix(name, "."+domain)
}

// isAccountHost: the account console's own hosts, by name as the SDK does it
// (accounts.… and accounts-dod.…).
func isAccountHost(hostURL string) bool {
	return strings.HasPrefix(hostURL, "https://accounts.") || strings.HasPrefix(hostURL, "https://accounts-dod.")
}

func isLoopback(name string) bool {
	if name == "localhost" {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

func firstID(q url.Values, numeric bool, keys ...string) string {
	for _, k := range keys {
		v := q.Get(k)
		if !idPattern().MatchString(v) {
			continue
		}
		if _, err := strconv.ParseInt(v, 10, 64); numeric && err != nil {
			continue
		}
		return v
	}
	return ""
}

var tokenPattern = pattern(`^(Bearer\b.*|(dapi|dose|dkea|dsap)[0-9a-fA-F-]{16,}.*|eyJ[A-Za-z0-9_-]+\..*)$`)

func looksLikeToken(s string) bool { return tokenPattern().MatchString(s) }

// printable shortens a name for a message. What looks like a secret although
// it stands where a name should is not shown at all.
func printable(s string) string {
	if looksLikeToken(s) || strings.HasPrefix(s, "dapi") {
		return "…"
	}
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
