package otlp

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// collector is an OTLP/HTTP collector that decodes both forms into one.
type collector struct {
	*httptest.Server
	mu       sync.Mutex
	requests []request
	answer   func(w http.ResponseWriter, n int) // of the nth request, from 1; nil: all is well
}

type request struct {
	path, contentType string
	header            http.Header
	resource          map[string]string
	scope             string
	records           []received
}

// received is one log record as a collector sees it, values as text with
// their type before them.
type received struct {
	time, observed uint64
	severity       int
	severityText   string
	body           string
	attributes     map[string]string
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(body)
			if err != nil {
				t.Error(err)
				return
			}
			body = z
		}
		content, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
			return
		}
		got := request{path: r.URL.Path, contentType: r.Header.Get("Content-Type"), header: r.Header}
		if got.contentType == "application/json" {
			err = got.decodeJSON(content)
		} else {
			err = got.decodeProtobuf(content)
		}
		if err != nil {
			t.Error(err)
		}
		c.mu.Lock()
		c.requests = append(c.requests, got)
		n := len(c.requests)
		c.mu.Unlock()
		if c.answer != nil {
			c.answer(w, n)
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) got() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

func (r *request) decodeJSON(content []byte) error {
	type any struct {
		StringValue *string
		IntValue    *string
		DoubleValue *float64
		BoolValue   *bool
		ArrayValue  *struct {
			Values []struct{ StringValue string }
		}
	}
	type attributes []struct {
		Key   string
		Value any
	}
	show := func(v any) string {
		switch {
		case v.StringValue != nil:
			return *v.StringValue
		case v.IntValue != nil:
			return "int " + *v.IntValue
		case v.DoubleValue != nil:
			return fmt.Sprint("double ", *v.DoubleValue)
		case v.BoolValue != nil:
			return fmt.Sprint("bool ", *v.BoolValue)
		case v.ArrayValue != nil:
			list := "list"
			for _, item := range v.ArrayValue.Values {
				list += " " + item.StringValue
			}
			return list
		}
		return "nothing"
	}
	var message struct {
		ResourceLogs []struct {
			Resource  struct{ Attributes attributes }
			ScopeLogs []struct {
				Scope      struct{ Name string }
				LogRecords []struct {
					TimeUnixNano, ObservedTimeUnixNano string
					SeverityNumber                     int
					SeverityText                       string
					Body                               any
					Attributes                         attributes
				}
			}
		}
	}
	if err := json.Unmarshal(content, &message); err != nil {
		return err
	}
	logs := message.ResourceLogs[0]
	r.resource, r.scope = map[string]string{}, logs.ScopeLogs[0].Scope.Name
	for _, a := range logs.Resource.Attributes {
		r.resource[a.Key] = show(a.Value)
	}
	for _, record := range logs.ScopeLogs[0].LogRecords {
		got := received{severity: record.SeverityNumber, severityText: record.SeverityText, body: show(record.Body), attributes: map[string]string{}}
		got.time, _ = strconv.ParseUint(record.TimeUnixNano, 10, 64)
		got.observed, _ = strconv.ParseUint(record.ObservedTimeUnixNano, 10, 64)
		for _, a := range record.Attributes {
			got.attributes[a.Key] = show(a.Value)
		}
		r.records = append(r.records, got)
	}
	return nil
}

// field of a protobuf message: its number and what it holds.
type field struct {
	number  protowire.Number
	kind    protowire.Type
	value   uint64
	content []byte
}

func fields(b []byte) (out []field) {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			panic(protowire.ParseError(n))
		}
		b = b[n:]
		f := field{number: number, kind: kind}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.content, n = protowire.ConsumeBytes(b)
		default:
			panic(fmt.Sprint("unexpected wire type ", kind))
		}
		if n < 0 {
			panic(protowire.ParseError(n))
		}
		b = b[n:]
		out = append(out, f)
	}
	return out
}

func (r *request) decodeProtobuf(content []byte) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("protobuf: %v", p)
		}
	}()
	expect := func(f field, number protowire.Number, kind protowire.Type) field {
		if f.number != number || f.kind != kind {
			panic(fmt.Sprintf("field %d of type %d, want %d of type %d", f.number, f.kind, number, kind))
		}
		return f
	}
	show := func(b []byte) string {
		f := fields(b)[0]
		switch f.number {
		case 1:
			return string(expect(f, 1, protowire.BytesType).content)
		case 2:
			return fmt.Sprint("bool ", expect(f, 2, protowire.VarintType).value != 0)
		case 3:
			return fmt.Sprint("int ", int64(expect(f, 3, protowire.VarintType).value))
		case 4:
			return fmt.Sprint("double ", math.Float64frombits(expect(f, 4, protowire.Fixed64Type).value))
		case 5:
			list := []string{"list"}
			for _, item := range fields(expect(f, 5, protowire.BytesType).content) {
				list = append(list, string(fields(expect(item, 1, protowire.BytesType).content)[0].content))
			}
			return strings.Join(list, " ")
		}
		panic(fmt.Sprint("value of field ", f.number))
	}
	attribute := func(f field, into map[string]string) {
		pair := fields(f.content)
		into[string(expect(pair[0], 1, protowire.BytesType).content)] = show(expect(pair[1], 2, protowire.BytesType).content)
	}
	r.resource = map[string]string{}
	for _, logs := range fields(expect(fields(content)[0], 1, protowire.BytesType).content) {
		for _, f := range fields(logs.content) {
			switch {
			case logs.number == 1: // Resource
				attribute(expect(f, 1, protowire.BytesType), r.resource)
			case logs.number == 2 && f.number == 1: // InstrumentationScope
				r.scope = string(expect(fields(f.content)[0], 1, protowire.BytesType).content)
			case logs.number == 2 && f.number == 2:
				got := received{attributes: map[string]string{}}
				for _, f := range fields(f.content) {
					switch f.number {
					case 1:
						got.time = expect(f, 1, protowire.Fixed64Type).value
					case 2:
						got.severity = int(expect(f, 2, protowire.VarintType).value)
					case 3:
						got.severityText = string(f.content)
					case 5:
						got.body = show(f.content)
					case 6:
						attribute(f, got.attributes)
					case 11:
						got.observed = expect(f, 11, protowire.Fixed64Type).value
					default:
						return fmt.Errorf("a LogRecord has no field %d here", f.number)
					}
				}
				r.records = append(r.records, got)
			default:
				return fmt.Errorf("unexpected field %d in field %d", f.number, logs.number)
			}
		}
	}
	return nil
}
