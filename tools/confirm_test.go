package tools

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"brickmcp/catalog"
)

var someCall = binding{User: "ana@example.com", Workspace: "dbc-1", Tool: "secrets_put", Arguments: []byte(`{"key":"k","scope":"etl","string_value":"hunter2"}`)}

// stores are the two places where tokens are kept.
func stores(t *testing.T, test func(t *testing.T, c *confirmations, now *time.Time)) {
	for name, dir := range map[string]string{"memory": "", "files": filepath.Join(t.TempDir(), "state", "confirm")} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_700_000_000, 0)
			test(t, newConfirmations(dir, func() time.Time { return now }), &now)
		})
	}
}

func wantUnconfirmed(t *testing.T, err error, parts ...string) {
	t.Helper()
	var e *catalog.Error
	if !errors.As(err, &e) || e.Kind != catalog.Denied {
		t.Fatalf("want a refusal, got %v", err)
	}
	for _, part := range append(parts, "secrets_put", "Nothing was sent") {
		if !strings.Contains(e.Error(), part) {
			t.Errorf("%q is not in %q", part, e.Error())
		}
	}
	if strings.Contains(e.Error(), "hunter2") {
		t.Errorf("the refusal shows a secret: %s", e.Error())
	}
}

func TestTokenIsGoodOnceForItsCall(t *testing.T) {
	stores(t, func(t *testing.T, c *confirmations, now *time.Time) {
		token, expires, err := c.issue(someCall)
		if err != nil || !expires.Equal(now.Add(confirmTime)) || len(token) > 24 {
			t.Fatalf("%q until %v, %v", token, expires, err)
		}
		for want, change := range map[string]func(*binding){
			"another user":                   func(b *binding) { b.User = "ben@example.com" },
			"another workspace":              func(b *binding) { b.Workspace = "dbc-2" },
			"another tool":                   func(b *binding) { b.Arguments = []byte(`{}`); b.Tool = "secrets_put " },
			"other arguments (string_value)": func(b *binding) { b.Arguments = []byte(`{"key":"k","scope":"etl","string_value":"hunter22"}`) },
			"other arguments (key, overwrite)": func(b *binding) {
				b.Arguments = []byte(`{"key":"l","overwrite":true,"scope":"etl","string_value":"hunter2"}`)
			},
			"other arguments (scope, string_value)": func(b *binding) { b.Arguments = []byte(`{"key":"k"}`) },
		} {
			other := someCall
			change(&other)
			wantUnconfirmed(t, c.redeem(token, other), want)
		}
		if err := c.redeem(token, someCall); err != nil {
			t.Fatalf("the right call is refused after wrong ones: %v", err)
		}
		wantUnconfirmed(t, c.redeem(token, someCall), "used already")
		for _, made := range []string{"", "x", strings.Repeat("A", 22), token + "A", "../../etc/passwd", strings.Repeat("A", 1000)} {
			wantUnconfirmed(t, c.redeem(made, someCall), "not known")
		}
	})
}

func TestTokenExpires(t *testing.T) {
	stores(t, func(t *testing.T, c *confirmations, now *time.Time) {
		first, _, err := c.issue(someCall)
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := c.issue(someCall)
		if err != nil || first == second {
			t.Fatalf("%q, %q, %v", first, second, err)
		}
		*now = now.Add(confirmTime - time.Millisecond)
		if err := c.redeem(first, someCall); err != nil {
			t.Errorf("just before its time: %v", err)
		}
		*now = now.Add(time.Millisecond)
		wantUnconfirmed(t, c.redeem(second, someCall), "expired")
	})
}

// The mark alone decides where removing may succeed twice.
func TestMarkOfAUsedTokenDecides(t *testing.T) {
	f := &tokenFiles{dir: t.TempDir()}
	now := time.Now()
	if err := f.put("id", []byte("{}"), now); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.path("id")+usedSuffix, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if mine, err := f.take("id", now); mine || err != nil {
		t.Errorf("a token that is marked was taken: %v, %v", mine, err)
	}
	if _, used, err := f.get("id"); !used || err != nil {
		t.Errorf("%v, %v", used, err)
	}
}

func TestTokenIsRevoked(t *testing.T) {
	stores(t, func(t *testing.T, c *confirmations, _ *time.Time) {
		token, _, err := c.issue(someCall)
		if err != nil {
			t.Fatal(err)
		}
		c.revoke("")
		c.revoke("../" + token)
		c.revoke(token)
		c.revoke(token)
		wantUnconfirmed(t, c.redeem(token, someCall), "used already")
	})
}

// A token outlives the process, and is still good only once.
func TestTokenOutlivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "confirm")
	open := func() *confirmations { return newConfirmations(dir, time.Now) }
	token, _, err := open().issue(someCall)
	if err != nil {
		t.Fatal(err)
	}
	if err := open().redeem(token, someCall); err != nil {
		t.Fatal(err)
	}
	wantUnconfirmed(t, open().redeem(token, someCall), "used already")
}

func TestTokenFilesTellNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "confirm")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	c := newConfirmations(dir, time.Now)
	token, _, err := c.issue(someCall)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	file := filepath.Join(dir, entries[0].Name())
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, told := range []string{"hunter2", "etl", "ana@", "dbc-1", token} {
		if strings.Contains(entries[0].Name()+string(content), told) {
			t.Errorf("%q is in the file: %s %s", told, entries[0].Name(), content)
		}
	}
	if runtime.GOOS == "windows" {
		return // no such modes
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	// The same call again has other digests: two files do not tell that they are alike.
	if a, b := digests("a", someCall), digests("b", someCall); a.Whole == b.Whole || a.Arguments["key"] == b.Arguments["key"] {
		t.Error("digests do not depend on the token")
	}
}

// A hundred at once, over two stores on one directory, as two servers have it.
func TestTokenIsRedeemedByOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "confirm")
	files := []*confirmations{newConfirmations(dir, time.Now), newConfirmations(dir, time.Now)}
	inMemory := newConfirmations("", time.Now)
	for name, open := range map[string][]*confirmations{"files": files, "memory": {inMemory, inMemory}} {
		for range 20 {
			token, _, err := open[0].issue(someCall)
			if err != nil {
				t.Fatal(err)
			}
			var won atomic.Int32
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i := range 100 {
				wg.Go(func() {
					<-start
					if open[i%2].redeem(token, someCall) == nil {
						won.Add(1)
					}
				})
			}
			close(start)
			wg.Wait()
			if won.Load() != 1 {
				t.Errorf("%s: %d of 100 redeemed one token", name, won.Load())
			}
		}
	}
}

const redeemers = "BRICKMCP_TEST_REDEEM"

// TestTokenIsRedeemedByOneProcess lets real processes race for many tokens.
func TestTokenIsRedeemedByOneProcess(t *testing.T) {
	if job := os.Getenv(redeemers); job != "" { // a child
		dir, tokens, _ := strings.Cut(job, "|")
		c := newConfirmations(dir, time.Now)
		for token := range strings.SplitSeq(tokens, ",") {
			if c.redeem(token, someCall) == nil {
				fmt.Println("won", token)
			}
		}
		return
	}
	dir := filepath.Join(t.TempDir(), "confirm")
	c := newConfirmations(dir, time.Now)
	var tokens []string
	for range 200 {
		token, _, err := c.issue(someCall)
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	outputs := make([][]byte, 2)
	var wg sync.WaitGroup
	for i := range outputs {
		wg.Go(func() {
			child := exec.Command(os.Args[0], "-test.run=^TestTokenIsRedeemedByOneProcess$", "-test.v")
			child.Env = append(os.Environ(), redeemers+"="+dir+"|"+strings.Join(tokens, ","))
			var err error
			if outputs[i], err = child.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, outputs[i])
			}
		})
	}
	wg.Wait()
	both := string(outputs[0]) + string(outputs[1])
	for _, token := range tokens {
		if n := strings.Count(both, "won "+token); n != 1 {
			t.Errorf("%d processes redeemed one token", n)
		}
	}
}

func TestTokensAreSwept(t *testing.T) {
	stores(t, func(t *testing.T, c *confirmations, now *time.Time) {
		kept := func() int {
			if m, ok := c.kept.(*remembered); ok {
				return len(m.records)
			}
			entries, err := os.ReadDir(c.kept.(*tokenFiles).dir)
			if err != nil {
				t.Fatal(err)
			}
			return len(entries)
		}
		for i := range maxWaiting + 200 {
			*now = now.Add(time.Millisecond)
			token, _, err := c.issue(someCall)
			if err == nil && i%100 == 0 {
				err = c.redeem(token, someCall)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := kept(); n > maxWaiting+maxWaiting/10+20 {
			t.Errorf("%d tokens are kept", n)
		}
		*now = now.Add(2*confirmTime + time.Second)
		last, _, err := c.issue(someCall)
		if err != nil || kept() != 1 {
			t.Errorf("%d tokens are left, %v", kept(), err)
		}
		if err := c.redeem(last, someCall); err != nil {
			t.Error(err)
		}
	})
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "audit.jsonl")
	if err := os.WriteFile(foreign, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now().Add(24 * time.Hour)
	if _, _, err := newConfirmations(dir, func() time.Time { return now }).issue(someCall); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

func TestConfirmationsWithoutADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var e *catalog.Error
	if _, _, err := newConfirmations(file, time.Now).issue(someCall); !errors.As(err, &e) || e.Kind != catalog.Internal || !strings.Contains(e.Error(), "state directory") {
		t.Errorf("a file in place of the directory: %v", err)
	}
}

func TestCanonical(t *testing.T) {
	for _, same := range [][]string{
		{``, ` `, `null`, `{}`, ` { } `, `{"a":null}`},
		{`{"a":1,"b":{"d":[1, 2],"c":"x"}}`, "{ \"b\": {\"c\":\"\\u0078\",\n\"d\":[1,2]}, \"a\":1 , \"z\":null}"},
		{`{"job_id":9007199254740993}`, `{"job_id":"9007199254740993"}`},
		{`{"id":5}`, `{"id":"5"}`},
		{`{"s":"<&>\u2028"}`, "{\"s\":\"\\u003c&>\u2028\"}"},
		{`{"a":"\/"}`, `{"a":"/"}`},
	} {
		for _, args := range same[1:] {
			if a, b := canonical(json.RawMessage(same[0])), canonical(json.RawMessage(args)); string(a) != string(b) {
				t.Errorf("%s and %s are not the same: %s, %s", same[0], args, a, b)
			}
		}
	}
	for _, differ := range [][2]string{
		{`{"a":9007199254740992}`, `{"a":9007199254740993}`},
		{`{"a":5}`, `{"a":"5"}`},
		{`{"p":{"x_id":5}}`, `{"p":{"x_id":"5"}}`},
		{`{"p":{"x":null}}`, `{"p":{}}`},
		{`{"a":[1,2]}`, `{"a":[2,1]}`},
		{`{"a":{"b":1,"b":2}}`, `{"a":{"b":5,"b":2}}`},
		{`{"a":"\ud800"}`, `{"a":"\ud801"}`},
		{`{"a":"x"}`, `{"a":"X"}`},
		{`{"a":""}`, `{}`},
	} {
		if a, b := canonical(json.RawMessage(differ[0])), canonical(json.RawMessage(differ[1])); string(a) == string(b) {
			t.Errorf("%s and %s are taken for the same: %s", differ[0], differ[1], a)
		}
	}
	deep := strings.Repeat(`{"a":`, 5000) + `1` + strings.Repeat(`}`, 5000)
	if got := canonical(json.RawMessage(deep)); string(got) != deep {
		t.Error("deep nesting is lost")
	}
}

// What is canonical stays as it is, and means the same.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{`{"b":1,"a":{"d":"\u0078","c":[null,true]}}`, `{"id":5}`, `{"a":"\ud83d\ude00"}`, `[1]`, `{"a":1,"a":2}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, args string) {
		once := canonical(json.RawMessage(args))
		if !json.Valid([]byte(args)) {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("%q became %q", args, once)
		}
		if twice := canonical(once); string(twice) != string(once) {
			t.Fatalf("%q became %q, then %q", args, once, twice)
		}
	})
}
