package runs

import (
	"net/http"
	"slices"
	"strings"

	"brickmcp/catalog"
)

// Asleep reports that a serving endpoint refused a request before any agent saw it,
// because it comes up from zero: contract/serving.md, section 3. Such a request alone
// may be sent again. Any other 503 may come from behind the agent, when it has acted
// already, as may a 504: neither the status nor its code proves anything, and the
// words must be the endpoint's own, not those of another one that the agent asked.
func Asleep(err error) bool {
	if httpStatus(err) != http.StatusServiceUnavailable {
		return false
	}
	said := strings.ToLower(catalog.AsError(err).Message)
	has := func(word string) bool { return strings.Contains(said, word) }
	return slices.ContainsFunc([]string{"scaled to zero", "scale from zero", "scaling from zero", "scaling up from zero"}, has) &&
		!slices.ContainsFunc([]string{"traceback", "error code:", "exception"}, has)
}
