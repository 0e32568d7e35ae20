package rest

import (
	"strings"

	"brickmcp/catalog"

	"github.com/google/uuid"
	"github.com/tidwall/gjson"
)

// withKey gives a call that may carry an idempotency token one, so that it may
// be repeated: same token, same run (contract README, section 7). The token is
// made once per call and so outlives its attempts.
func withKey(call *catalog.Call) *catalog.Call {
	name := call.Row.Token
	if name == "" || call.Keyed || call.Upload != nil {
		return call
	}
	value := gjson.GetBytes(call.Body, name)
	keyed := *call
	keyed.Keyed = true
	if value.Type == gjson.String && value.Str != "" {
		return &keyed
	}
	token := `"` + uuid.NewString() + `"`
	if value.Exists() { // empty or null: a second member of that name would be ambiguous
		body := append([]byte(nil), call.Body[:value.Index]...)
		body = append(body, token...)
		keyed.Body = append(body, call.Body[value.Index+len(value.Raw):]...)
		return &keyed
	}
	members, ok := membersOf(call.Body)
	if !ok {
		return call
	}
	body := make([]byte, 0, len(call.Body)+len(name)+len(token)+8)
	body = append(body, `{"`...)
	body = append(body, name...)
	body = append(body, `":`...)
	body = append(body, token...)
	if members[0] != '}' {
		body = append(body, ',')
	}
	keyed.Body = append(body, members...)
	return &keyed
}

// membersOf is a JSON object without its opening brace and the space after it;
// of no body at all that is the closing brace.
func membersOf(body []byte) ([]byte, bool) {
	if len(body) == 0 {
		return []byte{'}'}, true
	}
	object := gjson.ParseBytes(body)
	if !object.IsObject() {
		return nil, false
	}
	members := object.Raw[1:]
	return []byte(strings.TrimLeft(members, " \t\r\n")), gjson.ValidBytes(body)
}

// keyOf is the idempotency token that the call carries.
func keyOf(call *catalog.Call) string {
	if call.Row.Token == "" || !call.Keyed {
		return ""
	}
	return gjson.GetBytes(call.Body, call.Row.Token).String()
}
