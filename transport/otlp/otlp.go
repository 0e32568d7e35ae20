// Package otlp exports audit lines as OpenTelemetry log records over OTLP/HTTP,
// as the standard environment variables ask for: OTEL_SDK_DISABLED,
// OTEL_LOGS_EXPORTER, OTEL_EXPORTER_OTLP_[LOGS_]ENDPOINT, HEADERS, TIMEOUT,
// PROTOCOL (http/protobuf or http/json), COMPRESSION and CERTIFICATE,
// OTEL_BLRP_MAX_QUEUE_SIZE, MAX_EXPORT_BATCH_SIZE and SCHEDULE_DELAY,
// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES.
//
// The audit log is the record; the export is a copy that may have gaps when
// the collector is away for long. Gaps are told in the server's log, and show
// in the prev attributes of the lines that did arrive.
package otlp

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Config is what an Exporter is made of.
type Config struct {
	Getenv    func(string) string // the OTEL_ variables are read through it
	Version   string              // service.version
	Log       *zap.Logger         // nil: none
	Transport http.RoundTripper   // nil: one of its own, with the environment's proxy
}

// Exporter sends audit lines to a collector, in the background. A nil
// *Exporter sends nothing.
type Exporter struct {
	settings *settings
	client   *http.Client
	log      *zap.Logger
	version  string

	wake    chan struct{} // something is queued; holds one
	full    chan struct{} // a batch is queued; holds one
	closing chan struct{}
	closed  sync.Once
	done    chan struct{} // the worker has ended
	ctx     context.Context
	cancel  context.CancelFunc

	mu      sync.Mutex
	started bool
	queue   [][]byte
	dropped int // lines that found no room, not yet told

	failing bool      // of the worker: the last request failed
	told    time.Time // when the worker last told of a refusal
}

// New reads the standard variables. It returns nil and no error when they ask
// for no export, and an error that names the variable when one cannot be
// followed. It touches no network.
func New(cfg Config) (*Exporter, error) {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	s, warning, err := readSettings(cfg.Getenv, cfg.Version)
	if s == nil || err != nil {
		return nil, err
	}
	if warning != "" {
		cfg.Log.Warn(warning)
	}
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: s.tls, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 1, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		}
	}
	e := &Exporter{
		settings: s, log: cfg.Log, version: cfg.Version,
		client: &http.Client{Transport: cfg.Transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // another host must not get the headers
		}},
		wake: make(chan struct{}, 1), full: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e, nil
}

// Export queues one audit line, which must not change afterwards. It never
// blocks: when the queue is full, the oldest line gives way.
func (e *Exporter) Export(line []byte) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.closing:
		return
	default:
	}
	if !e.started {
		e.started = true
		go e.work()
	}
	if len(e.queue) >= e.settings.queue {
		e.queue[0] = nil
		e.queue = e.queue[1:]
		e.dropped++
	}
	e.queue = append(e.queue, line)
	signal(e.wake)
	if len(e.queue) >= e.settings.batch {
		signal(e.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is signalled already
	}
}

// Close sends what is queued, for as long as ctx lasts and at most for the
// time of one request. Its error says how many lines were not sent.
func (e *Exporter) Close(ctx context.Context) error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	e.closed.Do(func() { close(e.closing) })
	started := e.started
	e.mu.Unlock()
	defer e.client.CloseIdleConnections()
	defer e.cancel()
	if !started {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.settings.timeout)
	defer cancel()
	select {
	case <-e.done:
	case <-ctx.Done():
		e.cancel()
		<-e.done
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if left := len(e.queue); left > 0 {
		return fmt.Errorf("%d audit lines were not exported to %s: the collector did not take them in time; the audit file has them", left, e.settings.endpoint.Host)
	}
	return nil
}

// work sends batches: a full one at once, others after the delay.
func (e *Exporter) work() {
	defer close(e.done)
	for {
		select {
		case <-e.wake:
		case <-e.closing:
		}
		delay := time.NewTimer(e.settings.delay)
		select {
		case <-delay.C:
		case <-e.full:
		case <-e.closing:
		}
		delay.Stop()
		for e.sendNext() {
		}
		select {
		case <-e.closing: // and nothing is queued any more after it
			return
		default:
		}
	}
}

// sendNext sends the oldest lines. It reports false when there are none, or
// when the time to close is over: then they stay.
func (e *Exporter) sendNext() bool {
	e.mu.Lock()
	batch := e.queue[:min(len(e.queue), e.settings.batch)]
	e.queue = e.queue[len(batch):]
	dropped := e.dropped
	e.dropped = 0
	e.mu.Unlock()
	if dropped > 0 {
		e.log.Warn("audit lines were not exported, because the collector is slow or away; the audit file has them",
			zap.Int("lines", dropped), zap.String("collector", e.settings.endpoint.Host))
	}
	if len(batch) == 0 {
		return false
	}
	if e.send(batch) {
		return true
	}
	e.mu.Lock()
	e.queue = append(append([][]byte{}, batch...), e.queue...)
	e.mu.Unlock()
	return false
}
