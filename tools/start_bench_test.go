package tools

import (
	"encoding/json"
	"testing"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		newServer(b, answering(), nil)
	}
}

func BenchmarkListTools(b *testing.B) {
	s := newServer(b, answering(), nil)
	for b.Loop() {
		response := s.MCP().HandleMessage(b.Context(), []byte(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
		if _, err := json.Marshal(response); err != nil {
			b.Fatal(err)
		}
	}
}
