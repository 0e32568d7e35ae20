package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/invopop/jsonschema"
)

// ID is a 64-bit id. In arguments a decimal string or an integer; in results
// always a string, because JSON numbers above 2^53 do not survive most clients.
type ID string

var errID = errors.New("not a 64-bit id")

// UnmarshalJSON accepts an integer literal or a decimal string.
func (id *ID) UnmarshalJSON(raw []byte) error {
	digits := bytes.Trim(raw, `"`)
	if !isID(string(digits)) {
		return errID
	}
	*id = ID(digits)
	return nil
}

// isID reports whether s is the decimal form of an int64, as JSON writes it: a
// request carries it as it is.
func isID(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

// JSONSchema implements invopop's customisation.
func (ID) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// Object is an open JSON object, passed on as it is. Its description names the
// keys that matter: spelling out every level would cost an agent more than it
// helps.
type Object json.RawMessage

// MarshalJSON passes the bytes on.
func (o Object) MarshalJSON() ([]byte, error) { return json.RawMessage(o).MarshalJSON() }

// UnmarshalJSON keeps the bytes.
func (o *Object) UnmarshalJSON(raw []byte) error {
	*o = append((*o)[:0], raw...)
	return nil
}

// JSONSchema implements invopop's customisation.
func (Object) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "object"} }

// Input is a text or an array of items, as the APIs of models take it. The schema
// names the text alone: a list of types is refused by some clients.
type Input json.RawMessage

// MarshalJSON passes the bytes on.
func (i Input) MarshalJSON() ([]byte, error) { return json.RawMessage(i).MarshalJSON() }

// UnmarshalJSON keeps the bytes.
func (i *Input) UnmarshalJSON(raw []byte) error {
	*i = append((*i)[:0], raw...)
	return nil
}

// JSONSchema implements invopop's customisation.
func (Input) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "string"} }

// Map is an object of texts. Its schema does not say so: that would cost eight
// tokens each time, and Bind checks it.
type Map map[string]string

// JSONSchema implements invopop's customisation.
func (Map) JSONSchema() *jsonschema.Schema { return &jsonschema.Schema{Type: "object"} }

// Raw is a part of an answer kept whole, whatever it is; ids in it become
// strings like everywhere.
type Raw json.RawMessage

// UnmarshalJSON keeps the bytes.
func (r *Raw) UnmarshalJSON(raw []byte) error {
	*r = append((*r)[:0], raw...)
	return nil
}

// MarshalJSON passes the bytes on.
func (r Raw) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }
