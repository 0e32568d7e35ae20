package auth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// metadataTimeout bounds a question to a metadata service, which is near.
const metadataTimeout = 10 * time.Second

// checkMetadataService: whoever listens there decides who is signed in, so
// only a service of this machine will do. The path is as good as a password
// and never shown.
func checkMetadataService(_ Host, s settings) error {
	u, err := url.Parse(s.values["metadata_service_url"])
	if err == nil && u.User == nil && u.Scheme == "http" && isLoopback(u.Hostname()) {
		return nil
	}
	return &Error{
		Message: fmt.Sprintf("metadata_service_url (%s) is not an http URL of this machine (localhost or 127.0.0.1).", s.sources["metadata_service_url"]),
		Advice:  "The tool that offers the metadata service sets it; start this server from that tool, or unset it.",
	}
}

// newMetadataService takes tokens from a Databricks tool on this machine.
func newMetadataService(s signIn) tokenSource {
	address, client, now := s.settings.values["metadata_service_url"], direct(s.options.HTTPClient), s.options.Now
	const name = "The metadata service of this machine (DATABRICKS_METADATA_SERVICE_URL)"
	fetch := func(ctx context.Context) (granted, error) {
		ctx, cancel := context.WithTimeout(ctx, metadataTimeout)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return granted{}, &Error{Message: name + " has no valid URL.", Advice: "Unset it."}
		}
		req.Header.Set("X-Databricks-Metadata-Version", "1")
		req.Header.Set("X-Databricks-Host", s.id.Host)
		var doc tokenAnswer
		resp, err := fetchJSON(client, req, &doc)
		if err != nil {
			return granted{}, &Error{ // without err, which quotes the URL
				Message:   name + " does not answer.",
				Advice:    "The tool that offers it has probably ended: start this server from that tool again.",
				Temporary: true,
			}
		}
		return doc.granted(resp, serviceAnswer{
			name: name, now: now,
			refused: fmt.Sprintf("It signs in to one host only: check that this is %s. Otherwise sign in again in the tool that offers it.", s.id.Host),
		})
	}
	return &refresher{fetch: fetch, now: now, pause: pause, stale: &Error{
		Message: fmt.Sprintf("%s refuses the tokens of the metadata service of this machine.", s.id.Host),
		Advice:  "Sign in again in the tool that offers the metadata service.",
	}}
}

// serviceAnswer is how to speak of an answer.
type serviceAnswer struct {
	name    string
	refused string // advice for a 4xx
	early   time.Duration
	now     func() time.Time
}

// granted makes a token of the answer, or an *Error.
func (a tokenAnswer) granted(resp *http.Response, s serviceAnswer) (granted, error) {
	switch {
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return granted{}, &Error{
			Message: fmt.Sprintf("%s answered with HTTP %d.", s.name, resp.StatusCode), Advice: "Try again in a minute.",
			Temporary: true, retryAfter: retryAfter(resp.Header, s.now()),
		}
	case resp.StatusCode != http.StatusOK:
		return granted{}, &Error{Message: fmt.Sprintf("%s gave no token: HTTP %d.", s.name, resp.StatusCode), Advice: s.refused}
	case !isBearer(a.AccessToken):
		return granted{}, &Error{Message: s.name + " answered with something that is not a token.", Advice: s.refused}
	}
	life := a.life(s.now())
	if life != 0 {
		life -= s.early
		if life <= 0 {
			return granted{}, &Error{
				Message: fmt.Sprintf("%s gave a token that has expired, by the clock of this machine (%s).", s.name, s.now().UTC().Format(time.RFC3339)),
				Advice:  "If that time is wrong, set the clock.", Temporary: true,
			}
		}
	}
	return granted{token: a.AccessToken, life: life}, nil
}
