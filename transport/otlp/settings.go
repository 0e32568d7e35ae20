package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// settings are the standard variables, read.
// Source: the specification's "Environment variables" of the SDK and of the
// OTLP exporter. Of each OTEL_EXPORTER_OTLP_X, OTEL_EXPORTER_OTLP_LOGS_X wins.
type settings struct {
	endpoint *url.URL // its userinfo is a secret
	header   http.Header
	timeout  time.Duration // of one request
	asJSON   bool
	gzip     bool
	tls      *tls.Config // nil: the system's
	resource []attribute

	queue int           // lines that wait at most
	batch int           // lines in one request
	delay time.Duration // how long a line waits for others
}

// environment reads variables, and remembers the first that is wrong. Its
// messages never tell a value that may hold a secret.
type environment struct {
	getenv func(string) string
	err    error
}

func (e *environment) fail(name, format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...))
	}
}

// of is the value of OTEL_EXPORTER_OTLP_LOGS_what, or of the general variable,
// and the name of the one that has it.
func (e *environment) of(what string) (name, value string) {
	for _, name = range []string{"OTEL_EXPORTER_OTLP_LOGS_" + what, "OTEL_EXPORTER_OTLP_" + what} {
		if value = strings.TrimSpace(e.getenv(name)); value != "" {
			break
		}
	}
	return name, value
}

// number is a whole number above 0.
func (e *environment) number(name, value string, otherwise int) int {
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 || n > 1<<30 {
		e.fail(name, "%q is not a whole number above 0", value)
		return otherwise
	}
	return n
}

// wanted says whether the variables ask for an export.
func (e *environment) wanted() bool {
	if strings.EqualFold(strings.TrimSpace(e.getenv("OTEL_SDK_DISABLED")), "true") {
		return false
	}
	const name = "OTEL_LOGS_EXPORTER"
	switch value := strings.TrimSpace(e.getenv(name)); value {
	case "none":
		return false
	case "otlp":
		return true
	case "":
		_, endpoint := e.of("ENDPOINT")
		return endpoint != ""
	default:
		e.fail(name, "%q is not supported: use otlp or none", value)
		return true
	}
}

func readSettings(getenv func(string) string, version string) (s *settings, warning string, err error) {
	e := &environment{getenv: getenv}
	if !e.wanted() {
		return nil, "", nil
	}
	s = &settings{header: http.Header{}}
	s.endpoint = e.endpoint()
	e.headers(s.header)
	name, value := e.of("TIMEOUT")
	s.timeout = time.Duration(e.number(name, value, 10_000)) * time.Millisecond
	switch name, value := e.of("PROTOCOL"); value {
	case "", "http/protobuf":
	case "http/json":
		s.asJSON = true
	case "grpc":
		e.fail(name, "grpc is not supported: use http/protobuf (port 4318 of most collectors) or http/json")
	default:
		e.fail(name, "%q is not supported: use http/protobuf or http/json", value)
	}
	switch name, value := e.of("COMPRESSION"); value {
	case "", "none":
	case "gzip":
		s.gzip = true
	default:
		e.fail(name, "%q is not supported: use gzip or none", value)
	}
	s.tls = e.certificates()
	var badResource error
	if s.resource, badResource = e.resource(version); badResource != nil {
		warning = badResource.Error() // the specification: it is ignored as a whole
	}
	s.queue = e.number("OTEL_BLRP_MAX_QUEUE_SIZE", e.getenv("OTEL_BLRP_MAX_QUEUE_SIZE"), 2048)
	s.batch = min(s.queue, e.number("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", e.getenv("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"), 512))
	s.delay = time.Duration(e.number("OTEL_BLRP_SCHEDULE_DELAY", e.getenv("OTEL_BLRP_SCHEDULE_DELAY"), 1000)) * time.Millisecond
	return s, warning, e.err
}

// endpoint: that for logs is taken as it is, the general one gets /v1/logs.
func (e *environment) endpoint() *url.URL {
	name, value := e.of("ENDPOINT")
	if value == "" {
		value = "http://localhost:4318"
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		e.fail(name, "it is not a URL such as http://localhost:4318") // not told: it may hold a password
		return nil
	}
	if !strings.Contains(name, "_LOGS_") {
		u = u.JoinPath("v1", "logs")
	}
	u.Fragment = ""
	return u
}

// headers are key=value with commas between, percent-encoded.
func (e *environment) headers(into http.Header) {
	name, value := e.of("HEADERS")
	if value == "" {
		return
	}
	for i, pair := range strings.Split(value, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, ok := cutPair(pair)
		if !ok || !isToken(key) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			e.fail(name, "entry %d is not of the form name=value", i+1) // not told: it is a secret
			return
		}
		into.Set(key, value)
	}
}

func cutPair(pair string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(pair, "=")
	key, err1 := url.PathUnescape(strings.TrimSpace(key))
	value, err2 := url.PathUnescape(strings.TrimSpace(value))
	return key, value, ok && key != "" && err1 == nil && err2 == nil
}

// isToken: what may be the name of a header (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// certificates are those that the collector's is checked with. Client
// certificates are not supported: signing with them would add a quarter of a
// megabyte to the binary.
func (e *environment) certificates() *tls.Config {
	for _, what := range []string{"CLIENT_CERTIFICATE", "CLIENT_KEY"} {
		if name, value := e.of(what); value != "" {
			e.fail(name, "client certificates are not supported: send a token with OTEL_EXPORTER_OTLP_HEADERS, or to a collector on this machine")
		}
	}
	name, file := e.of("CERTIFICATE")
	if file == "" {
		return nil
	}
	roots := x509.NewCertPool()
	if pem, err := os.ReadFile(file); err != nil {
		e.fail(name, "%v", err)
	} else if !roots.AppendCertsFromPEM(pem) {
		e.fail(name, "%s holds no certificate in PEM", file)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
}

var errResource = errors.New("OTEL_RESOURCE_ATTRIBUTES is ignored: it is not of the form key=value,key=value")

// resource are the attributes of this service.
func (e *environment) resource(version string) ([]attribute, error) {
	var named []attribute
	var err error
	if list := strings.TrimSpace(e.getenv("OTEL_RESOURCE_ATTRIBUTES")); list != "" {
		for pair := range strings.SplitSeq(list, ",") {
			key, value, ok := cutPair(pair)
			if !ok {
				named, err = nil, errResource
				break
			}
			named = append(named, attribute{key, text(value)})
		}
	}
	set := func(key, value string, always bool) {
		for i := range named {
			if named[i].key == key {
				if always {
					named[i].value = text(value)
				}
				return
			}
		}
		named = append(named, attribute{key, text(value)})
	}
	if name := strings.TrimSpace(e.getenv("OTEL_SERVICE_NAME")); name != "" {
		set("service.name", name, true)
	}
	set("service.name", "brickmcp", false)
	if version != "" {
		set("service.version", version, false)
	}
	return named, err
}
