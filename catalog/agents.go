package catalog

// Deployed agents: contract/agents.md and serving.md.

func agentRows() []*Row { return nil }
