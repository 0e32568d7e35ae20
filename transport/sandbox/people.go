package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Credentials of the seeded people. They open nothing but this workspace.
const (
	Token        = "dapi-sandbox-ana"                     // ana@example.com, workspace admin
	BenToken     = "dapi-sandbox-ben"                     // ben@example.com, member of analysts
	ClientID     = "5f2c8d1e-94b7-4c63-a0f8-3d7e61b9c254" // service principal etl-nightly, member of data-engineers
	ClientSecret = "dose-sandbox-etl-nightly"
)

// principal is who a request acts for.
type principal struct {
	ID               string // SCIM id, decimal
	UserName         string // e-mail, or application id of a service principal
	Display          string
	Groups           []string // names
	Admin            bool
	ServicePrincipal bool
}

func (p *principal) in(group string) bool { return slices.Contains(p.Groups, group) }

// accessToken is a bearer token and whom it speaks for. Personal access tokens
// do not expire.
type accessToken struct {
	id      string // SCIM id of the holder
	expires time.Time
	scopes  []string // nil: no limits
	session *session // of a user's sign-in, else nil
}

// dead says whether the sign-in that the token belongs to was revoked.
func (t accessToken) dead() bool { return t.session != nil && t.session.ended }

// people is the workspace's directory: users, groups, service principals, and
// the credentials of those that have any.
type people struct {
	signIns

	mu      sync.Mutex
	members []*member // users and service principals, in order of creation
	groups  []*group
	tokens  map[string]accessToken
	secrets map[string]string // application id -> OAuth secret
	key     []byte            // signs access tokens
	next    int64             // SCIM ids
	// numberedUsers: see Options.NumberedUsers
	numberedUsers bool
	life          time.Duration
}

func addPeople(w *Workspace) error {
	w.people = seedPeople(w.tokenLifetime)
	w.people.numberedUsers = w.numberedUsers
	var err error
	if w.people.signIns, err = newSignIns(w.oauthClients); err != nil {
		return err
	}
	w.people.serveSCIM(w)
	w.people.serveOAuth(w)
	return nil
}

// identify says who sent r, or why it cannot be told.
func (p *people) identify(r *http.Request, now time.Time) (*principal, *apiError) {
	refuse := func(why string) (*principal, *apiError) {
		return nil, failure(http.StatusUnauthorized, "UNAUTHENTICATED", why)
	}
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || bearer == "" {
		return refuse("Credential was not sent or was of an unsupported type for this API.")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	token, known := p.tokens[bearer]
	if !known {
		token, known = p.numbered(bearer)
	}
	if !known || token.dead() {
		return refuse("Invalid access token.")
	}
	if !token.expires.IsZero() && !now.Before(token.expires) {
		return refuse("Access token expired.")
	}
	m := p.find(token.id)
	if m == nil || !m.active {
		return refuse("The identity of this access token is deleted or deactivated.")
	}
	if refused := token.outOfScope(r.URL.Path); refused != nil {
		return nil, refused
	}
	return p.principal(m), nil
}

func (p *people) principal(m *member) *principal {
	names := p.groupNames(m.id)
	return &principal{
		ID: m.id, UserName: m.name, Display: m.display, Groups: names,
		Admin: slices.Contains(names, "admins"), ServicePrincipal: m.servicePrincipal,
	}
}
