package tools

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// confirmTime is how long a call waits for its second, identical call.
const confirmTime = 10 * time.Minute

// tokenBytes is the length of a token before base64: 128 bits, unguessable.
const tokenBytes = 16

// binding is what a token, or the memory of a create, is bound to.
type binding struct {
	User, Workspace, Tool string
	Arguments             []byte // canonical JSON
}

// confirmations are tokens of calls that wait for a second, identical call. What
// is kept of a call is digests under the token as the key: without the token they
// can neither be compared nor guessed at.
type confirmations struct {
	kept interface {
		// put keeps a record under a new id until it is swept.
		put(id string, record []byte, now time.Time) error
		// get reads a record; used says that it was taken. fs.ErrNotExist: neither.
		get(id string) (record []byte, used bool, err error)
		// take is true for one caller alone, whoever else asks at the same time.
		take(id string, now time.Time) (bool, error)
	}
	now func() time.Time
}

// newConfirmations keeps tokens in dir, so that they outlive a restart and hold for
// all servers of this user; "" keeps them in memory.
func newConfirmations(dir string, now func() time.Time) *confirmations {
	if dir == "" {
		return &confirmations{kept: newRemembered(), now: now}
	}
	return &confirmations{kept: &tokenFiles{dir: dir}, now: now}
}

// boundTo is the record of a token: when it expires (epoch ms), and the digests of
// what it is bound to.
type boundTo struct {
	Expires   int64             `json:"expires"`
	User      string            `json:"user"`
	Workspace string            `json:"workspace"`
	Tool      string            `json:"tool"`
	Arguments map[string]string `json:"arguments"`
	Whole     string            `json:"whole"` // all arguments at once
}

// digests are the binding under the token as the key.
func digests(token string, b binding) boundTo {
	digest := func(parts ...string) string {
		mac := hmac.New(sha256.New, []byte(token))
		for _, part := range parts {
			fmt.Fprintf(mac, "%d:%s", len(part), part)
		}
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	of := boundTo{
		User: digest("user", b.User), Workspace: digest("workspace", b.Workspace), Tool: digest("tool", b.Tool),
		Arguments: map[string]string{}, Whole: digest("arguments", string(b.Arguments)),
	}
	gjson.ParseBytes(b.Arguments).ForEach(func(name, value gjson.Result) bool {
		of.Arguments[name.Str] = digest("argument", name.Str, value.Raw)
		return true
	})
	return of
}

// tokenID names the record of a token without giving the token away.
func tokenID(token string) string {
	sum := sha256.Sum256([]byte("confirm " + token))
	return hex.EncodeToString(sum[:16])
}

// issue makes a token that redeems this very call once, before it expires.
func (c *confirmations) issue(b binding) (token string, expires time.Time, err error) {
	random := make([]byte, tokenBytes)
	_, _ = rand.Read(random) // never fails
	token = base64.RawURLEncoding.EncodeToString(random)
	now := c.now()
	expires = now.Add(confirmTime)
	bound := digests(token, b)
	bound.Expires = expires.UnixMilli()
	record, err := json.Marshal(bound)
	if err == nil {
		err = c.kept.put(tokenID(token), record, now)
	}
	if err != nil {
		return "", time.Time{}, notKept(b, err)
	}
	return token, expires, nil
}

// redeem uses a token up. It refuses one that is not known, was used, has expired,
// or belongs to another call; of the last kind the right call can still be made.
func (c *confirmations) redeem(token string, b binding) error {
	const unknown = "this confirm_token is not known here: it was never given out, or expired long ago"
	if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(raw) != tokenBytes {
		return notConfirmed(b, unknown)
	}
	id, now := tokenID(token), c.now()
	record, used, err := c.kept.get(id)
	switch {
	case used:
		return notConfirmed(b, "this confirm_token was used already")
	case errors.Is(err, fs.ErrNotExist):
		return notConfirmed(b, unknown)
	case err != nil:
		return notKept(b, err)
	}
	var bound boundTo
	if err := json.Unmarshal(record, &bound); err != nil {
		return notConfirmed(b, unknown)
	}
	if now.UnixMilli() >= bound.Expires {
		return notConfirmed(b, "this confirm_token has expired: it is good for "+fmt.Sprint(int(confirmTime.Minutes()))+" minutes")
	}
	if other := bound.differs(digests(token, b)); other != "" {
		return notConfirmed(b, "this confirm_token was given out for "+other)
	}
	mine, err := c.kept.take(id, now)
	switch {
	case err != nil:
		return notKept(b, err)
	case !mine:
		return notConfirmed(b, "this confirm_token was used already")
	}
	return nil
}

// differs says what the token was given out for instead; "" when all is the same.
func (was boundTo) differs(now boundTo) string {
	same := func(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
	switch {
	case !same(was.Tool, now.Tool):
		return "another tool"
	case !same(was.User, now.User):
		return "another user"
	case !same(was.Workspace, now.Workspace):
		return "another workspace"
	case same(was.Whole, now.Whole):
		return ""
	}
	var differ []string
	for name, digest := range now.Arguments {
		if !same(was.Arguments[name], digest) {
			differ = append(differ, name)
		}
	}
	for name := range was.Arguments {
		if _, given := now.Arguments[name]; !given {
			differ = append(differ, name)
		}
	}
	slices.Sort(differ)
	return "other arguments (" + strings.Join(differ, ", ") + ")"
}

func notConfirmed(b binding, why string) error {
	return &catalog.Error{Kind: catalog.Denied, Message: b.Tool + ": " + why,
		Advice: "Call without confirm_token for a new preview and token; then repeat that very call with the token. Nothing was sent."}
}

func notKept(b binding, err error) error {
	return &catalog.Error{Kind: catalog.Internal, Message: b.Tool + ": confirmations cannot be kept: " + err.Error(), Err: err,
		Advice: "The person who runs this server must make its state directory writable. Nothing was sent."}
}

// revoke ends a token that nobody is to use any more.
func (c *confirmations) revoke(token string) {
	if raw, err := base64.RawURLEncoding.DecodeString(token); err == nil && len(raw) == tokenBytes {
		_, _ = c.kept.take(tokenID(token), c.now()) // there is none: as good
	}
}
