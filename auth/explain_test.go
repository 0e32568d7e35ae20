package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNetworkErrorsAreExplained(t *testing.T) {
	x := explainer{host: "https://a.example.com", now: newClock().now}
	for _, tt := range []struct {
		err       error
		temporary bool
		says      string
	}{
		{dnsNotFound, false, "does not exist (DNS)"},
		{&net.DNSError{IsTimeout: true}, true, "could not be looked up"},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true, "refuses connections"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, false, "machine's clock, 2026-01-01T12:00:00Z"},
		{&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}, false, "SSL_CERT_FILE"},
		{&tls.CertificateVerificationError{Err: x509.HostnameError{Certificate: &x509.Certificate{}}}, false, "another name"},
		{tls.RecordHeaderError{Msg: "not TLS"}, false, "does not speak TLS"},
		{context.DeadlineExceeded, true, "did not answer in time"},
		{syscall.ECONNRESET, true, "could not be reached"},
	} {
		err := &url.Error{Op: "Post", URL: "https://a.example.com/oidc/v1/token", Err: tt.err}
		e := wantError(t, x.network(err), tt.says, "https://a.example.com")
		if e.Temporary != tt.temporary {
			t.Errorf("temporary = %v: %v", e.Temporary, e)
		}
	}
}

func TestClean(t *testing.T) {
	x := explainer{secrets: []string{"plain/secret"}}
	for in, want := range map[string]string{
		"":                                  "",
		"bad plain/secret!":                 "bad [hidden]!",
		"client_secret=plain%2Fsecret":      "client_secret=[hidden]",
		"a\r\n\x1b[31m b\xff":               "a [31m b",
		"token dapi0123456789abcdef":        "token [hidden]",
		"jwt eyJhbGciOiJSUzI1.eyJz.s_":      "jwt [hidden]",
		"Authorization: Basic aWQ6c2VjcmV0": "Authorization: [hidden]",
		"service principal 42 is inactive":  "service principal 42 is inactive",
	} {
		if got := x.clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
	if got := []rune(x.clean(strings.Repeat("é", 5000))); len(got) != 201 {
		t.Errorf("%d characters", len(got))
	}
}

func TestRetryAfter(t *testing.T) {
	now := newClock().now()
	for in, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "999999999999": 24 * time.Hour, "9999999": 24 * time.Hour,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {in}}, now); got != want {
			t.Errorf("Retry-After %q: %v, want %v", in, got, want)
		}
	}
}

func TestSkew(t *testing.T) {
	c := newClock()
	x := explainer{now: c.now}
	for d, want := range map[time.Duration]string{
		0: "", 4 * time.Minute: "", 2 * time.Hour: "2h0m0s ahead of", -30 * time.Minute: "30m0s behind",
	} {
		h := http.Header{"Date": {c.now().Add(-d).Format(http.TimeFormat)}}
		if got := x.skew(h); !strings.Contains(got, want) || want == "" && got != "" {
			t.Errorf("skew of %v: %q, want %q", d, got, want)
		}
	}
	if got := x.skew(http.Header{}); got != "" {
		t.Errorf("without a date: %q", got)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"work", "prod-eu", "prod-us", "DEFAULT"}
	for in, want := range map[string]string{
		"wrok": "[work]", "WORK": "[work]", "prod": "[prod-eu prod-us]", "default": "[DEFAULT]", "zzz": "[]", "": "[]",
	} {
		if got := fmt.Sprint(nearest(in, names)); got != want {
			t.Errorf("nearest(%q) = %s, want %s", in, got, want)
		}
	}
}
