package serve

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
)

var issued = time.Date(2026, 11, 22, 6, 0, 0, 0, time.UTC)

func newNonceText() string { return hex.EncodeToString([]byte(newNonce())) }

func TestGrantComesBack(t *testing.T) {
	for name, g := range map[string]grant{
		"nothing known":   {},
		"cannot be asked": {protocol: "2025-11-25", client: mcp.Implementation{Name: "Claude Code", Version: "2.0"}},
		"forms":           {protocol: "2025-03-26", client: mcp.Implementation{Name: "ü 😀"}, elicitation: &mcp.ElicitationCapability{}},
		"forms by name":   {elicitation: &mcp.ElicitationCapability{Form: &struct{}{}}},
		"addresses":       {elicitation: &mcp.ElicitationCapability{URL: &struct{}{}}},
		"both":            {elicitation: &mcp.ElicitationCapability{Form: &struct{}{}, URL: &struct{}{}}},
	} {
		g.nonce, g.issued = newNonce(), issued
		id := g.sign(testKey, "alice")
		got, ok := readGrant(testKey, "alice", id, issued)
		got.issued = got.issued.UTC()
		if !ok || !reflect.DeepEqual(got, g) {
			t.Errorf("%s: %+v came back as %+v, %v", name, g, got, ok)
		}
	}
}

func TestLongNamesAreCut(t *testing.T) {
	g := grant{nonce: newNonce(), issued: issued, client: mcp.Implementation{Name: "a" + strings.Repeat("ü", 1<<20), Version: strings.Repeat("1", 1<<20)}}
	id := g.sign(testKey, "alice")
	got, ok := readGrant(testKey, "alice", id, issued)
	if !ok || got.client.Name != "a"+strings.Repeat("ü", 63) || got.client.Version != strings.Repeat("1", 128) || len(id) > maxSessionID {
		t.Errorf("%v, %d characters: %q", ok, len(id), got.client)
	}
}

func TestGrantOfAnother(t *testing.T) {
	id := grant{nonce: newNonce(), issued: issued, protocol: "2025-11-25", client: mcp.Implementation{Name: "c"}}.sign(testKey, "alice")
	if _, ok := readGrant(testKey, "alice", id, issued); !ok {
		t.Fatal("the id itself is refused")
	}
	for name, c := range map[string]struct {
		key  []byte
		user string
		id   string
		now  time.Time
	}{
		"another user":         {testKey, "bob", id, issued},
		"a user like her":      {testKey, "alicf", id, issued},
		"no user":              {testKey, "", id, issued},
		"another key":          {bytes.Repeat([]byte("k"), 32), "alice", id, issued},
		"30 days and a second": {testKey, "alice", id, issued.Add(sessionAge + time.Second)},
		"from the future":      {testKey, "alice", id, issued.Add(-sessionSkew - time.Second)},
		"a letter more":        {testKey, "alice", id + "A", issued},
		"a letter less":        {testKey, "alice", id[1:], issued},
		"padded":               {testKey, "alice", id + "=", issued},
		"nothing":              {testKey, "alice", "", issued},
		"no base64":            {testKey, "alice", "a session", issued},
		"large":                {testKey, "alice", strings.Repeat("A", 1<<20), issued},
	} {
		if got, ok := readGrant(c.key, c.user, c.id, c.now); ok {
			t.Errorf("%s is taken for %+v", name, got)
		}
	}
	for _, now := range []time.Time{issued.Add(sessionAge), issued.Add(-sessionSkew)} {
		if _, ok := readGrant(testKey, "alice", id, now); !ok {
			t.Errorf("refused at %v", now)
		}
	}
	for i := range id { // no letter can be changed
		if _, ok := readGrant(testKey, "alice", swapLetter(id, i), issued); ok && swapLetter(id, i) != id {
			t.Errorf("letter %d does not count", i)
		}
	}
}

// The user and the payload do not run into each other in what is signed.
func TestSealKeepsPartsApart(t *testing.T) {
	if bytes.Equal(seal(testKey, "ab", []byte("c")), seal(testKey, "a", []byte("bc"))) {
		t.Error("two users have one signature")
	}
}

// A payload that is signed and yet malformed, as by a newer version, is refused.
func TestGrantOfAnotherFormat(t *testing.T) {
	for _, payload := range []string{
		"\x02\x00" + "\x00\x00\x00\x00\x6a\x00\x00\x00" + strings.Repeat("n", 16) + "\x00\x00\x00",
		"\x01\x00" + "\x00\x00\x00\x00\x6a\x00\x00\x00" + strings.Repeat("n", 16),
		"\x01\x00" + "\x00\x00\x00\x00\x6a\x00\x00\x00" + strings.Repeat("n", 16) + "\x05abc",
		"\x01\x00" + "\x00\x00\x00\x00\x6a\x00\x00\x00" + strings.Repeat("n", 16) + "\x00\x00\x00x",
	} {
		id := base64.RawURLEncoding.EncodeToString(append([]byte(payload), seal(testKey, "alice", []byte(payload))...))
		if got, ok := readGrant(testKey, "alice", id, time.Unix(0x6a000000, 0)); ok {
			t.Errorf("%q is taken for %+v", payload, got)
		}
	}
}

func TestEndedSessionsAreBounded(t *testing.T) {
	var e endedSessions
	for i := range 3 * maxEnded {
		e.add(fmt.Sprint(i))
		e.add(fmt.Sprint(i))
	}
	if len(e.keys) != maxEnded || len(e.order) != maxEnded {
		t.Errorf("%d and %d are kept", len(e.keys), len(e.order))
	}
	if e.has(fmt.Sprint(2*maxEnded-1)) || !e.has(fmt.Sprint(2*maxEnded)) || !e.has(fmt.Sprint(3*maxEnded-1)) {
		t.Error("not the last ones are kept")
	}
}

// FuzzSessionID: no text but what was signed is a session.
func FuzzSessionID(f *testing.F) {
	good := grant{nonce: strings.Repeat("n", nonceBytes), issued: issued, protocol: "2025-11-25", client: mcp.Implementation{Name: "c", Version: "1"}}.sign(testKey, "alice")
	for _, id := range []string{good, good[1:], "", "====", strings.Repeat("A", 100), strings.Repeat("_", 90)} {
		f.Add(id, []byte(id))
	}
	f.Fuzz(func(t *testing.T, id string, payload []byte) {
		if _, ok := readGrant(testKey, "alice", id, issued); ok && id != good {
			t.Errorf("%q was never signed", id)
		}
		// What is signed never breaks the reader, whatever it is.
		signed := base64.RawURLEncoding.EncodeToString(append(bytes.Clone(payload), seal(testKey, "alice", payload)...))
		if g, ok := readGrant(testKey, "alice", signed, issued); ok && g.sign(testKey, "alice") != signed && g.elicitation == nil {
			t.Logf("%q reads as %+v, which is written otherwise", payload, g)
		}
	})
}
