package sqlguard

import "strings"

type refusedCall struct{ reason, instead string }

// refusedFunction says why a built-in function is no read: it acts, calls out
// of the warehouse, or returns a credential. It is nil for every other name.
func refusedFunction(name string) *refusedCall {
	switch name {
	case "secret", "try_secret":
		return &refusedCall{name + " returns a credential", "Leave secrets out of queries; secrets_list shows which there are."}
	case "list_secrets":
		return &refusedCall{name + " lists secrets", "Use secrets_list."}
	case "http_request":
		return &refusedCall{name + " sends a request to another system", useWrite}
	case "remote_query":
		return &refusedCall{name + " runs a statement in another database", "Query a foreign catalog, or use sql_execute_statement."}
	case "vector_search":
		return &refusedCall{name + " calls a search endpoint, which costs and leaves the warehouse", useWrite}
	case "reflect", "try_reflect", "java_method":
		return &refusedCall{name + " calls a method of Java", useWrite}
	case "from_avro", "to_avro", "from_protobuf", "to_protobuf", "schema_of_avro":
		return &refusedCall{name + " may ask a schema registry", useWrite}
	case "cloud_files_state", "read_state_metadata", "read_statestore", "read_kafka", "read_kinesis", "read_pulsar", "read_pubsub":
		return &refusedCall{name + " reads outside of tables and volumes", useWrite}
	case "python_exec":
		return &refusedCall{name + " runs a program", useWrite}
	}
	if strings.HasPrefix(name, "ai_") {
		return &refusedCall{name + " calls a model, which costs and leaves the warehouse", useWrite}
	}
	return nil
}
