//go:build conformance

package main

import (
	"net/http"

	"brickmcp/testdata/conformance"

	"go.uber.org/zap"
)

// withFixtures adds what the official conformance suite calls by name. The suite
// cannot send headers, so here requests have the secret from the start; everything
// behind that is the product.
func withFixtures(who users, c *config, log *zap.Logger) users {
	person, ok := who.(*local)
	if !ok {
		return who
	}
	log.Warn("this build is for tests: whoever can reach the port is served")
	conformance.Add(person.app.tools.MCP())
	return &known{local: person, file: c.bearerFile()}
}

// known is a person whose requests need no secret.
type known struct {
	*local
	file secretFile
}

func (k *known) strip(h http.Header) {
	k.local.strip(h)
	if secret, err := k.file.read(); err == nil {
		h.Set("Authorization", "Bearer "+secret)
	}
}
