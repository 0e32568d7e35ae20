package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// member is a user or a service principal of the directory.
type member struct {
	id               string // SCIM id, decimal
	name             string // e-mail, or application id
	display          string
	given, family    string // users only
	external         string
	active           bool
	servicePrincipal bool
	entitlements     []string
	roles            []string // AWS instance profiles
}

type group struct {
	id      string
	name    string
	members []string // SCIM ids
}

// find needs p.mu held, like everything below.
func (p *people) find(id string) *member {
	for _, m := range p.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

func (p *people) group(id string) *group {
	for _, g := range p.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

func (p *people) groupsOf(id string) []*group {
	var in []*group
	for _, g := range p.groups {
		if slices.Contains(g.members, id) {
			in = append(in, g)
		}
	}
	return in
}

func (p *people) groupNames(id string) []string {
	var names []string
	for _, g := range p.groupsOf(id) {
		names = append(names, g.name)
	}
	return names
}

// newID makes the next SCIM id: decimal, 16 digits like the seeded ones.
func (p *people) newID() string {
	p.next++
	return strconv.FormatInt(6104882917350000+p.next*7919, 10)
}

// newApplicationID makes a UUID that depends on the SCIM id alone, so that the
// same calls give the same answers in every process.
func newApplicationID(scimID string) string {
	mac := hmac.New(sha256.New, []byte("application id"))
	mac.Write([]byte(scimID))
	h := hex.EncodeToString(mac.Sum(nil))
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", h[:8], h[8:12], h[13:16], h[17:20], h[20:32])
}

// seedPeople is the staff of a small retail company and its machines.
func seedPeople(life time.Duration) *people {
	p := &people{life: life, tokens: map[string]accessToken{}, secrets: map[string]string{}}
	for _, g := range []group{{id: "1001", name: "admins"}, {id: "1002", name: "users"}, {id: "1003", name: "analysts"}, {id: "1004", name: "data-engineers"}} {
		p.groups = append(p.groups, &group{id: "84710293650" + g.id, name: g.name})
	}
	add := func(m member, groups ...string) {
		m.active = true
		p.members = append(p.members, &m)
		for _, g := range p.groups {
			if slices.Contains(groups, g.name) {
				g.members = append(g.members, m.id)
			}
		}
	}
	user := func(id, given, family string, entitlements []string, groups ...string) {
		add(member{
			id: id, name: firstLower(given) + "@example.com", display: given + " " + family, given: given, family: family,
			entitlements: entitlements,
		}, append(groups, "users")...)
	}
	user("4017365028491736", "Ana", "Alvarez", []string{"workspace-access", "databricks-sql-access", "allow-cluster-create"}, "admins", "data-engineers")
	user("5820174639201745", "Ben", "Okafor", []string{"workspace-access", "databricks-sql-access"}, "analysts")
	user("7391046285103942", "Carla", "Rossi", []string{"workspace-access", "databricks-sql-access", "allow-cluster-create"}, "data-engineers")
	user("2648093715520481", "Deniz", "Kaya", []string{"workspace-access", "databricks-sql-access"}, "analysts")
	user("9105827364410297", "Erik", "Lindqvist", []string{"workspace-access"})

	service := func(id, application, display string, entitlements []string, groups ...string) {
		add(member{id: id, name: application, display: display, servicePrincipal: true, entitlements: entitlements}, append(groups, "users")...)
	}
	service("3302918475610228", ClientID, "etl-nightly", []string{"workspace-access", "allow-cluster-create"}, "data-engineers")
	service("3317450926718340", "b7a1c3e9-2d54-4f08-8e6b-71f0a94d3c15", "bi-dashboards", []string{"databricks-sql-access"}, "analysts")
	service("3329087164530912", "0c9e4b72-6a1f-4d3e-9b58-e2f7d60c8a41", "ml-serving", []string{"workspace-access"})
	service("3340192837465510", "d41f8a06-b3c9-47e2-a5d7-906ec82b1f73", "terraform-ci", []string{"workspace-access", "allow-cluster-create", "allow-instance-pool-create"}, "admins")
	service("3351728394056127", "8e27b5d0-f146-4a9c-bd03-5c71e8f2a69d", "dbt-runner", []string{"databricks-sql-access"}, "data-engineers")
	service("3362839405617238", "1b6d93fa-0e85-42c7-96a4-d8f35b0e7c21", "airbyte-sync", []string{"workspace-access"}, "data-engineers")
	service("3373940516728349", "f5083c6e-7d92-4b1a-8c4f-a6e91d27b508", "feature-store-writer", []string{"workspace-access"})
	service("3384051627839450", "6a94e1d7-c820-4f5b-93be-0d7f2c8561ea", "inventory-forecast", []string{"workspace-access"})
	service("3395162738940561", "29c7f0b4-5e1d-4863-ae92-b3d04c6f871a", "fraud-scoring", []string{"workspace-access"})
	service("3406273849051672", "c3e85a19-84d6-4270-b7f1-2e90d5ab6c4f", "loyalty-export", []string{"databricks-sql-access"})
	service("3417384950162783", "7d02f6c8-193b-4ea5-a0d4-f8b61c93e57d", "monitoring-agent", nil)
	service("3428495061273894", "e86b1d45-a70f-4c92-8d3a-6150f7c4b9e2", "legacy-sqoop-import", []string{"workspace-access"})
	p.members[len(p.members)-1].active = false // retired, still listed

	p.tokens[Token] = accessToken{id: "4017365028491736"}
	p.tokens[BenToken] = accessToken{id: "5820174639201745"}
	p.secrets[ClientID] = ClientSecret
	sum := sha256.Sum256([]byte("signing key of workspace " + ID))
	p.key = sum[:]
	return p
}

func firstLower(s string) string { return string(s[0]|0x20) + s[1:] }
