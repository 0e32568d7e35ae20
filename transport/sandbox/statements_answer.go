package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

type statementResponse struct {
	ID       string          `json:"statement_id"`
	Status   statementStatus `json:"status"`
	Manifest *manifest       `json:"manifest,omitempty"`
	Result   *resultData     `json:"result,omitempty"`
}

type statementStatus struct {
	State    string          `json:"state"`
	Error    *statementError `json:"error,omitempty"`
	SQLState string          `json:"sql_state,omitempty"`
}

// resultData is one chunk: rows, or a link to them.
type resultData struct {
	Index    *int            `json:"chunk_index,omitempty"`
	Offset   *int64          `json:"row_offset,omitempty"`
	Rows     *int64          `json:"row_count,omitempty"`
	Data     json.RawMessage `json:"data_array,omitempty"`
	Links    []externalLink  `json:"external_links,omitempty"`
	Next     int             `json:"next_chunk_index,omitempty"`
	NextLink string          `json:"next_chunk_internal_link,omitempty"`
}

type externalLink struct {
	Link       string            `json:"external_link"`
	Expiration string            `json:"expiration"`
	Headers    map[string]string `json:"http_headers,omitempty"`
	Index      int               `json:"chunk_index"`
	Offset     int64             `json:"row_offset"`
	Rows       int64             `json:"row_count"`
	Bytes      int64             `json:"byte_count"`
	Next       int               `json:"next_chunk_index,omitempty"`
	NextLink   string            `json:"next_chunk_internal_link,omitempty"`
}

// show answers a statement as it stands; one that has succeeded with its
// manifest and first chunk.
func (ss *statements) show(r *request, s *statement) (any, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	body := bareResponse(s, s.state)
	body.Status.Error, body.Status.SQLState = s.failure, s.sqlState
	if s.state != statementSucceeded {
		return body, nil
	}
	body.Manifest, body.Result = s.result.manifest(), &resultData{}
	if len(s.result.chunks) > 0 {
		var err error
		if body.Result, err = ss.data(r, s, 0); err != nil {
			return nil, err
		}
	}
	return body, nil
}

func (ss *statements) chunk(r *request) (any, error) {
	s, err := ss.find(r)
	if err != nil {
		return nil, err
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch s.state {
	case statementSucceeded:
	case statementClosed:
		return nil, failure(http.StatusNotFound, "NOT_FOUND", fmt.Sprintf("The result of statement %s has expired.", s.id))
	default:
		return nil, failure(http.StatusBadRequest, "INVALID_STATE", fmt.Sprintf("The statement %s is in state %s and has no result.", s.id, s.state))
	}
	i, err := strconv.Atoi(r.PathValue("chunk"))
	if err != nil || i < 0 || i >= len(s.result.chunks) {
		return nil, badArgument(fmt.Sprintf("Invalid chunk_index %s: the result has %d chunk(s).", r.PathValue("chunk"), len(s.result.chunks)))
	}
	return ss.data(r, s, i)
}

// data shows chunk i of a statement that has succeeded.
func (ss *statements) data(r *request, s *statement, i int) (*resultData, error) {
	c := s.result.chunks[i]
	next, nextLink := 0, ""
	if i+1 < len(s.result.chunks) {
		next = i + 1
		nextLink = fmt.Sprintf("/api/2.0/sql/statements/%s/result/chunks/%d?row_offset=%d", s.id, next, c.offset+c.length)
	}
	if s.in.Disposition == "EXTERNAL_LINKS" {
		expires := r.now.Add(linkLife)
		return &resultData{Links: []externalLink{{
			Link: r.base() + ss.link(s.id, i, r.now), Expiration: expires.UTC().Format("2006-01-02T15:04:05.000Z"),
			Headers: map[string]string{keyHeader: ss.resultKey(s.id)},
			Index:   i, Offset: c.offset, Rows: c.length, Bytes: c.size, Next: next, NextLink: nextLink,
		}}}, nil
	}
	data, err := readRange(s.result.content, c.at, c.size)
	if err != nil {
		return nil, err
	}
	return &resultData{Index: &i, Offset: &c.offset, Rows: &c.length, Data: data, Next: next, NextLink: nextLink}, nil
}

const (
	// linkPath is where the workspace plays the part of cloud storage.
	linkPath = "/sandbox-object-storage/results/"
	// keyHeader must come with a download: results are encrypted with a key of
	// the customer's, as real ones may be.
	keyHeader = "x-amz-server-side-encryption-customer-key"

	amzTime = "20060102T150405Z"
)

func (ss *statements) resultKey(id string) string {
	return base64.StdEncoding.EncodeToString(ss.sign("key " + id))
}

func (ss *statements) sign(text string) []byte {
	h := hmac.New(sha256.New, ss.key[:])
	_, _ = h.Write([]byte(text))
	return h.Sum(nil)
}

// link makes a presigned path. Who has it may read the chunk until it expires.
func (ss *statements) link(id string, chunk int, now time.Time) string {
	path := linkPath + id + "/" + strconv.Itoa(chunk)
	date := now.UTC().Format(amzTime)
	return path + "?" + url.Values{
		"X-Amz-Algorithm": {"AWS4-HMAC-SHA256"}, "X-Amz-Date": {date}, "X-Amz-SignedHeaders": {"host"},
		"X-Amz-Expires":   {strconv.Itoa(int(linkLife / time.Second))},
		"X-Amz-Signature": {hex.EncodeToString(ss.sign(path + " " + date))},
	}.Encode()
}

// follow serves a presigned link as cloud storage does: XML errors, no bearer
// token wanted or accepted.
func (ss *statements) follow(r *request) (any, error) {
	query := r.URL.Query()
	date, err := time.Parse(amzTime, query.Get("X-Amz-Date"))
	signature, malformed := hex.DecodeString(query.Get("X-Amz-Signature"))
	switch {
	case r.Header.Get("Authorization") != "":
		return r.storageError(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified")
	case err != nil || malformed != nil || !hmac.Equal(signature, ss.sign(r.URL.Path+" "+query.Get("X-Amz-Date"))):
		return r.storageError(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.")
	case r.now.After(date.Add(linkLife)):
		return r.storageError(http.StatusForbidden, "AccessDenied", "Request has expired")
	case r.Header.Get(keyHeader) != ss.resultKey(r.PathValue("id")):
		return r.storageError(http.StatusBadRequest, "InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	}
	data, kind, err := ss.object(r)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return r.storageError(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	r.w.Header().Set("Content-Type", kind)
	r.w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	r.w.WriteHeader(http.StatusOK)
	_, _ = r.w.Write(data) // a client that went away is no fault of ours
	return nil, errWritten
}

// object reads the chunk that a link names; nil when it is gone.
func (ss *statements) object(r *request) (data []byte, kind string, err error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s := ss.byID[r.PathValue("id")]
	i, bad := strconv.Atoi(r.PathValue("chunk"))
	if s == nil || ss.lapse(s, r.now) || s.result == nil || bad != nil || i < 0 || i >= len(s.result.chunks) {
		return nil, "", nil
	}
	c := s.result.chunks[i]
	data, err = readRange(s.result.content, c.at, c.size)
	if s.in.Format == "CSV" {
		return data, "text/csv", err
	}
	return data, "application/json", err
}

func (r *request) storageError(status int, code, message string) (any, error) {
	r.w.Header().Set("Content-Type", "application/xml")
	r.w.WriteHeader(status)
	_, _ = fmt.Fprintf(r.w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
	return nil, errWritten
}
