package main

import (
	"brickmcp/tools"
	"brickmcp/transport/metrics"
	"brickmcp/transport/serve"
)

// observe counts the answers of workspaces, if somebody reads the counters.
func (sh *shared) observe() func(status int) {
	if sh.metrics == nil {
		return nil
	}
	return sh.metrics.Upstream
}

// newMetrics are the counters of a server. Where nobody reads them there are none.
func (c *config) newMetrics() *metrics.Metrics {
	if c.adminListen == "" {
		return nil
	}
	m := metrics.New(metrics.Vocabulary{Tools: tools.Names(), Outcomes: tools.Outcomes(), Reasons: serve.Reasons()})
	m.Build(version)
	return m
}
