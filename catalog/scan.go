package catalog

import (
	"bytes"
	"strings"
)

// appendClean appends the JSON value of a member called key, without white space
// between tokens and with every id as a string: integers of members called id or
// …_id, members of …_ids, and any integer that a double cannot hold. Values that
// are secrets are hidden. value must be valid JSON.
func appendClean(dst []byte, key, value string) []byte {
	var (
		depth []byte   // '{' or '[' of each open container
		keys  []string // and the member that it is the value of
	)
	for i := 0; i < len(value); {
		switch c := value[i]; {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			i++
		case c == '"':
			end := stringEnd(value, i)
			text := value[i+1 : end-1]
			switch {
			case len(depth) > 0 && depth[len(depth)-1] == '{' && nextByte(value, end) == ':':
				key = text
				dst = append(dst, value[i:end]...)
			case isSecret(last(keys), key, text):
				dst = append(dst, `"`+Hidden+`"`...)
			default:
				dst = append(dst, value[i:end]...)
			}
			i = end
		case c == '{' || c == '[':
			depth, keys = append(depth, c), append(keys, key)
			dst = append(dst, c)
			i++
		case c == '}' || c == ']':
			key = keys[len(keys)-1]
			depth, keys = depth[:len(depth)-1], keys[:len(keys)-1]
			dst = append(dst, c)
			i++
		case c == '-' || '0' <= c && c <= '9':
			end := i + 1
			for end < len(value) && strings.IndexByte("0123456789.eE+-", value[end]) >= 0 {
				end++
			}
			dst = appendNumber(dst, value[i:end], isIDKey(key))
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

func last(keys []string) string {
	if len(keys) == 0 {
		return ""
	}
	return keys[len(keys)-1]
}

// appendNumber quotes a number that is an id or that a double would round.
func appendNumber(dst []byte, number string, id bool) []byte {
	if strings.ContainsAny(number, ".eE") || !id && exactInDouble(number) {
		return append(dst, number...)
	}
	dst = append(dst, '"')
	dst = append(dst, number...)
	return append(dst, '"')
}

const maxExact = "9007199254740992" // 2^53

func exactInDouble(integer string) bool {
	digits := strings.TrimPrefix(integer, "-")
	return len(digits) < len(maxExact) || len(digits) == len(maxExact) && digits <= maxExact
}

func isIDKey(key string) bool {
	return key == "id" || strings.HasSuffix(key, "_id") || strings.HasSuffix(key, "_ids")
}

// stringEnd is the index behind the string that begins at i.
func stringEnd(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

// nextByte is the first byte at or behind i that is not white space; 0 at the end.
func nextByte(s string, i int) byte {
	for ; i < len(s); i++ {
		if strings.IndexByte(" \n\t\r", s[i]) < 0 {
			return s[i]
		}
	}
	return 0
}

// The ids inside open request objects that the API declares as int64
// (contract/wire: RunJobTask, DbtCloudTask). They are named with their parent,
// because the same key in a map of parameters or tags must stay a string.
var numberIDs = map[string]bool{"run_job_task.job_id": true, "dbt_cloud_task.dbt_cloud_job_id": true}

// unquoteIDs copies a request value, with the ids above as numbers.
func unquoteIDs(value string) string {
	if !strings.Contains(value, "run_job_task") && !strings.Contains(value, "dbt_cloud_task") {
		return value
	}
	var (
		out  bytes.Buffer
		key  string
		keys []string
	)
	for i := 0; i < len(value); {
		c := value[i]
		if c != '"' {
			switch c {
			case '{', '[':
				keys = append(keys, key)
				key = ""
			case '}', ']':
				key, keys = keys[len(keys)-1], keys[:len(keys)-1]
			}
			out.WriteByte(c)
			i++
			continue
		}
		end := stringEnd(value, i)
		text := value[i+1 : end-1]
		switch {
		case nextByte(value, end) == ':':
			key = text
			out.WriteString(value[i:end])
		case len(keys) > 0 && numberIDs[keys[len(keys)-1]+"."+key] && isID(text):
			out.WriteString(text)
		default:
			out.WriteString(value[i:end])
		}
		i = end
	}
	return out.String()
}
