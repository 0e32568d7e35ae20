package policy

import (
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// assistantAgent is the kind of a knowledge assistant among agents.
const assistantAgent = "knowledge_assistants"

// HostedTool is what a tool of a Supervisor run reaches: whoever has an agent call a
// function calls it. What an app or a connection reaches, nobody can say.
func HostedTool(tool gjson.Result) []Object {
	if !tool.IsObject() {
		return nil
	}
	var objects []Object
	add := func(scope catalog.Scope, prefix string, config gjson.Result, member string) {
		// Not Get: which of two equal keys the service takes is not known.
		config.ForEach(func(key, value gjson.Result) bool {
			if strings.EqualFold(key.Str, member) && value.Str != "" {
				objects = append(objects, Object{Scope: scope, ID: prefix + value.Str})
			}
			return true
		})
	}
	tool.ForEach(func(key, config gjson.Result) bool {
		switch kind := strings.ToLower(key.Str); {
		case !config.IsObject():
		case kind == "uc_function":
			add(catalog.ScopeFunctions, "", config, "name")
		case kind == "genie_space":
			add(catalog.ScopeAgents, "genie/", config, "id")
		case kind == "app":
			add(catalog.ScopeAgents, "apps/", config, "name")
		case kind == "knowledge_assistant":
			add(catalog.ScopeAgents, assistantAgent+"/", config, "knowledge_assistant_id")
		}
		return true
	})
	return objects
}
