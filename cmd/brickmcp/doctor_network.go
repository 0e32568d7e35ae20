package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"brickmcp/auth"
)

const (
	goos            = runtime.GOOS
	externalBrowser = "external-browser"

	lookupTime  = 4 * time.Second
	connectTime = 6 * time.Second

	// The limits of a clock's error: tokens are good from the second they are
	// issued, and providers allow some minutes at most.
	skewSeen = 60 * time.Second
	skewMost = 300 * time.Second
)

func (d *doctor) hostURL() *url.URL {
	u, err := url.Parse(d.host)
	if err != nil {
		panic("a normalised host is a URL: " + err.Error())
	}
	return u
}

// checkProxy tells which proxy the environment names, and whether it is used.
func (d *doctor) checkProxy(context.Context) finding {
	req := &http.Request{Method: http.MethodGet, URL: d.hostURL()}
	used, err := d.proxy(req)
	if err != nil { // the error quotes the setting, which may hold a password
		return broken("Write it as http://proxy.example.com:3128, or unset it.", "HTTPS_PROXY is set, and is not the address of a proxy.")
	}
	either := func(name string) bool { return d.getenv(name) != "" || d.getenv(strings.ToLower(name)) != "" }
	switch {
	case used != nil:
		d.through = used.Scheme + "://" + used.Host
		return fine("Requests go through the proxy %s.", d.through)
	case either("HTTPS_PROXY"):
		return fine("A proxy is set (HTTPS_PROXY), but not used for this host (NO_PROXY, or the host is this machine).")
	case req.URL.Scheme == "https" && either("ALL_PROXY"):
		return doubtful("Set HTTPS_PROXY to the same address.", "ALL_PROXY is set, which this program does not read: requests go without a proxy.")
	case req.URL.Scheme == "https" && either("HTTP_PROXY"):
		return doubtful("If this network needs the proxy, set HTTPS_PROXY too.", "Only HTTP_PROXY is set, which does not count for https: requests go without a proxy.")
	}
	return fine("No proxy is set.")
}

func (d *doctor) checkDNS(ctx context.Context) finding {
	name := d.hostURL().Hostname()
	switch {
	case d.through != "":
		return fine("The proxy looks up %s.", name)
	case net.ParseIP(name) != nil:
		return fine("%s is an address.", name)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	found, err := d.resolve(ctx, name)
	if err != nil {
		var dns *net.DNSError
		if !errors.As(err, &dns) {
			err = &net.DNSError{Err: "lookup failed", Name: name} // whatever it was, a lookup did it
		}
		return brokenBy(auth.ExplainNetwork(d.host, err, d.now))
	}
	more := ""
	if len(found) > 1 {
		more = fmt.Sprintf(" and %d more", len(found)-1)
	}
	return fine("%s is at %s%s.", name, found[0], more)
}

// checkTLS makes the first request; its answer also tells the time.
func (d *doctor) checkTLS(ctx context.Context) finding {
	if f := d.certificateFile(); f.Status != "" {
		return f
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = d.proxy
	transport.DisableKeepAlives = true
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ctx, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.host+"/.well-known/databricks-config", nil)
	if err != nil {
		return broken("", "No request can be made to %s.", d.host)
	}
	resp, err := client.Do(req)
	if err != nil {
		return d.unreachable(err)
	}
	defer resp.Body.Close()
	d.heard = d.now()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // the headers have all we need
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		d.date = date
	}
	if resp.StatusCode == http.StatusProxyAuthRequired {
		return broken("Put user and password into HTTPS_PROXY, or add the host to NO_PROXY.", "The proxy %s wants a sign-in of its own.", d.through)
	}
	if resp.TLS == nil {
		return fine("%s answers. It is plain http, which is for this machine only.", d.host)
	}
	by := ""
	if chain := resp.TLS.PeerCertificates; len(chain) > 0 {
		by = fmt.Sprintf(", with a certificate by %s until %s", issuer(chain[0]), chain[0].NotAfter.UTC().Format(time.DateOnly))
	}
	return fine("%s answers over %s%s.", d.host, tls.VersionName(resp.TLS.Version), by)
}

func issuer(c *x509.Certificate) string {
	if len(c.Issuer.Organization) > 0 {
		return c.Issuer.Organization[0]
	}
	return c.Issuer.CommonName
}

func (d *doctor) unreachable(err error) finding {
	f := brokenBy(auth.ExplainNetwork(d.host, err, d.now))
	var unknown x509.UnknownAuthorityError
	switch {
	case strings.Contains(err.Error(), "Proxy Authentication Required"):
		return broken("Put user and password into HTTPS_PROXY, or add the host to NO_PROXY.", "The proxy %s wants a sign-in of its own.", d.through)
	case errors.As(err, &unknown) && (d.system == "darwin" || d.system == "windows"):
		f.Fix = "Behind a proxy that inspects TLS, add the company's CA to the certificate store of the system."
	}
	if d.through != "" {
		f.Message += " The request went through the proxy " + d.through + "."
	}
	return f
}

// certificateFile finds a SSL_CERT_FILE that Go would pass over in silence. The
// zero finding means that nothing is wrong with it.
func (d *doctor) certificateFile() finding {
	path := d.getenv("SSL_CERT_FILE")
	if path == "" || d.hostURL().Scheme != "https" || d.system == "darwin" || d.system == "windows" {
		return finding{} // there the system's own store counts
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return broken("Correct the path, or unset SSL_CERT_FILE.", "The file of certificate authorities %s (SSL_CERT_FILE) cannot be read.", path)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(data) {
		return broken("Put certificates in PEM form into it (-----BEGIN CERTIFICATE-----), or unset SSL_CERT_FILE.", "The file %s (SSL_CERT_FILE) holds no certificate.", path)
	}
	return finding{}
}

func (d *doctor) checkClock(context.Context) finding {
	if d.date.IsZero() {
		return doubtful("Check by hand that the clock of this machine is right.", "The host does not tell the time.")
	}
	skew := d.heard.Round(0).Sub(d.date)
	way := "ahead of"
	if skew < 0 {
		way = "behind"
	}
	const fix = "Set the clock of this machine, best by NTP."
	switch {
	case skew.Abs() > skewMost:
		return broken(fix, "The clock of this machine is %s %s that of the host: tokens look expired or not yet valid.", skew.Abs().Round(time.Second), way)
	case skew.Abs() > skewSeen:
		return doubtful(fix, "The clock of this machine is %s %s that of the host.", skew.Abs().Round(time.Second), way)
	}
	return fine("The clock of this machine agrees with that of the host within a minute.")
}

// here are the options of a sign-in to the host that was found.
func (d *doctor) here() auth.Options {
	o := d.options
	if d.host != "" {
		o.Host = d.host
	}
	if d.id != nil && d.id.AccountID != "" {
		o.Host += "?account_id=" + url.QueryEscape(d.id.AccountID)
	}
	return o
}

func (d *doctor) checkDiscovery(ctx context.Context) finding {
	found, err := auth.CheckEndpoints(ctx, d.here())
	if err == nil {
		return fine("Users sign in at %s.", found.Authorization)
	}
	f := brokenBy(err)
	if d.id != nil && d.id.AuthType == "pat" {
		f.Status = statusWarning
		f.Message += " A personal access token does not need it."
	}
	return f
}
