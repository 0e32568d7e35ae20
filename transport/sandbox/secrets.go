package sandbox

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// secrets is the state behind /api/2.0/secrets (contract secrets.md).
type secrets struct {
	mu     sync.Mutex              // held by every handler
	scopes map[string]*secretScope // by lower-case name: names are unique regardless of case
}

type secretScope struct {
	name   string
	vault  object // keyvault_metadata of a scope that lives in Azure Key Vault, read-only here
	acl    acl    // principal -> READ, WRITE, MANAGE
	values map[string]secretValue
}

type secretValue struct {
	bytes   []byte
	updated time.Time
}

const (
	maxSecretScopes = 1000
	maxSecrets      = 1000 // per scope
	maxSecretBytes  = 128 << 10
	maxSecretName   = 128
)

func addSecrets(w *Workspace) error {
	s := &secrets{scopes: map[string]*secretScope{}}
	w.secrets = s
	s.seed(w.clock.Now())
	on := func(pattern string, h handler) { w.on(pattern, locked(&s.mu, h)) }
	const root = "/api/2.0/secrets/"
	on("GET "+root+"scopes/list", s.listScopes)
	on("POST "+root+"scopes/create", s.createScope)
	on("POST "+root+"scopes/delete", s.deleteScope)
	on("GET "+root+"list", s.list)
	on("GET "+root+"get", s.get)
	on("POST "+root+"put", s.put)
	on("POST "+root+"delete", s.delete)
	on("GET "+root+"acls/list", s.listACLs)
	on("GET "+root+"acls/get", s.getACL)
	on("POST "+root+"acls/put", s.putACL)
	on("POST "+root+"acls/delete", s.deleteACL)
	return nil
}

var secretName = regexp.MustCompile(`^[A-Za-z0-9_.@-]+$`)

func checkSecretName(field, name string) error {
	switch {
	case name == "":
		return badArgument("Missing required field: " + field)
	case len(name) > maxSecretName:
		return badArgument(fmt.Sprintf("The %s must be at most %d characters long, got %d", field, maxSecretName, len(name)))
	case !secretName.MatchString(name):
		return badArgument("The " + field + " may hold only letters, digits, dashes, underscores, periods and @")
	}
	return nil
}

var secretLevels = []string{"READ", "WRITE", "MANAGE"}

// scope looks one up and checks the caller's level on it. Needs s.mu held.
func (s *secrets) scope(user *principal, name, level string) (*secretScope, error) {
	if name == "" {
		return nil, badArgument("Missing required field: scope")
	}
	scope := s.scopes[strings.ToLower(name)]
	if scope == nil {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Scope "+name+" does not exist!")
	}
	if user.Admin {
		return scope, nil
	}
	for who, has := range scope.acl {
		if (who == user.UserName || user.in(who)) && slices.Index(secretLevels, has) >= slices.Index(secretLevels, level) {
			return scope, nil
		}
	}
	return nil, denied(fmt.Sprintf("User %s does not have %s permission on scope %s", user.UserName, level, name))
}

func (s *secrets) listScopes(r *request) (any, error) {
	var rows []object
	for _, key := range slices.Sorted(maps.Keys(s.scopes)) {
		scope := s.scopes[key]
		row := object{"name": scope.name, "backend_type": "DATABRICKS"}
		if scope.vault != nil {
			row["backend_type"], row["keyvault_metadata"] = "AZURE_KEYVAULT", scope.vault
		}
		rows = append(rows, row)
	}
	if rows == nil {
		return object{}, nil
	}
	return object{"scopes": rows}, nil
}

func (s *secrets) createScope(r *request) (any, error) {
	var body struct {
		Scope   string `json:"scope"`
		Initial string `json:"initial_manage_principal"`
		Backend string `json:"scope_backend_type"`
		Vault   object `json:"backend_azure_keyvault"`
	}
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if err := checkSecretName("scope", body.Scope); err != nil {
		return nil, err
	}
	if body.Initial != "" && body.Initial != "users" {
		return nil, badArgument("initial_manage_principal must be `users` or absent, not `" + body.Initial + "`")
	}
	switch body.Backend {
	case "", "DATABRICKS":
	case "AZURE_KEYVAULT":
		return nil, failure(http.StatusBadRequest, "UNAUTHENTICATED", "Scope with Azure KeyVault must have a Microsoft Entra user token")
	default:
		return nil, badArgument("Invalid scope_backend_type " + body.Backend + ". Valid values are: DATABRICKS, AZURE_KEYVAULT")
	}
	key := strings.ToLower(body.Scope)
	if s.scopes[key] != nil {
		return nil, failure(http.StatusBadRequest, "RESOURCE_ALREADY_EXISTS", "Scope "+body.Scope+" already exists!")
	}
	if len(s.scopes) >= maxSecretScopes {
		return nil, failure(http.StatusBadRequest, "RESOURCE_LIMIT_EXCEEDED", fmt.Sprintf("The workspace already has %d secret scopes, which is the limit", maxSecretScopes))
	}
	manager := body.Initial
	if manager == "" {
		manager = r.user.UserName
	}
	s.scopes[key] = &secretScope{name: body.Scope, acl: acl{manager: "MANAGE"}, values: map[string]secretValue{}}
	return nil, nil
}

// secretKey is the body that names a scope or a secret.
type secretKey struct {
	Scope string `json:"scope"`
	Key   string `json:"key"`
}

func (s *secrets) deleteScope(r *request) (any, error) {
	var body secretKey
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	if _, err := s.scope(r.user, body.Scope, "MANAGE"); err != nil {
		return nil, err
	}
	delete(s.scopes, strings.ToLower(body.Scope))
	return nil, nil
}

func (s *secrets) list(r *request) (any, error) {
	scope, err := s.scope(r.user, r.URL.Query().Get("scope"), "READ")
	if err != nil {
		return nil, err
	}
	var rows []object
	for _, key := range slices.Sorted(maps.Keys(scope.values)) {
		rows = append(rows, object{"key": key, "last_updated_timestamp": millis(scope.values[key].updated)})
	}
	if rows == nil {
		return object{}, nil
	}
	return object{"secrets": rows}, nil
}

// put creates or overwrites. Its errors never quote a value.
func (s *secrets) put(r *request) (any, error) {
	var body struct {
		secretKey
		Text  string `json:"string_value"`
		Bytes string `json:"bytes_value"`
	}
	if err := r.decode(&body); err != nil {
		return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "Could not parse request object: scope, key, string_value and bytes_value must be strings")
	}
	value := []byte(body.Text)
	switch {
	case body.Text == "" && body.Bytes == "": // an empty string counts as not given
		return nil, badArgument("Exactly one of string_value and bytes_value must be given; neither is")
	case body.Text != "" && body.Bytes != "":
		return nil, failure(http.StatusBadRequest, "MALFORMED_REQUEST", "Exactly one of string_value and bytes_value must be given; both are")
	case body.Bytes != "":
		decoded, err := base64.StdEncoding.DecodeString(body.Bytes)
		if err != nil {
			return nil, badArgument("bytes_value is not valid base64")
		}
		value = decoded
	case !utf8.ValidString(body.Text):
		return nil, badArgument("string_value is not valid UTF-8")
	}
	scope, err := s.scope(r.user, body.Scope, "WRITE")
	if err != nil {
		return nil, err
	}
	if err := checkSecretName("key", body.Key); err != nil {
		return nil, err
	}
	_, known := scope.values[body.Key]
	switch {
	case scope.vault != nil:
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "Scope "+scope.name+" is backed by Azure Key Vault and read-only here")
	case len(value) > maxSecretBytes:
		return nil, badArgument(fmt.Sprintf("The secret value is %d bytes long; at most %d are allowed", len(value), maxSecretBytes))
	case !known && len(scope.values) >= maxSecrets:
		return nil, failure(http.StatusBadRequest, "RESOURCE_LIMIT_EXCEEDED", fmt.Sprintf("Scope %s already has %d secrets, which is the limit", scope.name, maxSecrets))
	}
	scope.values[body.Key] = secretValue{value, r.now}
	return nil, nil
}

func (s *secrets) get(r *request) (any, error) {
	key := r.URL.Query().Get("key")
	scope, err := s.scope(r.user, r.URL.Query().Get("scope"), "READ")
	if err != nil {
		return nil, err
	}
	v, ok := scope.values[key]
	if !ok {
		return nil, noSecret(scope, key)
	}
	return object{"key": key, "value": base64.StdEncoding.EncodeToString(v.bytes)}, nil
}

func noSecret(scope *secretScope, key string) error {
	return failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Failed to get secret "+key+" for scope "+scope.name)
}

func (s *secrets) delete(r *request) (any, error) {
	var body secretKey
	if err := r.decode(&body); err != nil {
		return nil, err
	}
	scope, err := s.scope(r.user, body.Scope, "WRITE")
	if err != nil {
		return nil, err
	}
	if scope.vault != nil {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "Scope "+scope.name+" is backed by Azure Key Vault and read-only here")
	}
	if _, ok := scope.values[body.Key]; !ok {
		return nil, noSecret(scope, body.Key)
	}
	delete(scope.values, body.Key)
	return nil, nil
}

// unreadable is the name of an environment variable that refers to a secret,
// {{secrets/scope/key}}, which does not exist or which user may not read.
func (s *secrets) unreadable(user *principal, environment map[string]string) (name string, bad bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		path, ok := strings.CutPrefix(environment[name], "{{secrets/")
		if !ok {
			continue
		}
		at, key, _ := strings.Cut(strings.TrimSuffix(path, "}}"), "/")
		scope, err := s.scope(user, at, "READ")
		if err != nil {
			return name, true
		}
		if _, ok := scope.values[key]; !ok {
			return name, true
		}
	}
	return "", false
}
