package catalog

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Hidden stands in results for a value that is a secret: some settings carry
// passwords in the clear (contract/clusters.md, section 7). Bind refuses to write
// it back, which would replace the secret by this text.
const Hidden = "(hidden by brickmcp)"

// cutValue finds what a shortened result has in place of the rest of a long text
// or list. Written back, it would replace the rest by this remark.
var cutValue = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`… \d+ more( bytes)?"`) })

// Members that are secrets wherever they stand, and words that make a setting of
// Spark one. A reference {{secrets/scope/key}} is no secret.
var (
	secretKeys  = []string{"password", "log_analytics_primary_key"}
	sparkMaps   = []string{"spark_conf", "spark_env_vars"}
	secretParts = []string{"secret", "token", "password", "passwd", "credential", "account.key", "access.key", "access_key", "api_key", "apikey", "private_key"}
)

// isSecret reports whether the text of member key inside parent is to be hidden.
func isSecret(parent, key, text string) bool {
	if text == "" || strings.HasPrefix(text, "{{secrets/") {
		return false
	}
	if slices.Contains(secretKeys, key) {
		return true
	}
	if !slices.Contains(sparkMaps, parent) {
		return false
	}
	key = strings.ToLower(key)
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(key, part) })
}
