package tools

import (
	"strconv"
	"strings"
)

// maxServingName is how long names of endpoints and served entities may be.
const maxServingName = 63

const agentPrefix = "agents_"

// agentEndpointName is the endpoint of a model that nobody named another one for.
// Two long names may be cut to the same.
func agentEndpointName(model string) string {
	return cutName(agentPrefix+dashed(model), maxServingName)
}

// servedEntityName keeps the version of a model whose name is too long.
func servedEntityName(model, version string) string {
	version = "_" + version
	return cutName(dashed(model), maxServingName-len(version)) + version
}

func dashed(model string) string { return strings.ReplaceAll(model, ".", "-") }

// cutName cuts a name to n bytes, and no character in half.
func cutName(name string, n int) string {
	if len(name) <= n {
		return name
	}
	return strings.TrimSuffix(cutText(name, n), "\uFFFD")
}

// tablePrefixes are the prefixes of inference tables to be tried: the model's own
// name, then with a number. The last resort is not among them.
func tablePrefixes(base string) []string {
	prefixes := []string{base}
	for i := 1; i < 20; i++ {
		prefixes = append(prefixes, base+"_"+strconv.Itoa(i))
	}
	return prefixes
}

// splitModel is a full name of a model in its parts.
func splitModel(name string) (catalog, schema, base string, ok bool) {
	parts := strings.Split(name, ".")
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" || strings.ContainsAny(name, "`/ ") {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}
