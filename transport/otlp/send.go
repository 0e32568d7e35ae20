package otlp

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.uber.org/zap"
)

const (
	firstPause  = time.Second
	longPause   = 30 * time.Second
	longestTold = 5 * time.Minute // that Retry-After may ask for
	tellEvery   = time.Minute     // refusals
)

// send sends one batch, again and again while the collector is away: the
// queue behind it is bounded. It reports false when the time to close is over;
// a batch that the collector refuses for good is told and done with.
func (e *Exporter) send(batch [][]byte) bool {
	records := make([]record, len(batch))
	for i, line := range batch {
		records[i] = parse(line)
	}
	body := e.encode(records)
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = firstPause, longPause
	for {
		f := e.post(body)
		if f == nil {
			if e.failing {
				e.failing = false
				e.log.Info("the collector takes audit lines again", zap.String("collector", e.settings.endpoint.Host))
			}
			return true
		}
		if e.ctx.Err() != nil {
			return false
		}
		if !f.again {
			if now := time.Now(); now.Sub(e.told) >= tellEvery {
				e.told = now
				e.log.Warn("the collector refuses audit lines; the audit file has them",
					zap.String("collector", e.settings.endpoint.Host), zap.Int("lines", len(batch)), zap.String("why", f.why))
			}
			return true
		}
		if !e.failing {
			e.failing = true
			e.log.Warn("audit lines cannot be exported now; it will be tried again",
				zap.String("collector", e.settings.endpoint.Host), zap.String("why", f.why))
		}
		if !e.pause(max(pauses.NextBackOff(), f.after)) {
			return false
		}
	}
}

// pause waits; false: the time to close is over. While closing it waits for
// less, as there is little time.
func (e *Exporter) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.ctx.Done():
		return false
	case <-e.closing:
	}
	short := time.NewTimer(min(d, e.settings.timeout/20))
	defer short.Stop()
	select {
	case <-short.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}

func (e *Exporter) encode(records []record) []byte {
	encode := encodeProtobuf
	if e.settings.asJSON {
		encode = encodeJSON
	}
	body := encode(e.settings.resource, records, time.Now())
	if !e.settings.gzip {
		return body
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(body) // a bytes.Buffer takes all
	_ = z.Close()
	return packed.Bytes()
}

// failed is why a batch was not taken. It holds no secret.
type failed struct {
	why   string
	again bool          // it may be taken later
	after time.Duration // that the collector asks to wait
}

// post sends one request; nil: the collector has the batch.
func (e *Exporter) post(body []byte) *failed {
	ctx, cancel := context.WithTimeout(e.ctx, e.settings.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.settings.endpoint.String(), bytes.NewReader(body))
	if err != nil {
		return &failed{why: "the endpoint is not a URL"}
	}
	request.Header.Set("User-Agent", strings.TrimSuffix("brickmcp/"+e.version, "/"))
	for name, values := range e.settings.header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	if e.settings.asJSON {
		request.Header.Set("Content-Type", "application/json")
	}
	if e.settings.gzip {
		request.Header.Set("Content-Encoding", "gzip")
	}
	response, err := e.client.Do(request)
	if err != nil {
		return &failed{why: withoutURL(err), again: true}
	}
	defer response.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return &failed{why: response.Status, again: true, after: retryAfter(response.Header.Get("Retry-After"), time.Now())}
	}
	if response.StatusCode/100 != 2 {
		return &failed{why: response.Status}
	}
	e.partial(response.Header.Get("Content-Type"), answer)
	return nil
}

// partial tells of lines that the collector left out of what it took.
func (e *Exporter) partial(contentType string, answer []byte) {
	count, why := int64(0), ""
	if strings.HasPrefix(contentType, "application/json") {
		count, why = rejectedJSON(answer)
	} else {
		count, why = rejected(answer)
	}
	if count > 0 || why != "" {
		e.log.Warn("the collector rejected audit lines; the audit file has them",
			zap.String("collector", e.settings.endpoint.Host), zap.Int64("lines", count), zap.String("why", why[:min(len(why), 300)]))
	}
}

// withoutURL is a transport's error without the URL, which may hold a password.
func withoutURL(err error) string {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "it did not answer in time"
	}
	return fmt.Sprint(err)
}

// retryAfter reads seconds or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), longestTold)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(0, at.Sub(now)), longestTold)
	}
	return 0
}
