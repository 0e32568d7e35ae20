package sandbox

import (
	"strconv"
	"strings"
)

// numberedToken is followed by the number of a user: see Options.NumberedUsers.
const numberedToken = "sandbox-user-"

// maxNumbered is the highest number of a user.
const maxNumbered = 1_000_000

// NumberedToken is the OAuth token of user-N@example.com, in a workspace with
// Options.NumberedUsers.
func NumberedToken(n int) string { return numberedToken + strconv.Itoa(n) }

// numbered makes the user that the token names, as long as it is nobody else's.
// Like an app's forwarded token it is an OAuth token. p.mu is held.
func (p *people) numbered(token string) (accessToken, bool) {
	digits, ok := strings.CutPrefix(token, numberedToken)
	n, err := strconv.Atoi(digits)
	if !p.numberedUsers || !ok || err != nil || n < 1 || n > maxNumbered || strconv.Itoa(n) != digits {
		return accessToken{}, false
	}
	m := &member{
		id: strconv.FormatInt(8_000_000_000_000_000+int64(n), 10), name: "user-" + digits + "@example.com",
		display: "User " + digits, given: "User", family: digits, active: true,
		entitlements: []string{"workspace-access", "databricks-sql-access"},
	}
	p.members = append(p.members, m)
	for _, g := range p.groups {
		if g.name == "users" || g.name == "analysts" {
			g.members = append(g.members, m.id)
		}
	}
	p.tokens[token] = accessToken{id: m.id, scopes: []string{allAPIs}}
	return p.tokens[token], true
}
