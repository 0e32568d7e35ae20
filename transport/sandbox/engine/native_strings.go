package engine

import (
	"crypto/md5"  //nolint:gosec // SQL functions, not security
	"crypto/sha1" //nolint:gosec
	"crypto/sha256"
	"crypto/sha512"
	"database/sql/driver"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"hash/fnv"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/google/uuid"
)

// maxText bounds what repeat, lpad and their kin may build.
const maxText = 16 << 20

func errTooLong(fn string) error {
	return newError("EXCEED_LIMIT_LENGTH", "54006", "The result of `%s` exceeds the sandbox's limit of %d bytes.", fn, maxText)
}

// str1 makes a native of a function of one string.
func str1(f func(string) string) native {
	return func(a []driver.Value) (any, error) { return f(text(a[0])), nil }
}

// test2 makes a native of a test of two strings.
func test2(f func(a, b string) bool) native {
	return func(a []driver.Value) (any, error) { return f(text(a[0]), text(a[1])), nil }
}

var nativeStrings = map[string]native{
	"x_upper": str1(strings.ToUpper), "x_lower": str1(strings.ToLower),
	"x_initcap": str1(func(s string) string {
		start := true
		return strings.Map(func(r rune) rune {
			defer func() { start = unicode.IsSpace(r) }()
			if start {
				return unicode.ToUpper(r)
			}
			return unicode.ToLower(r)
		}, s)
	}),
	"x_reverse": str1(func(s string) string {
		r := []rune(s)
		for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
			r[i], r[j] = r[j], r[i]
		}
		return string(r)
	}),
	"x_startswith": test2(strings.HasPrefix), "x_endswith": test2(strings.HasSuffix), "x_contains": test2(strings.Contains),
	"x_repeat": func(a []driver.Value) (any, error) {
		s, n := text(a[0]), max(integer(a[1]), 0)
		if int64(len(s))*n > maxText {
			return nil, errTooLong("repeat")
		}
		return strings.Repeat(s, int(n)), nil
	},
	"x_lpad": func(a []driver.Value) (any, error) { return padded(a, true) },
	"x_rpad": func(a []driver.Value) (any, error) { return padded(a, false) },
	"x_substring": func(a []driver.Value) (any, error) {
		n := int64(1 << 40)
		if len(a) == 3 {
			n = integer(a[2])
		}
		return substring([]rune(text(a[0])), integer(a[1]), n), nil
	},
	"x_left": func(a []driver.Value) (any, error) { return substring([]rune(text(a[0])), 1, integer(a[1])), nil },
	"x_right": func(a []driver.Value) (any, error) {
		if integer(a[1]) <= 0 {
			return "", nil
		}
		return substring([]rune(text(a[0])), -integer(a[1]), integer(a[1])), nil
	},
	"x_substring_index": func(a []driver.Value) (any, error) {
		s, sep, n := text(a[0]), text(a[1]), int(integer(a[2]))
		if sep == "" || n == 0 {
			return "", nil
		}
		parts := strings.Split(s, sep)
		if n > 0 {
			return strings.Join(parts[:min(n, len(parts))], sep), nil
		}
		return strings.Join(parts[max(len(parts)+n, 0):], sep), nil
	},
	"x_replace": func(a []driver.Value) (any, error) {
		to := ""
		if len(a) == 3 {
			to = text(a[2])
		}
		if text(a[1]) == "" {
			return text(a[0]), nil
		}
		if strings.Count(text(a[0]), text(a[1]))*len(to) > maxText {
			return nil, errTooLong("replace")
		}
		return strings.ReplaceAll(text(a[0]), text(a[1]), to), nil
	},
	"x_translate": func(a []driver.Value) (any, error) {
		from, to := []rune(text(a[1])), []rune(text(a[2]))
		return strings.Map(func(r rune) rune {
			for i, f := range from {
				if f == r {
					if i < len(to) {
						return to[i]
					}
					return -1
				}
			}
			return r
		}, text(a[0])), nil
	},
	"x_locate": func(a []driver.Value) (any, error) {
		s, start := []rune(text(a[1])), 1
		if len(a) == 3 {
			start = int(integer(a[2]))
		}
		if start < 1 || start > len(s)+1 {
			return 0, nil
		}
		i := strings.Index(string(s[start-1:]), text(a[0]))
		if i < 0 {
			return 0, nil
		}
		return start + len([]rune(string(s[start-1:])[:i])), nil
	},
	"x_split": func(a []driver.Value) (any, error) {
		re, err := compiled(text(a[1]))
		if err != nil {
			return nil, err
		}
		limit := -1
		if len(a) == 3 && integer(a[2]) > 0 {
			limit = int(integer(a[2]))
		}
		return jsonText(re.Split(text(a[0]), limit))
	},
	"x_split_part": func(a []driver.Value) (any, error) {
		n := int(integer(a[2]))
		if n == 0 {
			return nil, newError("INVALID_INDEX_OF_ZERO", "22003", "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).")
		}
		parts := strings.Split(text(a[0]), text(a[1]))
		if n < 0 {
			n += len(parts) + 1
		}
		if n < 1 || n > len(parts) {
			return "", nil
		}
		return parts[n-1], nil
	},
	"x_rlike": func(a []driver.Value) (any, error) {
		re, err := compiled(text(a[1]))
		if err != nil {
			return nil, err
		}
		return re.MatchString(text(a[0])), nil
	},
	"x_regexp_extract": func(a []driver.Value) (any, error) {
		re, group, err := regexGroup(a)
		if err != nil {
			return nil, err
		}
		m := re.FindStringSubmatch(text(a[0]))
		if m == nil {
			return "", nil
		}
		return m[group], nil
	},
	"x_regexp_extract_all": func(a []driver.Value) (any, error) {
		re, group, err := regexGroup(a)
		if err != nil {
			return nil, err
		}
		all := []string{}
		for _, m := range re.FindAllStringSubmatch(text(a[0]), -1) {
			all = append(all, m[group])
		}
		return jsonText(all)
	},
	"x_regexp_replace": func(a []driver.Value) (any, error) {
		re, err := compiled(text(a[1]))
		if err != nil {
			return nil, err
		}
		return re.ReplaceAllString(text(a[0]), javaReplacement.ReplaceAllString(text(a[2]), "$${$1}")), nil
	},
	"x_regexp_count": func(a []driver.Value) (any, error) {
		re, err := compiled(text(a[1]))
		if err != nil {
			return nil, err
		}
		return len(re.FindAllStringIndex(text(a[0]), -1)), nil
	},
	"x_levenshtein": func(a []driver.Value) (any, error) {
		if len(text(a[0]))*len(text(a[1])) > maxText {
			return nil, errTooLong("levenshtein")
		}
		return distance(text(a[0]), text(a[1])), nil
	},
	"x_md5":  str1(func(s string) string { h := md5.Sum([]byte(s)); return hex.EncodeToString(h[:]) }),
	"x_sha1": str1(func(s string) string { h := sha1.Sum([]byte(s)); return hex.EncodeToString(h[:]) }),
	"x_sha2": func(a []driver.Value) (any, error) {
		b := []byte(text(a[0]))
		switch integer(a[1]) {
		case 0, 256:
			return fmt.Sprintf("%x", sha256.Sum256(b)), nil
		case 224:
			return fmt.Sprintf("%x", sha256.Sum224(b)), nil
		case 384:
			return fmt.Sprintf("%x", sha512.Sum384(b)), nil
		case 512:
			return fmt.Sprintf("%x", sha512.Sum512(b)), nil
		}
		return nil, nil
	},
	"x_hash": func(a []driver.Value) (any, error) { return int64(int32(hashOf(a))), nil },
	"x_xxhash64": func(a []driver.Value) (any, error) {
		return int64(hashOf(a)), nil
	},
	"x_crc32": func(a []driver.Value) (any, error) { return int64(crc32.ChecksumIEEE([]byte(text(a[0])))), nil },
	"x_hex": func(a []driver.Value) (any, error) {
		if n, ok := a[0].(int64); ok {
			return strings.ToUpper(strconv.FormatUint(uint64(n), 16)), nil
		}
		return strings.ToUpper(hex.EncodeToString([]byte(text(a[0])))), nil
	},
	"x_base64": str1(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
	"x_unbase64": func(a []driver.Value) (any, error) {
		b, err := base64.StdEncoding.DecodeString(text(a[0]))
		if err != nil {
			return nil, newError("CONVERSION_INVALID_INPUT", "22018", "The value '%s' (\"STRING\") cannot be converted to \"BINARY\" because it is malformed.", text(a[0]))
		}
		return string(b), nil
	},
	"x_url_encode": str1(url.QueryEscape),
	"x_url_decode": func(a []driver.Value) (any, error) {
		s, err := url.QueryUnescape(text(a[0]))
		if err != nil {
			return nil, newError("CANNOT_DECODE_URL", "22546", "The provided URL cannot be decoded: %s.", text(a[0]))
		}
		return s, nil
	},
	"x_uuid":  func([]driver.Value) (any, error) { return uuid.NewString(), nil },
	"x_rand":  func([]driver.Value) (any, error) { return rand.Float64(), nil },
	"x_randn": func([]driver.Value) (any, error) { return rand.NormFloat64(), nil },
	"x_raise_error": func(a []driver.Value) (any, error) {
		return nil, newError("USER_RAISED_EXCEPTION", "P0001", "%s", text(a[0]))
	},
	"x_assert_true": func(a []driver.Value) (any, error) {
		if integer(a[0]) == 1 {
			return nil, nil
		}
		message := "The condition is not true!"
		if len(a) == 2 {
			message = text(a[1])
		}
		return nil, newError("USER_RAISED_EXCEPTION", "P0001", "%s", message)
	},
}

// javaReplacement finds $1 in a replacement text, which Go spells ${1}.
var javaReplacement = regexp.MustCompile(`\$(\d+)`)

// expressions caches compiled patterns; a statement uses few.
var expressions sync.Map

func compiled(pattern string) (*regexp.Regexp, error) {
	if re, ok := expressions.Load(pattern); ok {
		return re.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, newError("INVALID_PARAMETER_VALUE.PATTERN", "22023", "The value of parameter(s) `regexp` is invalid: '%s'. The sandbox knows RE2 expressions only (no look-around, no back references).", pattern)
	}
	expressions.Store(pattern, re)
	return re, nil
}

func regexGroup(a []driver.Value) (*regexp.Regexp, int, error) {
	re, err := compiled(text(a[1]))
	if err != nil {
		return nil, 0, err
	}
	group := int64(min(1, re.NumSubexp()))
	if len(a) == 3 {
		group = integer(a[2])
	}
	if group < 0 || group > int64(re.NumSubexp()) {
		return nil, 0, newError("INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX", "22023", "The value of parameter(s) `idx` is invalid: Expects group index between 0 and %d, but got %d.", re.NumSubexp(), group)
	}
	return re, int(group), nil
}

// substring is 1-based; a negative start counts from the end.
func substring(r []rune, start, n int64) string {
	size := int64(len(r))
	begin := start - 1
	if start < 0 {
		begin = size + start
	} else if start == 0 {
		begin = 0
	}
	end := begin + max(n, 0)
	begin, end = min(max(begin, 0), size), min(max(end, 0), size)
	if end < begin {
		return ""
	}
	return string(r[begin:end])
}

func padded(a []driver.Value, left bool) (any, error) {
	s, n, pad := []rune(text(a[0])), integer(a[1]), []rune(" ")
	if len(a) == 3 {
		pad = []rune(text(a[2]))
	}
	if n > maxText {
		return nil, errTooLong("lpad")
	}
	if n <= int64(len(s)) || len(pad) == 0 {
		return string(s[:min(max(n, 0), int64(len(s)))]), nil
	}
	fill := make([]rune, 0, n)
	for int64(len(fill)+len(s)) < n {
		fill = append(fill, pad[len(fill)%len(pad)])
	}
	if left {
		return string(fill) + string(s), nil
	}
	return string(s) + string(fill), nil
}

// hashOf is not Spark's Murmur3: equal inputs give equal hashes, no more.
func hashOf(a []driver.Value) uint64 {
	h := fnv.New64a()
	for _, v := range a {
		fmt.Fprintf(h, "%T:%v;", v, v)
	}
	return h.Sum64()
}

func jsonText(v any) (any, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
