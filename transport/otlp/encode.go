package otlp

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
	"google.golang.org/protobuf/encoding/protowire"
)

// The two encodings of an ExportLogsServiceRequest. They are written by hand:
// the SDK's exporter brings gRPC and protobuf's reflection along, 7.5 MB of
// binary. Source of the field numbers: opentelemetry-proto 1.x, logs/v1,
// common/v1, resource/v1 and collector/logs/v1.

const scope = "brickmcp/audit"

// message appends an embedded message.
func message(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func messageText(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}

func fixed(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, field, protowire.Fixed64Type), n)
}

func varint(b []byte, field protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func nanoseconds(t time.Time) uint64 {
	if n := t.UnixNano(); !t.IsZero() && n > 0 {
		return uint64(n)
	}
	return 0
}

func encodeProtobuf(resource []attribute, records []record, observed time.Time) []byte {
	var res []byte
	for _, a := range resource {
		res = message(res, 1, protobufAttribute(a))
	}
	logs := message(nil, 1, messageText(nil, 1, scope)) // ScopeLogs.scope.name
	for _, r := range records {
		var b []byte
		if at := nanoseconds(r.time); at > 0 {
			b = fixed(b, 1, at)
		}
		b = varint(b, 2, uint64(r.severity))
		b = messageText(b, 3, severityText(r.severity))
		b = message(b, 5, protobufValue(text(r.body)))
		for _, a := range r.attributes {
			b = message(b, 6, protobufAttribute(a))
		}
		b = fixed(b, 11, nanoseconds(observed))
		logs = message(logs, 2, b)
	}
	resourceLogs := message(message(nil, 1, res), 2, logs)
	return message(nil, 1, resourceLogs)
}

func protobufAttribute(a attribute) []byte {
	return message(messageText(nil, 1, a.key), 2, protobufValue(a.value))
}

func protobufValue(v value) []byte {
	switch v.kind {
	case isInt:
		return varint(nil, 3, uint64(v.int))
	case isDouble:
		return fixed(nil, 4, math.Float64bits(v.double))
	case isBool:
		return varint(nil, 2, uint64(v.int))
	case isList:
		var b []byte
		for _, s := range v.list {
			b = message(b, 1, protobufValue(text(s)))
		}
		return message(nil, 5, b)
	}
	return messageText(nil, 1, v.text)
}

// rejected reads ExportLogsServiceResponse.partial_success.
func rejected(body []byte) (count int64, why string) {
	each := func(b []byte, visit func(field protowire.Number, n uint64, content []byte)) {
		for len(b) > 0 {
			field, kind, n := protowire.ConsumeTag(b)
			if n < 0 {
				return
			}
			b = b[n:]
			var number uint64
			var content []byte
			switch kind {
			case protowire.VarintType:
				number, n = protowire.ConsumeVarint(b)
			case protowire.BytesType:
				content, n = protowire.ConsumeBytes(b)
			default:
				n = protowire.ConsumeFieldValue(field, kind, b)
			}
			if n < 0 {
				return
			}
			b = b[n:]
			visit(field, number, content)
		}
	}
	each(body, func(field protowire.Number, _ uint64, content []byte) {
		if field != 1 {
			return
		}
		each(content, func(field protowire.Number, n uint64, content []byte) {
			switch field {
			case 1:
				count = int64(n)
			case 2:
				why = string(content)
			}
		})
	})
	return count, why
}

// encodeJSON: names in lowerCamelCase, 64-bit integers as strings, enums as
// numbers (opentelemetry-proto, "JSON Protobuf Encoding").
func encodeJSON(resource []attribute, records []record, observed time.Time) []byte {
	b := append([]byte(nil), `{"resourceLogs":[{"resource":{"attributes":`...)
	b = jsonAttributes(b, resource)
	b = append(b, `},"scopeLogs":[{"scope":{"name":"`+scope+`"},"logRecords":[`...)
	for i, r := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		if at := nanoseconds(r.time); at > 0 {
			b = append(b, `"timeUnixNano":"`...)
			b = strconv.AppendUint(b, at, 10)
			b = append(b, `",`...)
		}
		b = append(b, `"observedTimeUnixNano":"`...)
		b = strconv.AppendUint(b, nanoseconds(observed), 10)
		b = append(b, `","severityNumber":`...)
		b = strconv.AppendInt(b, int64(r.severity), 10)
		b = append(b, `,"severityText":"`...)
		b = append(b, severityText(r.severity)...)
		b = append(b, `","body":`...)
		b = jsonValue(b, text(r.body))
		b = append(b, `,"attributes":`...)
		b = jsonAttributes(b, r.attributes)
		b = append(b, '}')
	}
	return append(b, `]}]}]}`...)
}

func jsonAttributes(b []byte, attributes []attribute) []byte {
	b = append(b, '[')
	for i, a := range attributes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"key":`...)
		b = jsonString(b, a.key)
		b = append(b, `,"value":`...)
		b = jsonValue(b, a.value)
		b = append(b, '}')
	}
	return append(b, ']')
}

func jsonValue(b []byte, v value) []byte {
	switch v.kind {
	case isInt:
		b = append(b, `{"intValue":"`...)
		b = strconv.AppendInt(b, v.int, 10)
		return append(b, `"}`...)
	case isDouble:
		b = append(b, `{"doubleValue":`...)
		b = strconv.AppendFloat(b, v.double, 'g', -1, 64)
		return append(b, '}')
	case isBool:
		b = append(b, `{"boolValue":`...)
		b = strconv.AppendBool(b, v.int != 0)
		return append(b, '}')
	case isList:
		b = append(b, `{"arrayValue":{"values":[`...)
		for i, s := range v.list {
			if i > 0 {
				b = append(b, ',')
			}
			b = jsonValue(b, text(s))
		}
		return append(b, `]}}`...)
	}
	b = append(b, `{"stringValue":`...)
	b = jsonString(b, v.text)
	return append(b, '}')
}

func jsonString(b []byte, s string) []byte {
	quoted, err := json.Marshal(s)
	if err != nil { // cannot be: a string always marshals
		quoted = []byte(`""`)
	}
	return append(b, quoted...)
}

func rejectedJSON(body []byte) (count int64, why string) {
	partial := gjson.GetBytes(body, "partialSuccess")
	return partial.Get("rejectedLogRecords").Int(), partial.Get("errorMessage").Str // the number may be a string
}
