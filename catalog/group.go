package catalog

import (
	"strconv"
	"time"
)

// Level is how much of a group an agent may use.
type Level uint8

// The access levels, in rising order.
const (
	LevelOff Level = iota
	LevelRead
	LevelFull
)

var levelWords = [...]string{LevelOff: "off", LevelRead: "read", LevelFull: "full"}

// Levels lists the words of all levels, lowest first.
func Levels() []string { return append([]string(nil), levelWords[:]...) }

func (l Level) String() string {
	if int(l) < len(levelWords) {
		return levelWords[l]
	}
	return "invalid"
}

// ParseLevel reads off, read or full.
func ParseLevel(word string) (Level, bool) {
	for l, w := range levelWords {
		if w == word {
			return Level(l), true
		}
	}
	return LevelOff, false
}

// Group is an area of the workspace: the unit of access, and the section of a
// row in the documentation.
type Group struct {
	ID       string   // as in --access
	Title    string   // as in documentation
	Prefixes []string // that tool names of the group begin with, without the underscore
}

// The groups: those of the capability map, then what stands beyond it.
var (
	Jobs              = &Group{ID: "jobs", Title: "Jobs", Prefixes: []string{"jobs"}}
	Clusters          = &Group{ID: "clusters", Title: "Clusters", Prefixes: []string{"clusters"}}
	Warehouses        = &Group{ID: "warehouses", Title: "SQL warehouses", Prefixes: []string{"warehouses"}}
	SQL               = &Group{ID: "sql", Title: "SQL", Prefixes: []string{"sql"}}
	UnityCatalog      = &Group{ID: "unity_catalog", Title: "Unity Catalog", Prefixes: []string{"uc"}}
	Files             = &Group{ID: "files", Title: "Files", Prefixes: []string{"files", "dbfs"}}
	Workspace         = &Group{ID: "workspace", Title: "Workspace", Prefixes: []string{"workspace"}}
	Secrets           = &Group{ID: "secrets", Title: "Secrets", Prefixes: []string{"secrets"}}
	ServicePrincipals = &Group{ID: "service_principals", Title: "Service principals", Prefixes: []string{"service_principals"}}
	Supervisor        = &Group{ID: "supervisor", Title: "Supervisor runs", Prefixes: []string{"supervisor"}}
	Agents            = &Group{ID: "agents", Title: "Agents", Prefixes: []string{"agents"}}
	Managed           = &Group{ID: "managed", Title: "Managed MCP servers", Prefixes: []string{"managed"}}
)

// Groups lists all groups in the order of the book.
func Groups() []*Group {
	return []*Group{Jobs, Clusters, Warehouses, SQL, UnityCatalog, Files, Workspace, Secrets, ServicePrincipals, Supervisor, Agents, Managed}
}

// Limit is a documented request rate of the workspace. The zero value is
// "standard": no documented rate, so none is kept until the workspace says 429.
type Limit struct {
	Bucket string        // rows that name the same bucket share it; empty: the row's own
	Calls  int           // at most so many
	Per    time.Duration // in any window of this length
}

// PerSecond is a limit of the row alone.
func PerSecond(calls int) Limit { return Limit{Calls: calls, Per: time.Second} }

// The buckets that several rows share (the product's resource limits).
var (
	dbfsLimit      = Limit{Bucket: "/dbfs", Calls: 30, Per: time.Second}
	secretsLimit   = Limit{Bucket: "secrets", Calls: 1100, Per: time.Minute}
	scimReadLimit  = Limit{Bucket: "scim read", Calls: 255, Per: time.Minute}
	scimWriteLimit = Limit{Bucket: "scim write", Calls: 35, Per: time.Minute}
)

// String is the limit as the documentation writes it: "20/s", "1100/min, shared
// by secrets", "50/5min", or "standard".
func (l Limit) String() string {
	if l.Calls == 0 {
		return "standard"
	}
	unit := "s"
	switch {
	case l.Per == time.Minute:
		unit = "min"
	case l.Per > time.Minute:
		unit = strconv.Itoa(int(l.Per/time.Minute)) + "min"
	}
	text := strconv.Itoa(l.Calls) + "/" + unit
	if l.Bucket != "" {
		text += ", shared by " + l.Bucket
	}
	return text
}
