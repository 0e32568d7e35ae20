package catalog

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	maxRecorded     = 4096 // bytes of all arguments in an audit line
	maxRecordedText = 400  // bytes of one text in it
)

// Recorded is what audit may keep of a call's arguments, as a JSON object: without
// the values of fields that are hidden, without what looks like a secret anywhere
// inside them, and with long texts cut. It is nil when args are no JSON object.
func (r *Row) Recorded(args json.RawMessage) json.RawMessage {
	if len(args) == 0 || !gjson.ValidBytes(args) {
		return nil
	}
	root := gjson.ParseBytes(args)
	if !root.IsObject() {
		return nil
	}
	_, byName := r.lookup()
	out := []byte{'{'}
	root.ForEach(func(key, value gjson.Result) bool {
		before := len(out)
		if before > 1 {
			out = append(out, ',')
		}
		out = append(appendQuoted(out, shortened(key.Str)), ':')
		switch p := byName[key.Str]; {
		case p == nil && r.IsForeign():
			out = appendRecorded(out, key.Str, value)
		case p == nil:
			out = append(out, `"(no argument)"`...) // whatever it holds was not sent
		case p.hide:
			out = append(append(append(out, `"(hidden, `...), strconv.Itoa(len(value.String()))...), ` bytes)"`...)
		default:
			out = appendRecorded(out, key.Str, value)
		}
		if len(out) > maxRecorded {
			out = out[:before]
			if before > 1 {
				out = append(out, ',')
			}
			out = append(out, `"…":"cut"`...)
			return false
		}
		return true
	})
	return append(out, '}')
}

// appendRecorded appends a value without secrets; key is the member it stands in.
func appendRecorded(dst []byte, key string, v gjson.Result) []byte {
	switch {
	case v.IsObject():
		dst = append(dst, '{')
		first := true
		v.ForEach(func(name, value gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = append(appendQuoted(dst, shortened(name.Str)), ':')
			dst = appendRecorded(dst, name.Str, value)
			return len(dst) <= 2*maxRecorded
		})
		return append(dst, '}')
	case v.IsArray():
		dst = append(dst, '[')
		first, under := true, key
		v.ForEach(func(_, value gjson.Result) bool {
			if !first {
				dst = append(dst, ',')
			}
			first = false
			dst = appendRecorded(dst, under, value)
			if under = key; value.Type == gjson.String && strings.HasPrefix(value.Str, "-") && !strings.Contains(value.Str, "=") {
				under = value.Str // a flag: --password, and behind it what it is
			}
			return len(dst) <= 2*maxRecorded
		})
		return append(dst, ']')
	case v.Type == gjson.String:
		return appendQuoted(dst, shortened(recordedText(key, v.Str)))
	}
	return append(dst, v.Raw...)
}

// recordedText is a text without what looks like a secret in it: the whole of a
// member named like one, and everything behind the question mark of an address.
func recordedText(key, text string) string {
	if namesSecret(key) && text != "" && !strings.HasPrefix(text, "{{secrets/") {
		return Hidden
	}
	if scheme := strings.Index(text, "://"); scheme >= 0 && !strings.ContainsAny(text, " \n") {
		if i := strings.IndexByte(text, '?'); i >= 0 {
			text = text[:i] + "?…"
		}
		if at := strings.IndexByte(text[scheme+3:], '@'); at >= 0 && !strings.Contains(text[scheme+3:scheme+3+at], "/") {
			text = text[:scheme+3] + "…" + text[scheme+3+at:]
		}
		return withoutTokens(text)
	}
	return WithoutSecrets(text)
}

// WithoutSecrets is a text that audit may keep: without tokens of a known form, and,
// where it speaks of secrets, without its quoted parts and what is assigned to them.
func WithoutSecrets(text string) string {
	if namesSecret(text) {
		text = withoutAssigned(withoutLiterals(text))
	}
	return withoutTokens(text)
}

// withoutAssigned empties what stands behind a name of a secret and = or :, as in
// --password=x, and behind "Bearer".
func withoutAssigned(text string) string {
	words := strings.SplitAfter(text, " ")
	secret := false // the word before was the name of one
	for i, w := range words {
		space := w[len(strings.TrimRight(w, " ")):]
		word := strings.TrimSuffix(w, space)
		name, value, assigned := strings.Cut(word, "=")
		if !assigned {
			name, value, assigned = strings.Cut(word, ":")
		}
		isName := namesSecret(name) || strings.EqualFold(name, "Bearer") || strings.EqualFold(name, "Basic")
		switch {
		case assigned && namesSecret(name) && value != "":
			words[i] = word[:len(name)+1] + "…" + space
			secret = false
		case secret && word != "" && word != "=" && word != ":" && !isName:
			words[i] = "…" + space
			secret = false
		case word != "" && word != "=" && word != ":":
			secret = isName && (assigned || strings.EqualFold(name, "Bearer") || strings.EqualFold(name, "Basic") || strings.HasPrefix(word, "-"))
		case word == "=" || word == ":":
			secret = i > 0 && namesSecret(words[i-1])
		}
	}
	return strings.Join(words, "")
}

// tokenForms are how tokens begin that people paste: of Databricks, JWT, AWS, GitHub
// and Slack.
var tokenForms = []string{"dapi", "dose", "dkea", "eyJ", "AKIA", "ASIA", "ghp_", "gho_", "github_pat_", "xoxb-", "xoxp-"}

// withoutTokens cuts what is long enough and begins like a token.
func withoutTokens(text string) string {
	for _, form := range tokenForms {
		for from := 0; ; {
			i := strings.Index(text[from:], form)
			if i < 0 {
				break
			}
			i += from
			end := i
			for end < len(text) && isTokenByte(text[end]) {
				end++
			}
			from = i + len(form)
			if end-i >= 20 && (i == 0 || !isTokenByte(text[i-1]) || text[i-1] == '=') {
				text = text[:from] + "…" + text[end:]
			}
		}
	}
	return text
}

func isTokenByte(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || strings.IndexByte("-_.+/=", b) >= 0
}

// namesSecret reports whether a name, or a text, has a word of secrets in it.
// Tokens that page a list or make a call repeatable are none.
func namesSecret(name string) bool {
	lower := strings.ToLower(name)
	if lower == "page_token" || lower == "idempotency_token" || lower == "max_result_tokens" {
		return false
	}
	contains := func(part string) bool { return strings.Contains(lower, part) }
	return slices.ContainsFunc(secretParts, contains) || slices.ContainsFunc(recordedParts, contains)
}

// recordedParts are more words of secrets. They are too common to hide a setting
// from the agent that needs it; an audit line needs none.
var recordedParts = []string{"passphrase", "pwd", "authorization", "bearer ", "private key", "identified by", "access key", "account key", "api key"}

// withoutLiterals empties the quoted parts of a text. Where quotes do not match,
// the rest goes too.
func withoutLiterals(text string) string {
	var b strings.Builder
	for {
		i := strings.IndexAny(text, `'"`)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		quote := text[i]
		b.WriteString(text[:i])
		b.WriteByte(quote)
		b.WriteString("…")
		end := i + 1
		for end < len(text) && text[end] != quote {
			if text[end] == '\\' {
				end++
			}
			end++
		}
		if end >= len(text) {
			return b.String()
		}
		b.WriteByte(quote)
		text = text[end+1:]
	}
}

// shortened cuts a text for an audit line.
func shortened(text string) string {
	if len(text) <= maxRecordedText {
		return text
	}
	n := maxRecordedText
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "… " + strconv.Itoa(len(text)-n) + " more bytes"
}

func appendQuoted(dst []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // a string cannot fail
		panic(err)
	}
	return append(dst, quoted...)
}
