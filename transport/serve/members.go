package serve

import (
	"strings"

	"github.com/tidwall/gjson"
)

// members are the values of some members of an object, without a decoder. It is false
// when encoding/json, which serves the message, might take others for them: it goes by
// the last of several, and ignores case.
func members(object gjson.Result, names ...string) (values [4]gjson.Result, sure bool) {
	sure = object.IsObject()
	object.ForEach(func(key, value gjson.Result) bool {
		if strings.IndexByte(key.Raw, '\\') >= 0 {
			sure = false
			return false
		}
		for i, name := range names {
			if key.Str != name && !strings.EqualFold(key.Str, name) {
				continue
			}
			if key.Str != name || values[i].Exists() {
				sure = false
				return false
			}
			values[i] = value
		}
		return true
	})
	return values, sure
}

// plainText is a string that stands in a message as it is meant.
func plainText(value gjson.Result) bool {
	return value.Type == gjson.String && strings.IndexByte(value.Raw, '\\') < 0 && isASCII(value.Str)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// longNumber is the length of the shortest number without an exponent that may be too
// large for a float64.
const longNumber = 300

// hugeNumbers reports whether JSON may have a number that encoding/json refuses.
func hugeNumbers(raw string) bool {
	digits, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted, digits = !quoted, 0
		case quoted:
		case c >= '0' && c <= '9':
			if digits++; digits >= longNumber {
				return true
			}
		case (c == 'e' || c == 'E') && digits > 0:
			return true
		case c != '.':
			digits = 0
		}
	}
	return false
}
