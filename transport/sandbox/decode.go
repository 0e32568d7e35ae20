package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxBody bounds a JSON request body, as the real gateway does.
const maxBody = 32 << 20

// decode reads the JSON body into v; unknown fields are ignored, as the real
// API ignores them.
func (r *request) decode(v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, maxBody))
	if err != nil {
		return failure(http.StatusRequestEntityTooLarge, "INVALID_PARAMETER_VALUE", "Request body is too large")
	}
	if len(body) == 0 {
		return nil
	}
	return unmarshal(body, v)
}

// unmarshal keeps numbers as json.Number where v leaves the type open: ids have
// up to 19 digits and must not pass through float64.
func unmarshal(body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	err := d.Decode(v)
	if err == nil && d.More() {
		err = fmt.Errorf("data after the end of the object")
	}
	if err != nil {
		return failure(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not parse request object: "+strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// object is a JSON object that is stored and echoed as the caller sent it.
type object = map[string]any

// recast turns an open object into a typed one or back, through JSON.
func recast(from, to any) error {
	body, err := json.Marshal(from)
	if err != nil {
		return err
	}
	return unmarshal(body, to)
}

// clone is a deep copy of a JSON object.
func clone(o object) object {
	var out object
	if err := recast(o, &out); err != nil {
		panic(err) // a decoded JSON object always encodes
	}
	return out
}

// id reads a required 64-bit id from the query.
func (r *request) id(name string) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return 0, badArgument("Missing required field: " + name)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, badArgument(fmt.Sprintf("Invalid value for field %s: %q is not a 64-bit integer", name, text))
	}
	return n, nil
}

// int reads an optional integer from the query.
func (r *request) int(name string, absent int64) (int64, error) {
	if r.URL.Query().Get(name) == "" {
		return absent, nil
	}
	return r.id(name)
}

// bool reads an optional boolean from the query.
func (r *request) bool(name string) (bool, error) {
	switch text := r.URL.Query().Get(name); text {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, badArgument(fmt.Sprintf("Invalid value for field %s: %q is not true or false", name, text))
	}
}

// A page token is the position of the next item. It is base64 with padding on
// purpose: clients must treat it as opaque and percent-encode it.
func pageToken(list string, at int) string {
	return base64.StdEncoding.EncodeToString([]byte(list + ">" + strconv.Itoa(at)))
}

func readPageToken(list, token string) (int, error) {
	if token == "" {
		return 0, nil
	}
	text, err := base64.StdEncoding.DecodeString(token)
	if err == nil {
		if at, ok := strings.CutPrefix(string(text), list+">"); ok {
			if n, err := strconv.Atoi(at); err == nil && n >= 0 {
				return n, nil
			}
		}
	}
	return 0, badArgument("Invalid page token: " + token)
}

// window is one page of a list.
type window struct {
	from, to   int
	next, prev string // tokens, "" at the ends
}

// page cuts a list of n items at the request's page_token (or at offset, where
// an API still has it).
func page(list, token string, n, size, offset int) (window, error) {
	from, err := readPageToken(list, token)
	if err != nil {
		return window{}, err
	}
	if token == "" {
		from = offset
	}
	w := window{from: min(from, n)}
	w.to = min(w.from+size, n)
	if w.to < n {
		w.next = pageToken(list, w.to)
	}
	if w.from > 0 {
		w.prev = pageToken(list, max(0, w.from-size))
	}
	return w, nil
}
