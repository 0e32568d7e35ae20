package main

import (
	"brickmcp/catalog"
	"brickmcp/tools"
	"brickmcp/transport/metrics"
	"brickmcp/transport/serve"
)

// count makes the counters of a server, which cost nothing where nobody reads them.
func (sh *shared) count(who users) {
	words := metrics.Vocabulary{Tools: []string{tools.WhoAmI().Name}, Reasons: serve.Reasons()}
	for _, row := range catalog.All() {
		words.Tools = append(words.Tools, row.Name)
	}
	sh.metrics = metrics.New(words)
	sh.metrics.Build(version)
	sh.metrics.Users(who.count)
}
