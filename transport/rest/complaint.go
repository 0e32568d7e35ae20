package rest

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// complaint is what an answer that is no success says, in whichever of the
// documented shapes (contract README, section 5). Its texts are cleaned.
type complaint struct {
	status    int
	code      string // error_code; SCIM_<status> for SCIM
	message   string
	reason    string // of ErrorInfo, such as FILES_API_DIRECTORY_IS_NOT_EMPTY
	requestID string
	after     time.Duration // Retry-After, else RetryInfo; 0: nothing
	fields    []string      // arguments that BadRequest names
	help      string        // first link of Help
	page      bool          // an HTML page came instead of an error
	empty     bool          // nothing came
	said      bool          // message or code are the workspace's own words
}

// complaintOf reads an answer; hidden are the texts that must not come back.
func complaintOf(status int, header http.Header, body []byte, hidden ...string) *complaint {
	c := &complaint{status: status, requestID: requestID(header), after: retryAfter(header, time.Now())}
	text := strings.TrimSpace(string(body))
	root := gjson.Result{}
	if strings.HasPrefix(text, "{") && gjson.Valid(text) {
		root = gjson.Parse(text)
	}
	message := c.json(root, hidden)
	if message == "" && !root.IsObject() {
		message = c.text(text)
	}
	c.message = clean(message, hidden...)
	c.said = c.message != "" || c.code != ""
	if c.message == "" {
		c.empty = text == ""
		c.message = "HTTP " + strconv.Itoa(status)
		if words := http.StatusText(status); words != "" {
			c.message += " " + words
		}
	}
	return c
}

// json reads the shapes that are objects and gives the message among them.
func (c *complaint) json(root gjson.Result, hidden []string) string {
	c.code = word(root.Get("error_code"))
	message := firstText(root, "message", "error_message")
	if wrapped := root.Get("error"); message == "" && wrapped.IsObject() {
		root, message = wrapped, firstText(wrapped, "message")
		c.code = word(root.Get("error_code"))
		if c.code == "" {
			c.code = word(root.Get("status"))
		}
		if code := root.Get("code"); c.code == "" && code.Type == gjson.String { // as OpenAI has it
			c.code = word(code)
		}
	} else if message == "" && wrapped.Type == gjson.String { // the gateway; or OAuth, with a description
		message = wrapped.Str
		if more := firstText(root, "error_description"); more != "" {
			message += ": " + more
		}
	}
	if detail := firstText(root, "detail"); message == "" && (detail != "" || root.Get("scimType").Exists() || root.Get("schemas").Exists()) {
		message = strings.TrimSpace(firstText(root, "scimType") + " " + detail)
		c.code = "SCIM_" + strconv.Itoa(c.status)
	}
	root.Get("details").ForEach(func(_, d gjson.Result) bool {
		if more := c.detail(d, hidden); more != "" && !strings.Contains(message, more) {
			message = strings.TrimSpace(message + " " + more)
		}
		return true
	})
	return message
}

// detail reads one entry of details and gives what belongs into the message.
// DebugInfo is for the workspace's own people and left out.
func (c *complaint) detail(d gjson.Result, hidden []string) string {
	kind := d.Get("@type").String()
	kind = kind[strings.LastIndexByte(kind, '.')+1:]
	switch kind {
	case "ErrorInfo":
		c.reason = word(d.Get("reason"))
	case "RequestInfo":
		if id := tidyID(d.Get("request_id").String()); id != "" {
			c.requestID = id
		}
	case "RetryInfo":
		if delay, err := time.ParseDuration(d.Get("retry_delay").String()); err == nil && delay > 0 && c.after == 0 {
			c.after = delay
		}
	case "QuotaFailure", "PreconditionFailure":
		return violations(d.Get("violations"), "subject", nil)
	case "BadRequest":
		return violations(d.Get("field_violations"), "field", func(field string) {
			c.fields = append(c.fields, shorten(clean(field, hidden...), 80))
		})
	case "ResourceInfo":
		return firstText(d, "description")
	case "Help":
		c.help = shorten(clean(d.Get("links.0.url").String(), hidden...), 200)
	}
	return ""
}

// violations joins at most five of them.
func violations(list gjson.Result, key string, named func(string)) string {
	var said []string
	list.ForEach(func(_, v gjson.Result) bool {
		name, text := firstText(v, key), firstText(v, "description")
		if name != "" && named != nil {
			named(name)
		}
		if name != "" && text != "" {
			text = name + ": " + text
		}
		if text != "" {
			said = append(said, text)
		}
		return len(said) < 5
	})
	return strings.Join(said, "; ")
}

var preText = lazy(`(?is)<pre\b[^>]*>\s*(.*?)\s*</pre>`)

var codeText = lazy(`^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$`)

// text reads the shapes that are not JSON.
func (c *complaint) text(s string) string {
	if strings.HasPrefix(s, "<") {
		c.page = true
		// What is inside <pre> may be any other shape of text.
		if pre := preText().FindStringSubmatch(s); pre != nil && pre[1] != "" && !strings.HasPrefix(pre[1], "<") {
			return c.text(entities.Replace(pre[1]))
		}
		if clean(s) == "" {
			return ""
		}
		return "a web page: " + shorten(clean(s), 120)
	}
	if code, rest, ok := strings.Cut(s, ":"); ok && codeText().MatchString(code) {
		c.code = code
		return strings.TrimSpace(rest)
	}
	return s
}

// firstText is the first of the named members that says something. "null" as
// text is what SCIM says of its own faults.
func firstText(root gjson.Result, names ...string) string {
	for _, name := range names {
		if v := root.Get(name); v.Type == gjson.String && v.Str != "" && v.Str != "null" {
			return v.Str
		}
	}
	return ""
}

// word is a code: a string, sometimes a number.
func word(v gjson.Result) string {
	if v.Type != gjson.String && v.Type != gjson.Number {
		return ""
	}
	return shorten(clean(v.String()), 80)
}

// requestID is what support asks for.
func requestID(h http.Header) string {
	if id := h["X-Request-Id"]; len(id) > 0 {
		return tidyID(id[0])
	}
	return tidyID(h.Get("X-Databricks-Request-Id"))
}

func tidyID(id string) string {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] >= 0x7f {
			return ""
		}
	}
	return shorten(id, maxRequestID)
}

// retryAfter reads the header as seconds or as a date; 0: there is none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		if s > 0 && s < 1e6 {
			return time.Duration(s * float64(time.Second))
		}
		return 0
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}
