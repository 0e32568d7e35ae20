package serve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
)

// grant is a session over streamable HTTP: all of it stands in its id, signed. So it
// costs nothing while it is idle, and outlives the process.
type grant struct {
	nonce       string // random
	issued      time.Time
	protocol    string
	client      mcp.Implementation // name and version
	elicitation *mcp.ElicitationCapability
}

const (
	// sessionAge is how long a session id is good for.
	sessionAge = 30 * 24 * time.Hour
	// sessionSkew is how far the clocks of two processes may be apart.
	sessionSkew = 5 * time.Minute

	grantFormat  = 1
	maxClient    = 128 // bytes of a client's name, and of its version
	maxSessionID = 1024
	nonceBytes   = 16
)

// Bits of the capabilities in an id.
const (
	elicits = 1 << iota
	elicitsForm
	elicitsURL
)

// sign makes the id of a session of a user: visible ASCII, as the protocol wants it.
func (g grant) sign(key []byte, user string) string {
	var flags byte
	if e := g.elicitation; e != nil {
		flags = elicits
		if e.Form != nil {
			flags |= elicitsForm
		}
		if e.URL != nil {
			flags |= elicitsURL
		}
	}
	b := []byte{grantFormat, flags}
	b = binary.BigEndian.AppendUint64(b, uint64(g.issued.Unix()))
	b = append(b, g.nonce...)
	for _, s := range []string{g.protocol, g.client.Name, g.client.Version} {
		s = cut(s, maxClient)
		b = append(append(b, byte(len(s))), s...)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, seal(key, user, b)...))
}

// seal is the signature of an id. The user is part of what is signed, not of the id.
func seal(key []byte, user string, payload []byte) []byte {
	mac := hmac.New(sha256.New, key)
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(user)))
	for _, part := range [][]byte{[]byte("brickmcp session"), size[:], []byte(user), payload} {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// readGrant reads the id of a session of a user; false for every other text: one that is
// foreign, forged or too old.
func readGrant(key []byte, user, id string, now time.Time) (grant, bool) {
	if len(id) > maxSessionID {
		return grant{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || len(b) < 10+nonceBytes+sha256.Size {
		return grant{}, false
	}
	payload, signature := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if !hmac.Equal(signature, seal(key, user, payload)) || payload[0] != grantFormat {
		return grant{}, false
	}
	g := grant{
		issued: time.Unix(int64(binary.BigEndian.Uint64(payload[2:])), 0),
		nonce:  string(payload[10 : 10+nonceBytes]),
	}
	if age := now.Sub(g.issued); age > sessionAge || age < -sessionSkew {
		return grant{}, false
	}
	rest := payload[10+nonceBytes:]
	for _, s := range []*string{&g.protocol, &g.client.Name, &g.client.Version} {
		if len(rest) == 0 || len(rest) <= int(rest[0]) {
			return grant{}, false
		}
		*s, rest = string(rest[1:1+rest[0]]), rest[1+rest[0]:]
	}
	if flags := payload[1]; flags&elicits != 0 {
		g.elicitation = &mcp.ElicitationCapability{}
		if flags&elicitsForm != 0 {
			g.elicitation.Form = &struct{}{}
		}
		if flags&elicitsURL != 0 {
			g.elicitation.URL = &struct{}{}
		}
	}
	return g, len(rest) == 0
}

func newNonce() string {
	b := make([]byte, nonceBytes)
	_, _ = rand.Read(b) // never fails
	return string(b)
}

// cut is s without what is above limit, in whole runes.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return strings.Clone(s[:limit])
}

// endedSessions are the last sessions that their clients ended: their ids are good
// otherwise.
type endedSessions struct {
	mu    sync.Mutex
	keys  map[string]struct{}
	order []string // a ring
	next  int
}

// maxEnded bounds what is remembered, of all users together: to end a session is a
// courtesy of its client, not a lock.
const maxEnded = 4096

func (e *endedSessions) add(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.keys == nil {
		e.keys = make(map[string]struct{})
	}
	if _, known := e.keys[key]; known {
		return
	}
	if len(e.order) < maxEnded {
		e.order = append(e.order, key)
	} else {
		delete(e.keys, e.order[e.next])
		e.order[e.next] = key
		e.next = (e.next + 1) % maxEnded
	}
	e.keys[key] = struct{}{}
}

func (e *endedSessions) has(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, has := e.keys[key]
	return has
}
