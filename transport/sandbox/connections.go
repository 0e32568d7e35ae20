package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
)

// connection is a Unity Catalog connection of type HTTP to an external MCP
// server, which has one tool here.
type connection struct {
	name, comment, owner string
	use                  []string // who holds USE CONNECTION
	perUser              bool     // each user signs in to it first
	tool, toolComment    string
	argument             string // the tool's one required argument, a string
	writes               bool
}

// connections is what the supervisor and the managed MCP servers know of the
// outside world.
type connections struct {
	all []connection

	mu     sync.Mutex
	signed map[[2]string]bool // user id, connection
	posted map[string]int     // messages that writing tools have sent, by connection
}

func addConnections(w *Workspace) error {
	w.connections = &connections{signed: map[[2]string]bool{}, posted: map[string]int{}, all: []connection{
		{name: "web_search", comment: "Search of the public web", owner: anaName, use: []string{everyone}, tool: "you-search", toolComment: "Search the web", argument: "query"},
		{name: "crm", comment: "Customer accounts; each user signs in with the own account", owner: anaName, use: []string{everyone}, perUser: true, tool: "find-account", toolComment: "Find a customer's account", argument: "name"},
		{name: "team_chat", comment: "Messages to the channels of the data team", owner: "data-engineers", use: []string{"data-engineers"}, tool: "post-message", toolComment: "Post a message to the team's channel", argument: "text", writes: true},
	}}
	w.open("GET "+signInPath+"{name}", w.connections.visit)
	return nil
}

// signInPath is where a user signs in to a connection.
const signInPath = "/explore/connections/"

// find returns nil for an unknown name.
func (cs *connections) find(name string) *connection {
	for i := range cs.all {
		if cs.all[i].name == name {
			return &cs.all[i]
		}
	}
	return nil
}

// mayUse says whether user holds USE CONNECTION.
func (c *connection) mayUse(user *principal) bool {
	return user.Admin || is(user, c.owner) || slices.ContainsFunc(c.use, func(who string) bool { return is(user, who) })
}

// signIn makes a per-user connection usable for a user.
func (cs *connections) signIn(userID, name string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.signed[[2]string{userID, name}] = true
}

// signedIn is true for connections with shared credentials.
func (cs *connections) signedIn(userID string, c *connection) bool {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return !c.perUser || cs.signed[[2]string{userID, c.name}]
}

// signInURL is the page that the real service sends a user to; base is the
// workspace's address. Here a visit is enough.
func (c *connection) signInURL(base, userID string) string {
	return base + signInPath + url.PathEscape(c.name) + "?" + url.Values{"o": {ID}, "user": {userID}}.Encode()
}

// visit is a person's visit of the sign-in page.
func (cs *connections) visit(r *request) (any, error) {
	c := cs.find(r.PathValue("name"))
	if c == nil {
		return nil, failure(http.StatusNotFound, "CONNECTION_DOES_NOT_EXIST", "Connection '"+r.PathValue("name")+"' does not exist.")
	}
	cs.signIn(r.URL.Query().Get("user"), c.name)
	return object{"connection": c.name, "status": "signed in"}, nil
}

// call runs the connection's tool, which answers the same to the same question.
func (cs *connections) call(c *connection, argument string) string {
	switch {
	case c.writes:
		cs.mu.Lock()
		defer cs.mu.Unlock()
		cs.posted[c.name]++
		return "Posted: " + argument
	case c.perUser:
		return "Account of " + argument + ": segment business, open tickets 2, owner " + benName
	}
	slug := url.QueryEscape(argument)
	return "1. " + argument + " (overview), https://example.com/wiki?q=" + slug + "\n2. " + argument + " (news), https://example.org/news?q=" + slug
}
