package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

const secretsPath = "/api/2.0/secrets/"

func TestSecretsLife(t *testing.T) {
	ana, _, clock := newCallers(t)
	ana.call("POST", secretsPath+"scopes/create", object{"scope": "mine"})
	if got := ana.get(secretsPath + "list?scope=mine"); len(got) != 0 {
		t.Error("an empty scope has no array:", got)
	}
	ana.call("POST", secretsPath+"put", object{"scope": "mine", "key": "a", "string_value": "s3cret"})
	ana.call("POST", secretsPath+"put", object{"scope": "MINE", "key": "b", "bytes_value": base64.StdEncoding.EncodeToString([]byte{0, 255})})
	listed := ana.get(secretsPath + "list?scope=mine")["secrets"].([]any)
	if got := names(listed, "key"); !reflect.DeepEqual(got, []string{"a", "b"}) {
		t.Error(got)
	}
	if at := listed[0].(map[string]any)["last_updated_timestamp"]; at != json.Number(fmt.Sprint(clock.Now().UnixMilli())) {
		t.Error(at)
	}
	clock.advance(time.Hour)
	ana.call("POST", secretsPath+"put", object{"scope": "mine", "key": "a", "string_value": "other"}) // overwrites
	if got := ana.get(secretsPath + "get?scope=mine&key=a"); got["value"] != base64.StdEncoding.EncodeToString([]byte("other")) {
		t.Error(got)
	}
	ana.call("POST", secretsPath+"delete", object{"scope": "mine", "key": "a"})
	ana.refused("POST", secretsPath+"delete", object{"scope": "mine", "key": "a"}, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.call("POST", secretsPath+"scopes/delete", object{"scope": "mine"})
	if why := ana.refused("GET", secretsPath+"list?scope=mine", nil, 404, "RESOURCE_DOES_NOT_EXIST"); why != "Scope mine does not exist!" {
		t.Error(why)
	}
	scopes := ana.get(secretsPath + "scopes/list")["scopes"].([]any)
	if got := names(scopes, "name"); !reflect.DeepEqual(got, []string{"analytics", "etl", "ml", "payments-prod"}) {
		t.Error(got)
	}
	if vault := scopes[3].(map[string]any); vault["backend_type"] != "AZURE_KEYVAULT" || vault["keyvault_metadata"] == nil {
		t.Error(vault)
	}
}

func TestSecretLimits(t *testing.T) {
	ana, _, _ := newCallers(t)
	put := func(key string, more object) object {
		return with(object{"scope": "ml", "key": key}, more)
	}
	value := func(n int) object { return object{"string_value": strings.Repeat("v", n)} }
	ana.call("POST", secretsPath+"put", put(strings.Repeat("k", 128), value(128<<10)))
	for name, c := range map[string]struct {
		body object
		code string
	}{
		"long key":    {put(strings.Repeat("k", 129), value(1)), "INVALID_PARAMETER_VALUE"},
		"odd key":     {put("a b", value(1)), "INVALID_PARAMETER_VALUE"},
		"no key":      {put("", value(1)), "INVALID_PARAMETER_VALUE"},
		"big value":   {put("k", value(128<<10+1)), "INVALID_PARAMETER_VALUE"},
		"no value":    {put("k", object{}), "INVALID_PARAMETER_VALUE"},
		"empty value": {put("k", value(0)), "INVALID_PARAMETER_VALUE"},
		"two values":  {put("k", object{"string_value": "hush", "bytes_value": "aHVzaA=="}), "MALFORMED_REQUEST"},
		"not base64":  {put("k", object{"bytes_value": "hush!"}), "INVALID_PARAMETER_VALUE"},
		"wrong type":  {put("k", object{"string_value": []string{"hush"}}), "MALFORMED_REQUEST"},
		"key vault":   {object{"scope": "payments-prod", "key": "k", "string_value": "hush"}, "BAD_REQUEST"},
	} {
		if why := ana.refused("POST", secretsPath+"put", c.body, 400, c.code); strings.Contains(why, "hush") {
			t.Errorf("%s: the error repeats the value: %s", name, why)
		}
	}
	ana.refused("POST", secretsPath+"put", object{"scope": "nope", "key": "k", "string_value": "v"}, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.call("POST", secretsPath+"scopes/create", object{"scope": "full"})
	for n := range maxSecrets {
		ana.call("POST", secretsPath+"put", object{"scope": "full", "key": fmt.Sprint(n), "string_value": "v"})
	}
	ana.refused("POST", secretsPath+"put", object{"scope": "full", "key": "more", "string_value": "v"}, 400, "RESOURCE_LIMIT_EXCEEDED")
	ana.call("POST", secretsPath+"put", object{"scope": "full", "key": "7", "string_value": "w"}) // replacing is no new secret

	create := secretsPath + "scopes/create"
	ana.refused("POST", create, object{"scope": "ETL"}, 400, "RESOURCE_ALREADY_EXISTS") // names are unique regardless of case
	ana.refused("POST", create, object{"scope": strings.Repeat("s", 129)}, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", create, object{"scope": "x", "initial_manage_principal": "analysts"}, 400, "INVALID_PARAMETER_VALUE")
	ana.refused("POST", create, object{"scope": "x", "scope_backend_type": "AZURE_KEYVAULT"}, 400, "UNAUTHENTICATED")
	for n := range maxSecretScopes - 5 {
		ana.call("POST", create, object{"scope": fmt.Sprint("scope-", n)})
	}
	ana.refused("POST", create, object{"scope": "one-too-many"}, 400, "RESOURCE_LIMIT_EXCEEDED")
}

func TestSecretACLs(t *testing.T) {
	ana, ben, _ := newCallers(t)
	value := object{"key": "k", "string_value": "v"}
	list := func(scope string) string { return secretsPath + "list?scope=" + scope }

	ben.get(list("analytics")) // READ through his group
	ben.refused("POST", secretsPath+"put", with(object{"scope": "analytics"}, value), 403, "PERMISSION_DENIED")
	ben.call("POST", secretsPath+"put", with(object{"scope": "ml"}, value)) // WRITE of his own
	ben.refused("GET", secretsPath+"acls/list?scope=ml", nil, 403, "PERMISSION_DENIED")
	ben.refused("GET", list("etl"), nil, 403, "PERMISSION_DENIED")
	ben.refused("POST", secretsPath+"scopes/delete", object{"scope": "ml"}, 403, "PERMISSION_DENIED")

	ana.call("POST", secretsPath+"acls/put", object{"scope": "etl", "principal": "ben@example.com", "permission": "READ"})
	ben.get(list("etl"))
	if got := ana.get(secretsPath + "acls/get?scope=etl&principal=ben@example.com"); got["permission"] != "READ" {
		t.Error(got)
	}
	if got := names(ana.get(secretsPath + "acls/list?scope=etl")["items"], "principal"); !reflect.DeepEqual(got, []string{ClientID, "ben@example.com", "data-engineers"}) {
		t.Error(got)
	}
	ana.call("POST", secretsPath+"acls/delete", object{"scope": "etl", "principal": "ben@example.com"})
	ben.refused("GET", list("etl"), nil, 403, "PERMISSION_DENIED")
	ana.refused("POST", secretsPath+"acls/delete", object{"scope": "etl", "principal": "ben@example.com"}, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.refused("GET", secretsPath+"acls/get?scope=etl&principal=nobody", nil, 404, "RESOURCE_DOES_NOT_EXIST")
	ana.refused("POST", secretsPath+"acls/put", object{"scope": "etl", "principal": "x", "permission": "OWN"}, 400, "INVALID_PARAMETER_VALUE")

	ben.call("POST", secretsPath+"scopes/create", object{"scope": "bens"}) // the maker manages
	ben.get(secretsPath + "acls/list?scope=bens")
}
