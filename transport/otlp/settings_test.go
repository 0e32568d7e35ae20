package otlp

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	const on = "OTEL_EXPORTER_OTLP_ENDPOINT=http://c:4318"
	tests := []struct {
		env  []string
		want string // endpoint, "off", or of the error
	}{
		{nil, "off"},
		{[]string{"OTEL_LOGS_EXPORTER=otlp"}, "http://localhost:4318/v1/logs"},
		{[]string{on}, "http://c:4318/v1/logs"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=https://c/base/"}, "https://c/base/v1/logs"},
		{[]string{on, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=https://logs/x"}, "https://logs/x"},
		{[]string{on, "OTEL_LOGS_EXPORTER=none"}, "off"},
		{[]string{on, "OTEL_SDK_DISABLED=TRUE"}, "off"},
		{[]string{on, "OTEL_SDK_DISABLED=1"}, "http://c:4318/v1/logs"}, // the specification: true alone
		{[]string{on, "OTEL_LOGS_EXPORTER=console"}, `OTEL_LOGS_EXPORTER: "console" is not supported: use otlp or none`},
		{[]string{on, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: grpc is not supported: use http/protobuf"},
		{[]string{on, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=http/json"}, "http://c:4318/v1/logs"},
		{[]string{on, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=xml"}, `OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: "xml" is not supported`},
		{[]string{on, "OTEL_EXPORTER_OTLP_COMPRESSION=zstd"}, `OTEL_EXPORTER_OTLP_COMPRESSION: "zstd" is not supported: use gzip or none`},
		{[]string{on, "OTEL_EXPORTER_OTLP_TIMEOUT=10s"}, `OTEL_EXPORTER_OTLP_TIMEOUT: "10s" is not a whole number above 0`},
		{[]string{on, "OTEL_BLRP_MAX_QUEUE_SIZE=0"}, `OTEL_BLRP_MAX_QUEUE_SIZE: "0"`},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=c:4318/hunter2"}, "OTEL_EXPORTER_OTLP_ENDPOINT: it is not a URL"},
		{[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://ana:hunter2@c:x"}, "OTEL_EXPORTER_OTLP_ENDPOINT: it is not a URL"},
		{[]string{on, "OTEL_EXPORTER_OTLP_HEADERS=a=b,hunter2"}, "OTEL_EXPORTER_OTLP_HEADERS: entry 2 is not of the form name=value"},
		{[]string{on, "OTEL_EXPORTER_OTLP_HEADERS=a=hunter2%0a"}, "OTEL_EXPORTER_OTLP_HEADERS: entry 1"},
		{[]string{on, "OTEL_EXPORTER_OTLP_HEADERS=a b=hunter2"}, "OTEL_EXPORTER_OTLP_HEADERS: entry 1"},
		{[]string{on, "OTEL_EXPORTER_OTLP_CERTIFICATE=/does/not/exist.pem"}, "OTEL_EXPORTER_OTLP_CERTIFICATE: open /does/not/exist.pem"},
		{[]string{on, "OTEL_EXPORTER_OTLP_CLIENT_KEY=/does/not/exist.pem"}, "OTEL_EXPORTER_OTLP_CLIENT_KEY: client certificates are not supported"},
	}
	for _, test := range tests {
		s, warning, err := readSettings(environmentOf(test.env...), "1")
		got := "off"
		switch {
		case err != nil:
			got = err.Error()
		case s != nil:
			got = s.endpoint.String()
		}
		if !strings.HasPrefix(got, test.want) || warning != "" {
			t.Errorf("%v: got %q %q, want %q", test.env, got, warning, test.want)
		}
		noSecret(t, got)
		if e, err2 := New(Config{Getenv: environmentOf(test.env...)}); (err2 == nil) != (err == nil) || (e == nil) != (s == nil || err != nil) {
			t.Errorf("%v: New gives %v, %v", test.env, e, err2)
		}
	}
}

func TestDefaults(t *testing.T) {
	s, warning, err := readSettings(environmentOf("OTEL_LOGS_EXPORTER=otlp", "OTEL_RESOURCE_ATTRIBUTES=a=b,c"), "1.2.3")
	if err != nil || !strings.Contains(warning, "OTEL_RESOURCE_ATTRIBUTES is ignored") {
		t.Fatal(warning, err)
	}
	if s.timeout != 10*time.Second || s.queue != 2048 || s.batch != 512 || s.delay != time.Second || s.asJSON || s.gzip || s.tls != nil || len(s.header) > 0 {
		t.Errorf("%+v", s)
	}
	if len(s.resource) != 2 || s.resource[0].key != "service.name" || s.resource[0].value.text != "brickmcp" {
		t.Errorf("%+v", s.resource)
	}
}

func TestCertificateFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(name, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := readSettings(environmentOf("OTEL_LOGS_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_CERTIFICATE="+name), "")
	if err == nil || !strings.Contains(err.Error(), "holds no certificate in PEM") {
		t.Error(err)
	}
}

// TestNothing: an exporter that is not wanted may be used like any other.
func TestNothing(t *testing.T) {
	var e *Exporter
	e.Export(nil)
	if err := e.Close(context.Background()); err != nil {
		t.Error(err)
	}
	unused, _ := newExporter(t, nil, "OTEL_LOGS_EXPORTER=otlp")
	for range 2 {
		if err := unused.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}
