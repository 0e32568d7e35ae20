package rest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"brickmcp/catalog"
)

// maxComplaint is how much of a storage's error is looked at.
const maxComplaint = 4 << 10

// Link opens a presigned link of a result: a GET without Authorization or
// cookies, with the headers that the API gave for it (contract sql.md). The
// link is a secret in itself and in no error. The body is the caller's to close;
// it ends with an error when no byte moves for a minute. Errors are a
// *catalog.Error; errors.Is(err, catalog.ErrLinkExpired) asks for a fresh link.
func (c *Client) Link(ctx context.Context, link string, headers map[string]string) (io.ReadCloser, error) {
	target, err := url.Parse(link)
	if err != nil || target.Host == "" || target.User != nil || checkScheme(target, "a link") != nil {
		return nil, &catalog.Error{Kind: catalog.Down, Message: "the workspace gave a link to result data that is not an https URL, and it was not opened", Advice: "Run the statement with disposition INLINE."}
	}
	end := time.Now().Add(retryBudget)
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(end) {
		end = deadline
	}
	history := history{}
	for {
		body, f := c.open(ctx, target, headers)
		if f == nil {
			return body, nil
		}
		history.tries++
		again, wait := history.next(linkCall, f, end)
		if !again {
			return nil, f.Error
		}
		if err := c.pause(ctx, "reading result data: "+because(f), wait); err != nil {
			return nil, gaveUp(ctx, linkCall, unsent, f).Error
		}
	}
}

// linkCall stands for the request in messages and in the question of repeats.
var linkCall = &catalog.Call{Row: &catalog.Row{Name: "reading result data", Effect: catalog.Read, Method: http.MethodGet}}

// open asks the storage once.
func (c *Client) open(ctx context.Context, target *url.URL, headers map[string]string) (io.ReadCloser, *failure) {
	w := newWatch(ctx, inactivity)
	req := (&http.Request{Method: http.MethodGet, URL: target, Host: target.Host, Header: make(http.Header, len(headers)+1), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(w.ctx)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		f := linkBroken(w.ctx, bare(err))
		w.stop()
		return nil, f
	}
	if resp.StatusCode == http.StatusOK {
		return &stream{body: resp.Body, watch: w}, nil
	}
	said, _ := io.ReadAll(io.LimitReader(resp.Body, maxComplaint))
	resp.Body.Close()
	w.stop()
	return nil, linkRefused(resp, said)
}

func linkBroken(ctx context.Context, err error) *failure {
	if ctx.Err() != nil {
		return gaveUp(ctx, linkCall, unsent, nil)
	}
	problem, advice, permanent := diagnose(err)
	return &failure{Error: &catalog.Error{
		Kind:    catalog.Down,
		Message: "the cloud storage that holds the result data " + problem,
		Advice:  advice + " Or run the statement with disposition INLINE, which does not need the storage.",
	}, fate: lost, tries: networkTries, quick: true, final: permanent}
}

// linkRefused explains a status; what the storage says may quote the link and
// is looked at only.
func linkRefused(resp *http.Response, said []byte) *failure {
	e := &catalog.Error{Kind: catalog.Down, Status: resp.StatusCode, Message: "the cloud storage that holds the result data answered HTTP " + strconv.Itoa(resp.StatusCode)}
	e.Advice = "Ask for the chunk again, or run the statement with disposition INLINE."
	f := &failure{Error: e, fate: refused, after: retryAfter(resp.Header, time.Now())}
	switch s := resp.StatusCode; {
	case s == http.StatusForbidden, s == http.StatusBadRequest && strings.Contains(strings.ToLower(string(said)), "expire"):
		e.Kind, e.Err = catalog.Busy, catalog.ErrLinkExpired
		e.Message = "the link to the result data has expired, or this network may not use it"
	case s == http.StatusTooManyRequests, s == http.StatusServiceUnavailable:
		f.fate = rejected
	case s == http.StatusRequestTimeout, s >= 500:
		f.fate, f.tries = failed, serverTries
	case s == http.StatusNotFound:
		e.Kind = catalog.Missing
		e.Message = "the result data is no longer in the cloud storage"
		e.Advice = "Run the statement again."
	}
	return f
}
