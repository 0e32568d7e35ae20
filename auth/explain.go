package auth

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/oauth2"
)

// explainer turns what goes wrong between us and a token endpoint into an
// Error. Bodies are never passed on, except error_description, with secrets
// taken out: endpoints quote what they were sent.
type explainer struct {
	host     string
	clientID string
	where    string // where client id and secret came from
	secrets  []string
	now      func() time.Time
}

// token explains a failed token request of x/oauth2.
func (x explainer) token(err error) *Error {
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) || r.Response == nil {
		var u *url.Error
		if errors.As(err, &u) || errors.Is(err, context.DeadlineExceeded) {
			return x.network(err)
		}
		return &Error{
			Message:   fmt.Sprintf("The token endpoint of %s answered with something that is not a token.", x.host),
			Advice:    "Check that the host is that of a workspace, and that no proxy answers in its place.",
			Temporary: true, // a broken answer may be whole the next time
		}
	}
	e := x.oauth(r)
	if e == nil {
		e = x.status(r.Response.StatusCode, r.Body, "the token request")
	}
	e.retryAfter = retryAfter(r.Response.Header, x.now())
	if skew := x.skew(r.Response.Header); skew != "" {
		e.Message += " " + skew
	}
	return e
}

var oauthCode = pattern(`^[a-z_]{1,40}$`)

// oauth explains the errors of RFC 6749, section 5.2; nil for any other.
func (x explainer) oauth(r *oauth2.RetrieveError) *Error {
	said := r.ErrorCode
	if !oauthCode().MatchString(said) {
		return nil
	}
	if d := x.clean(r.ErrorDescription); d != "" {
		said += ": " + d
	}
	principal := fmt.Sprintf("the service principal %s (%s)", printable(x.clientID), x.where)
	e := &Error{}
	switch r.ErrorCode {
	case "invalid_client", "unauthorized_client":
		e.Message = fmt.Sprintf("%s did not accept client id and secret of %s (%s).", x.host, principal, said)
		e.Advice = "The secret is wrong, expired or deleted, the service principal is disabled, or it belongs to another account. Check that client_id is its application id, and make a new OAuth secret for it (Settings, Identity and access, Service principals, Secrets)."
	case "invalid_scope":
		e.Message = fmt.Sprintf("%s does not grant the requested scopes to %s (%s).", x.host, principal, said)
		e.Advice = "Remove scopes from the profile, which then asks for all-apis, or have an admin allow them."
	case "invalid_grant", "access_denied":
		e.Message = fmt.Sprintf("%s denied the sign-in of %s (%s).", x.host, principal, said)
		e.Advice = "Ask an admin whether the service principal is active and assigned to this workspace."
	case "invalid_request", "unsupported_grant_type":
		e.Message = fmt.Sprintf("%s does not take client credentials (%s).", x.host, said)
		e.Advice = "Check that the host is that of the workspace; otherwise use a personal access token (DATABRICKS_TOKEN)."
	case "temporarily_unavailable", "server_error", "slow_down":
		e.Message = fmt.Sprintf("The token endpoint of %s is not available at the moment (%s).", x.host, said)
		e.Advice, e.Temporary = "Try again in a minute.", true
	default:
		e.Message = fmt.Sprintf("%s refused the sign-in of %s (%s).", x.host, principal, said)
		e.Advice = "Check the service principal and its secret."
	}
	return e
}

// status explains an answer without an OAuth error in it.
func (x explainer) status(status int, body []byte, what string) *Error {
	e := &Error{Message: fmt.Sprintf("%s answered %s with HTTP %d.", x.host, what, status)}
	switch {
	case status == http.StatusTooManyRequests:
		e.Advice, e.Temporary = "Too many sign-ins at once. Try again in a minute.", true
	case status == http.StatusProxyAuthRequired:
		e.Advice = "The proxy wants a sign-in of its own: put it into HTTPS_PROXY, or add the host to NO_PROXY."
	case status >= 500:
		e.Advice, e.Temporary = "The workspace has a problem. Try again in a minute.", true
	case status == http.StatusForbidden && bytes.Contains(bytes.ToLower(body), []byte("ip ac")):
		// "… is blocked by Databricks IP ACL for workspace …", "IP access list"
		e.Message = fmt.Sprintf("%s does not accept connections from the address of this machine (IP access list).", x.host)
		e.Advice = "Ask a workspace admin to allow the address, or use the network (VPN) from which it is allowed."
	case status >= 300 && status < 400:
		e.Advice = "A workspace does not redirect there. Check that the host is that of a workspace: " + hostExample
	case status == http.StatusNotFound:
		e.Advice = "Check that the host is that of a workspace: " + hostExample
	default:
		e.Advice = fmt.Sprintf("Check the host and the service principal %s (%s).", printable(x.clientID), x.where)
	}
	return e
}

// network explains a host that did not answer. The errors of net/http quote
// the URL only, which holds no secret.
func (x explainer) network(err error) *Error {
	e := &Error{Err: err, Temporary: true}
	var (
		dns       *net.DNSError
		unknownCA x509.UnknownAuthorityError
		wrongName x509.HostnameError
		invalid   x509.CertificateInvalidError
		notTLS    tls.RecordHeaderError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		e.Message = fmt.Sprintf("The host %s does not exist (DNS).", x.host)
		e.Advice, e.Temporary = "Check the spelling of the host, and whether it can be resolved from this network (VPN, private link). "+hostExample, false
	case errors.As(err, &dns):
		e.Message = fmt.Sprintf("The host %s could not be looked up (DNS).", x.host)
		e.Advice = "Check the network connection."
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Message = fmt.Sprintf("The TLS certificate of %s is not valid at the time of this machine's clock, %s.", x.host, x.now().UTC().Format(time.RFC3339))
		e.Advice, e.Temporary = "If that time is wrong, set the clock. If it is right, the certificate has expired: tell the owner of the host or of the proxy before it.", false
	case errors.As(err, &unknownCA):
		e.Message = fmt.Sprintf("The TLS certificate of %s is from an authority that this machine does not know.", x.host)
		e.Advice, e.Temporary = "Behind a proxy that inspects TLS, name the company's CA file in SSL_CERT_FILE.", false
	case errors.As(err, &wrongName):
		e.Message = fmt.Sprintf("The TLS certificate of %s belongs to another name.", x.host)
		e.Advice, e.Temporary = "Check the spelling of the host.", false
	case errors.As(err, &notTLS), errors.Is(err, http.ErrSchemeMismatch):
		e.Message = fmt.Sprintf("%s does not speak TLS on that port.", x.host)
		e.Advice, e.Temporary = "Check the port of the host, and HTTPS_PROXY.", false
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Message = fmt.Sprintf("%s refuses connections.", x.host)
		e.Advice = "Check host and port, and HTTPS_PROXY if this network needs a proxy."
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Message = fmt.Sprintf("%s did not answer in time.", x.host)
		e.Advice = "Check the network, VPN, and HTTPS_PROXY if this network needs a proxy."
	default:
		e.Message = fmt.Sprintf("%s could not be reached.", x.host)
		e.Advice = "Check the network, VPN, and HTTPS_PROXY if this network needs a proxy."
	}
	return e
}

// skew compares the clocks when an answer tells the time. Tokens carry times,
// and a clock that is hours off makes good ones look bad.
func (x explainer) skew(h http.Header) string {
	there, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return ""
	}
	here := x.now().Round(0)
	d := here.Sub(there)
	if d.Abs() < 5*time.Minute {
		return ""
	}
	way := "ahead of"
	if d < 0 {
		way = "behind"
	}
	return fmt.Sprintf("The clock of this machine is %s %s that of the host: correct it.", d.Abs().Round(time.Minute), way)
}

var secretsInText = pattern(`(dapi|dose|dkea|dsap)[0-9a-fA-F-]{8,}|eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.-]*|(?i:bearer|basic) +[A-Za-z0-9._~+/=-]{6,}`)

// clean makes an error_description fit to show: one short line, no secrets.
func (x explainer) clean(s string) string {
	for _, secret := range x.secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "[hidden]")
			s = strings.ReplaceAll(s, url.QueryEscape(secret), "[hidden]")
		}
	}
	s = secretsInText().ReplaceAllString(s, "[hidden]")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}

// retryAfter reads the header as seconds or as a date; 0 if there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s > 0 {
		return time.Duration(min(s, 86400)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
