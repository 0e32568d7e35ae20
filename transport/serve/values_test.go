package serve

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mark3labs/mcp-go/server"
)

func TestManyValues(t *testing.T) {
	const n = maxValues
	for name, c := range map[string]struct {
		text string
		many bool
	}{
		"numbers":                          {"[" + strings.Repeat("1,", n) + "1]", true},
		"as many as allowed":               {"[" + strings.Repeat("1,", n-1) + "1]", false},
		"arrays":                           {"[" + strings.Repeat("[],", n/2) + "[]]", true},
		"objects":                          {"[" + strings.Repeat("{},", n/2) + "{}]", true},
		"members":                          {"{" + strings.Repeat(`"a":1,`, n/2) + `"a":1}`, true},
		"one text":                         {`"` + strings.Repeat(`,[{:`, n) + `"`, false},
		"quotes in a text":                 {`"` + strings.Repeat(`\",`, n) + `"`, false},
		"a backslash at the end of a text": {`["\\",` + strings.Repeat("1,", n) + "1]", true},
		"backslashes":                      {`"` + strings.Repeat(`\\`, n) + `"`, false},
		"no end of a text":                 {`[1,"` + strings.Repeat(`,`, 2*n), false},
		"short":                            {"[1,2]", false},
		"nothing":                          {"", false},
	} {
		if manyValues([]byte(c.text)) != c.many {
			t.Errorf("%s: %t", name, !c.many)
		}
	}
}

func TestMessageOfManyValues(t *testing.T) {
	site := publish(t, func() *server.MCPServer { return newServer(nil) })
	res, answer := site.send(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":[` + strings.Repeat("[],", maxValues) + `[]]}}`)
	if res.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(answer.Get("error.message").Str, "values") {
		t.Errorf("%d %s", res.StatusCode, answer.Raw)
	}
	if res, _ := site.send(`{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"` + strings.Repeat("[],", maxValues) + `"}}`); res.StatusCode != http.StatusOK {
		t.Errorf("a long text: %d", res.StatusCode)
	}
}
