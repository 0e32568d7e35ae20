package audit

import (
	"encoding/json"
	"time"
)

// EventBegin is the event of a line that is written before a call is made. The
// line that ends the call has the same Call.
const EventBegin = "begin"

// Line is one event. Empty fields are left out of the file.
type Line struct {
	Time      time.Time `json:"time"`      // set by Write when zero
	Event     string    `json:"event"`     // call, begin, denied, confirm, signin, start, reload; repair is the log's own
	Say       string    `json:"say"`       // one plain-English sentence
	Call      string    `json:"call"`      // id that joins a begin line with the line that ends the call
	User      string    `json:"user"`      // userName; of a service principal, its application id
	AuthType  string    `json:"auth_type"` // as the Databricks SDK spells it
	Client    string    `json:"client"`    // MCP client and version
	Tool      string    `json:"tool"`
	Group     string    `json:"group"`
	Effect    string    `json:"effect"`
	Endpoint  string    `json:"endpoint"` // method and path
	Workspace string    `json:"workspace"`
	Object    string    `json:"object"`

	Decision   string          `json:"decision"`    // allow, confirm, deny; "would deny" and the like in shadow mode
	Rule       string          `json:"rule"`        // what decided
	Outcome    string          `json:"outcome"`     // ok, error, deduplicated
	ErrorKind  string          `json:"error_kind"`  // of the result: invalid, signin, forbidden, …
	RequestIDs []string        `json:"request_ids"` // of Databricks
	DurationMS float64         `json:"duration_ms"` // milliseconds, written to the microsecond
	Rows       int64           `json:"rows"`
	Bytes      int64           `json:"bytes"`
	Arguments  json.RawMessage `json:"arguments"` // without hidden fields
	Before     json.RawMessage `json:"before"`    // earlier values that a write replaced

	Hash string `json:"hash"` // 64 hex digits; of lines that were read, Write ignores it
	Prev string `json:"prev"` // the Hash of the line before; likewise
}
