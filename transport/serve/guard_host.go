package serve

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// hostPort is what a Host header may be: port "" is every port.
type hostPort struct{ host, port string }

func hostPorts(all []string) []hostPort {
	var parsed []hostPort
	for _, one := range all {
		host, port := splitHost(one, "")
		parsed = append(parsed, hostPort{host, port})
	}
	return parsed
}

// ValidHost reports whether text can be among Guard.Hosts. What cannot would allow
// nothing, unnoticed.
func ValidHost(text string) bool {
	host, port := splitHost(text, "0")
	_, err := strconv.ParseUint(port, 10, 16)
	return host == "*" || host != "" && err == nil && !strings.ContainsAny(host, "/*@ ")
}

// ValidOrigin reports the same of Guard.Origins.
func ValidOrigin(text string) bool {
	return canonicalOrigin(text) != "" && !strings.Contains(text, "*")
}

// splitHost takes host[:port] apart, in lower case and without the brackets of IPv6.
func splitHost(text, defaultPort string) (host, port string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), defaultPort
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), port
}

// hostAllowed guards against DNS rebinding: a web page whose name points to this
// machine is of the same origin as we are, but cannot choose the Host that its
// browser sends.
func (g *Guard) hostAllowed(r *http.Request) bool {
	host, port := splitHost(r.Host, "80")
	if loopback(host) && ourPort(r, port) {
		return true
	}
	return slices.ContainsFunc(g.hosts, func(allowed hostPort) bool {
		return allowed.host == "*" || host != "" && allowed.host == host && (allowed.port == "" || allowed.port == port)
	})
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// ourPort reports whether port is the one that the request came in by.
func ourPort(r *http.Request, port string) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	_, ours, err := net.SplitHostPort(local.String())
	return err == nil && ours == port
}

// originAllowed tells web pages apart from everything else: a browser says which page
// sends a request. Bearer secrets do not help where a proxy in front of us knows the
// person by a cookie, which browsers send along from every page.
func (g *Guard) originAllowed(r *http.Request) bool {
	origins := r.Header["Origin"]
	switch len(origins) {
	case 0: // not from a page, or a picture or a form of one that only loads
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "none" || site == "same-origin"
	case 1:
	default:
		return false
	}
	origin := canonicalOrigin(origins[0])
	if origin == "" {
		return false
	}
	if slices.Contains(g.origins, origin) {
		return true
	}
	// We serve no pages, so a page of our own origin can only be a client's test. Where a
	// proxy stands before us, that origin is one of the machine of whoever looks at the page.
	name, ok := strings.CutPrefix(origin, "http://")
	if !ok {
		return false
	}
	asked, _ := splitHost(r.Host, "")
	host, port := splitHost(name, "80")
	return loopback(asked) && loopback(host) && ourPort(r, port)
}

func canonicalOrigins(all []string) []string {
	var canonical []string
	for _, one := range all {
		if origin := canonicalOrigin(one); origin != "" {
			canonical = append(canonical, origin)
		}
	}
	return canonical
}

// canonicalOrigin is an origin in lower case without a port that its scheme implies;
// "" for what is none, such as null.
func canonicalOrigin(text string) string {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery {
		return ""
	}
	host := strings.ToLower(u.Host)
	switch {
	case u.Scheme == "http":
		host = strings.TrimSuffix(host, ":80")
	case u.Scheme == "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}
