package managed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"brickmcp/catalog"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/tidwall/gjson"
)

// limited is a 429, with how long to wait.
type limited struct {
	refused *catalog.Error
	after   time.Duration
}

func (l *limited) Error() string { return l.refused.Error() }
func (l *limited) Unwrap() error { return l.refused }

// status explains an answer that is none of MCP (contract mcp.md, section 2).
func (c *Client) status(resp *http.Response, page bool, body []byte, token string) error {
	e := &catalog.Error{Status: resp.StatusCode, RequestID: requestID(resp.Header)}
	said := quote(body, token)
	switch status := resp.StatusCode; {
	case status/100 == 3:
		e.Kind, e.Advice = catalog.SignIn, "A person must sign in to the workspace again; apps take no personal access token. Nothing was done."
		e.Message = "it answers with a redirect, as to someone who is not signed in; that was not followed"
	case page:
		e.Kind, e.Advice = catalog.Down, "Check that the workspace has such a server, and that no proxy answers in its place."
		e.Message = "it answers with a web page, so this is no address of an MCP server"
	case status == http.StatusUnauthorized:
		e.Kind, e.Advice = catalog.SignIn, "A person must sign in to the workspace again; then call again. Nothing was done."
		e.Message = "it refuses the token" + said
	case status == http.StatusForbidden:
		e.Kind, e.Advice = catalog.Forbidden, "The call needs "+c.config.Needs+"; an IP access list or a switched-off preview refuses in the same way. Nothing was done."
		e.Message = "the workspace refuses this user" + said
	case status == http.StatusNotFound:
		e.Kind, e.Advice = catalog.Missing, "brickmcp managed discover lists what the workspace has."
		e.Message = "there is no such MCP server in the workspace" + said
	case status == http.StatusTooManyRequests:
		e.Kind, e.Advice = catalog.Limited, "Wait a moment, then call again."
		e.Message = "too many requests" + said
		return &limited{e, retryAfter(resp.Header)}
	case status >= 500:
		e.Kind, e.Err, e.Advice = catalog.Down, errLost, "Call again in a moment; if it stays, report the request id."
		e.Message = "it failed with status " + strconv.Itoa(status) + said
	default:
		e.Kind, e.Advice = catalog.Invalid, "Correct the arguments. Nothing was done."
		e.Message = "it refuses the request with status " + strconv.Itoa(status) + said
	}
	e.Quoted = said != "" && strings.HasSuffix(e.Message, said)
	return e
}

// retryAfter is how long a 429 asks to wait: seconds, or a second when it does not
// say.
func retryAfter(h http.Header) time.Duration {
	if n, err := strconv.Atoi(h.Get("Retry-After")); err == nil && n >= 0 && n < 3600 {
		return time.Duration(n) * time.Second
	}
	return time.Second
}

func requestID(h http.Header) string {
	id := h.Get("X-Request-Id")
	if len(id) > 128 {
		return ""
	}
	return id
}

// maxSaid bounds what is quoted of a server.
const maxSaid = 600

// quote is the message of an error body behind a colon; "" when there is none.
func quote(body []byte, token string) string {
	if !gjson.ValidBytes(body) {
		return ""
	}
	root := gjson.ParseBytes(body)
	for _, path := range []string{"message", "error.message", "error_description", "error"} {
		if text := root.Get(path); text.Type == gjson.String && text.Str != "" {
			return ": " + said(text.Str, token)
		}
	}
	return ""
}

// said is a text of a server, fit to be quoted: clean, of one line, bounded, and
// without the token.
func said(text, token string) string {
	if token != "" {
		text = strings.ReplaceAll(text, token, "(the token)")
	}
	text, _ = catalog.Clean(text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}

// explain makes an error of this package of what the library came back with.
func (c *Client) explain(ctx context.Context, err error) error {
	var e *catalog.Error
	switch {
	case ctx.Err() != nil:
		cancelled := &catalog.Error{Kind: catalog.Busy, Err: ctx.Err(), Message: "the server did not answer in the time that the call had", Advice: "Ask for less at once, or call again later."}
		if errors.Is(ctx.Err(), context.Canceled) {
			cancelled.Message, cancelled.Advice = "the call was cancelled", "Call again if it is still wanted."
		}
		cancelled.Err = errors.Join(cancelled.Err, errLost)
		return cancelled
	case errors.As(err, &e):
		return err
	case errors.Is(err, errTooLong):
		return &catalog.Error{Kind: catalog.Invalid, Err: errLost, Message: fmt.Sprintf("the answer is longer than %d MB", maxAnswer>>20), Advice: "Ask for less at once."}
	}
	if errors.Is(err, mcp.ErrMethodNotFound) || errors.Is(err, mcp.ErrInvalidParams) || errors.Is(err, mcp.ErrInternalError) {
		return &catalog.Error{Kind: catalog.Down, Message: "it refuses to begin a session", Advice: "Check that the address is that of an MCP server."}
	}
	return &catalog.Error{Kind: catalog.Down, Err: errLost, Message: "its answer is not one of MCP, or broke off", Advice: "Call again; if it stays, check that the address is that of an MCP server."}
}

// The codes of JSON-RPC errors that mean something here.
const (
	codeNotAllowed = -32003 // left out by the configuration of an MCP service
	codeSignIn     = -32042 // a person must open an address first
)

// refusal explains an error of MCP. What is not known is a refusal, with its
// message: service policies have forms that nobody has written down.
func (c *Client) refusal(rpc *mcp.JSONRPCErrorDetails) error {
	message := said(c.hideToken(rpc.Message), "")
	e := &catalog.Error{Kind: catalog.Forbidden, Message: "it refuses: " + message, Quoted: true, Code: strconv.Itoa(rpc.Code),
		Advice: "This is the server's own refusal; a policy of the workspace may stand behind it."}
	switch lower := strings.ToLower(rpc.Message); {
	case rpc.Code == codeSignIn:
		data, err := json.Marshal(rpc.Data)
		if err != nil {
			data = nil
		}
		return c.signIn(gjson.Get(c.hideToken(string(data)), "elicitations.#.url").Array(), message)
	case rpc.Code == codeNotAllowed:
		e.Advice = "The configuration of the MCP service leaves this tool out; whoever manages the service can let it in."
	case (rpc.Code == mcp.INVALID_PARAMS || rpc.Code == mcp.METHOD_NOT_FOUND) && (strings.Contains(lower, "unknown tool") || strings.Contains(lower, "not found")):
		e.Kind, e.Advice = catalog.Missing, "The tools of the server have changed; list the tools again."
	case rpc.Code == mcp.INVALID_PARAMS, rpc.Code == mcp.INVALID_REQUEST, rpc.Code == mcp.PARSE_ERROR:
		e.Kind, e.Advice = catalog.Invalid, "Correct the arguments and call again."
	case rpc.Code == mcp.INTERNAL_ERROR:
		e.Kind, e.Err, e.Message, e.Advice = catalog.Down, errLost, "it failed: "+message, "Call again in a moment."
	}
	return e
}

// signIn is the error of a call for which a person must sign in somewhere first.
// Only an address of the workspace or the account is passed on.
func (c *Client) signIn(addresses []gjson.Result, message string) error {
	e := &catalog.Error{Kind: catalog.SignIn, Err: catalog.ErrSignInElsewhere, Quoted: message != "", Message: "a person must sign in to the service behind this server first"}
	if message != "" {
		e.Message += ": " + message
	}
	for _, address := range addresses {
		if c.mayOpen(address.Str) {
			e.SignInURL = address.Str
			e.Advice = "The person must open " + address.Str + " and sign in; then call again. Nothing was done."
			return e
		}
	}
	e.Advice = "The person must sign in to the connection in the workspace's catalog explorer; then call again. Nothing was done."
	if len(addresses) > 0 {
		e.Advice = "The server names an address that is not one of the workspace, so it is not passed on. " + e.Advice
	}
	return e
}

// accountHosts are the hosts of accounts, by cloud.
var accountHosts = []string{"accounts.cloud.databricks.com", "accounts.azuredatabricks.net", "accounts.gcp.databricks.com"}

// mayOpen reports an address that a person may be sent to.
func (c *Client) mayOpen(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.User != nil || len(address) > 2048 || strings.ContainsAny(address, " \t\r\n\"<>\\") {
		return false
	}
	if clean, hidden := catalog.Clean(address); hidden > 0 || clean != address {
		return false
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return false
	}
	for _, hosts := range [][]string{c.config.SignInHosts, accountHosts} {
		for _, host := range hosts {
			if strings.EqualFold(u.Host, host) {
				return true
			}
		}
	}
	return false
}

// loginError finds the older form of a missing sign-in: a text in an error result.
func (c *Client) loginError(result json.RawMessage) error {
	if !gjson.GetBytes(result, "isError").Bool() {
		return nil
	}
	text := gjson.GetBytes(result, "content.0.text").Str
	if !strings.Contains(text, "Credential for user identity") || !strings.Contains(strings.ToLower(text), "login") {
		return nil
	}
	var addresses []gjson.Result
	for word := range strings.FieldsSeq(text) {
		if word = strings.Trim(word, `.,;:'"()<>`); strings.HasPrefix(word, "https://") || strings.HasPrefix(word, "http://") {
			addresses = append(addresses, gjson.Result{Type: gjson.String, Str: word})
		}
	}
	return c.signIn(addresses, "")
}
