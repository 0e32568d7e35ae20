package auth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// isBearer tells whether a string can stand behind "Bearer " in a header.
func isBearer(token string) bool {
	return token != "" && len(token) <= 64<<10 && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// tokenAnswer is what the token services outside of Databricks answer. Times
// are numbers or numbers in quotes.
type tokenAnswer struct {
	AccessToken string      `json:"access_token"`
	ExpiresOn   json.Number `json:"expires_on"` // seconds since 1970
	ExpiresIn   json.Number `json:"expires_in"` // seconds from now

	// of an error
	Error            string `json:"error"`
	ErrorDescription string `json:"error_description"`
}

// longestLife bounds what an answer may claim, so that no year 1 or 292277026596
// overflows anything; nobody issues such tokens.
const longestLife = 30 * 24 * time.Hour

// life is how long the token lives from now: 0 if the answer does not say,
// negative if it is over already.
func (a tokenAnswer) life(now time.Time) time.Duration {
	if on, err := a.ExpiresOn.Int64(); err == nil {
		return lifeUntil(time.Unix(max(0, min(on, 1<<40)), 0), now)
	}
	if in, err := a.ExpiresIn.Int64(); err == nil {
		limit := int64(longestLife / time.Second)
		return time.Duration(max(-limit, min(in, limit))) * time.Second
	}
	return 0
}

// lifeUntil is never 0, which would mean unknown.
func lifeUntil(expiry, now time.Time) time.Duration {
	d := max(-longestLife, min(expiry.Sub(now.Round(0)), longestLife))
	if d == 0 {
		d = -1
	}
	return d
}

// fetchJSON sends a request to a token service and reads a small JSON answer
// into doc, whatever the status. An answer that is not JSON leaves doc alone.
// The error is that of the network.
func fetchJSON(client *http.Client, req *http.Request, doc any) (*http.Response, error) {
	req.Header.Set("Accept", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	_ = json.NewDecoder(bytes.NewReader(body)).Decode(doc)
	return resp, nil
}

// direct is the client without a proxy: the metadata services of a cloud or a
// tool are on this machine or next to it, and what they answer is nobody
// else's business.
func direct(c *http.Client) *http.Client {
	own := noRedirects(c)
	base := own.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	if t, ok := base.(*http.Transport); ok {
		t = t.Clone()
		t.Proxy = nil
		own.Transport = t
	}
	return own
}

// timedOut tells whether a call ended because its time was over.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
