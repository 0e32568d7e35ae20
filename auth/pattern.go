package auth

import (
	"regexp"
	"sync"
)

// pattern compiles at first use: the patterns of this package together would
// take a sixth of the time in which the server starts.
func pattern(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}
