package auth

import (
	"context"
	"time"
)

// Endpoints are the OAuth endpoints of a host.
type Endpoints struct{ Authorization, Token string }

// CheckEndpoints finds the endpoints with which a person signs in to the host
// that the options name, as Login does. Errors are an *Error.
func CheckEndpoints(ctx context.Context, o Options) (Endpoints, error) {
	t, err := checkTarget(o)
	if err != nil {
		return Endpoints{}, err
	}
	o = o.withDefaults()
	x := explainer{host: t.key.Host, clientID: t.key.ClientID, now: o.Now}
	e := endpoints{client: noRedirects(o.HTTPClient), host: t.key.Host, accountID: t.key.AccountID, discoveryURL: t.discoveryURL, explain: x}
	where, err := e.both(ctx)
	return Endpoints{Authorization: where.authorization, Token: where.token}, err
}

// CheckPort opens the port on which a sign-in would end, and closes it again:
// the one that is set as oauth_callback_port, else the first free one of the
// usual. The error is an *Error.
func CheckPort(o Options) (port int, err error) {
	want := 0
	if t, err := checkTarget(o); err == nil {
		want = t.port
	}
	listeners, port, err := listenLoopback(want)
	for _, l := range listeners {
		_ = l.Close()
	}
	return port, err
}

// checkTarget does not mind that nothing could be stored.
func checkTarget(o Options) (target, error) {
	if o.StateDir == "" {
		o.StateDir = "unused"
	}
	return findTarget(o.withDefaults())
}

// ExplainNetwork says why the host of a workspace could not be reached: err is
// that of an http.Client. now is for certificates that are not valid at this time.
func ExplainNetwork(host string, err error, now func() time.Time) *Error {
	return explainer{host: host, now: now}.network(err)
}
