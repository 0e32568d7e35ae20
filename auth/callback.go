package auth

import (
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// callback is what the browser brings back from the authorization endpoint.
type callback struct {
	state  string
	code   string // "" when failure is set
	issuer string // RFC 9207; "" if the server does not send it

	failure     string // the error code
	description string // text of the server, or of anybody: not to be trusted
}

// What is wrong with a redirect, before anything is known about its sender.
var (
	errEmptyCallback  = errors.New("the address carries no answer")
	errBadCallback    = errors.New("the address is not one that a sign-in ends on")
	errDoubleCallback = errors.New("the address carries the same parameter twice")
	errWrongState     = errors.New("the answer belongs to another sign-in")
)

const maxCallback = 16 << 10 // bytes of a query; a real one has some hundred

// printable ASCII without spaces: fit for a form.
var opaque = pattern(`^[!-~]+$`)

// parseCallback reads the query of a redirect. A good result has a state, and
// either a code or a failure. No error quotes the input.
func parseCallback(query string) (callback, error) {
	if query == "" {
		return callback{}, errEmptyCallback
	}
	if len(query) > maxCallback {
		return callback{}, errBadCallback
	}
	q, err := url.ParseQuery(query)
	if err != nil {
		return callback{}, errBadCallback
	}
	one := func(name string) string {
		if len(q[name]) > 1 {
			err = errDoubleCallback
		}
		return q.Get(name)
	}
	c := callback{
		state: one("state"), code: one("code"), issuer: one("iss"),
		failure: one("error"), description: one("error_description"),
	}
	switch {
	case err != nil:
		return callback{}, err
	case c.state == "" && c.code == "" && c.failure == "":
		return callback{}, errEmptyCallback
	case !opaque().MatchString(c.state), c.code != "" && !opaque().MatchString(c.code), (c.code == "") == (c.failure == ""):
		return callback{}, errBadCallback
	case c.failure != "" && !oauthCode().MatchString(c.failure):
		c.failure = "unknown_error"
	}
	return c, nil
}

// belongs compares in constant time.
func (c callback) belongs(state string) bool {
	return subtle.ConstantTimeCompare([]byte(c.state), []byte(state)) == 1
}

// refuseRequest returns the status and the reason to refuse a request to the
// redirect listener, 0 if it may go on. Any web page and any program on this
// machine can send requests here, and a name of an attacker's can be made to
// point here (DNS rebinding); the answer of a sign-in comes in one shape only.
func refuseRequest(r *http.Request, port int) (status int, why string) {
	name, p, err := net.SplitHostPort(r.Host)
	if err != nil || !isLoopback(name) || p != strconv.Itoa(port) {
		return http.StatusForbidden, "This address answers only as localhost."
	}
	if r.URL.Path != "/" {
		return http.StatusNotFound, "There is nothing at this address."
	}
	if r.Method != http.MethodGet {
		return http.StatusMethodNotAllowed, "This address only takes what a browser sends at the end of a sign-in."
	}
	// Browsers say what they want a page for. An image or a script of some web
	// page is none of our business. Older browsers say nothing.
	if d := r.Header.Get("Sec-Fetch-Dest"); d != "" && d != "document" {
		return http.StatusForbidden, "This address is opened by a browser at the end of a sign-in, not by other web pages."
	}
	return 0, ""
}
