package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"brickmcp/catalog"
	"brickmcp/tools"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

const (
	discoverTime    = 40 * time.Second
	discoverAtOnce  = 8   // requests
	discoverSchemas = 200 // looked into for functions and services
	discoverPage    = 100 // of spaces, apps and services
)

func (c *config) managedCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "managed", Short: "MCP servers that the workspace itself has", Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	discover := &cobra.Command{
		Use: "discover", Short: "List the workspace's MCP servers, with the flag that adds each", Args: usage(cobra.NoArgs),
		Long: "List the MCP servers that the signed-in user sees in the workspace, with the flag that adds each.\n" +
			"Every server that is added costs agents the tokens of its tools' descriptions: add what is needed.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.build()
			if err != nil {
				return err
			}
			defer a.close()
			d := discover(cmd.Context(), a.workspace)
			if len(d.Servers) == 0 && d.fatal != nil {
				return explained(d.fatal)
			}
			if asJSON {
				return printJSON(c.out, d)
			}
			table := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "FLAG\tABOUT")
			for _, s := range d.Servers {
				fmt.Fprintf(table, "--managed %s\t%s\n", s.Flag, s.About)
			}
			if err := table.Flush(); err != nil {
				return err
			}
			for _, note := range d.Notes {
				c.printf("%s\n", note)
			}
			return nil
		},
	}
	discover.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(discover)
	return cmd
}

// discovered is what managed discover finds.
type discovered struct {
	Servers []discoveredServer `json:"servers"`
	Notes   []string           `json:"notes,omitempty"` // what could not be looked at

	fatal error // of the first question that was refused for want of a sign-in
	mu    sync.Mutex
	path  map[string]string // -> about
}

// discoveredServer is one server: the value of --managed, and what it is.
type discoveredServer struct {
	Flag  string `json:"flag"`
	About string `json:"about"`
}

// discover asks for everything at once. What the user may not list, and what the
// workspace does not have, is a note.
func discover(ctx context.Context, api catalog.Caller) *discovered {
	ctx, cancel := context.WithTimeout(ctx, discoverTime)
	defer cancel()
	d := &discovered{path: map[string]string{}}
	d.add("sql", "SQL on a warehouse")
	d.add("functions/system/ai", "built-in functions, such as Python")
	var questions errgroup.Group
	questions.SetLimit(discoverAtOnce)
	ask := func(what string, question func() error) {
		questions.Go(func() error {
			d.failed(what, question())
			return nil
		})
	}
	ask("connections", func() error { return d.connections(ctx, api) })
	ask("Genie spaces", func() error {
		list, err := catalog.ListSpaces.Call(ctx, api, catalog.AgentLimits{PageSize: discoverPage})
		if err != nil {
			return err
		}
		for _, s := range list.Spaces {
			d.add("genie/"+s.SpaceID, s.Title)
		}
		if len(list.Spaces) >= discoverPage {
			d.more("Genie spaces", "full")
		}
		return nil
	})
	ask("apps", func() error {
		list, err := catalog.ListApps.Call(ctx, api, catalog.AgentLimits{PageSize: discoverPage})
		if err != nil {
			return err
		}
		for _, app := range list.Apps {
			if strings.HasPrefix(app.Name, "mcp-") {
				d.add("app/"+app.Name, "app")
			}
		}
		if len(list.Apps) >= discoverPage {
			d.more("apps", "full")
		}
		return nil
	})
	ask("vector search indexes", func() error { return d.indexes(ctx, api) })
	schemas, all, err := listedSchemas(ctx, api)
	d.failed("schemas", err)
	if !all {
		d.note(fmt.Sprintf("Only the first %d schemas were looked into for functions and MCP services.", discoverSchemas))
	}
	for _, schema := range append([]string{"system.ai"}, schemas...) {
		ask("MCP services", func() error {
			list, err := catalog.ListMCPServices.Call(ctx, api, catalog.MCPServicesRequest{Parent: "schemas/" + schema, PageSize: discoverPage})
			if err != nil {
				return err
			}
			for _, s := range list.Services {
				d.add("service/"+s.Name, cmp.Or(s.Comment, "MCP service"))
			}
			d.more("MCP services of "+schema, list.NextPageToken)
			return nil
		})
		if schema == "system.ai" {
			continue
		}
		ask("functions", func() error {
			name, of, _ := strings.Cut(schema, ".")
			list, err := catalog.ListFunctions.Call(ctx, api, catalog.FunctionsRequest{CatalogName: name, SchemaName: of})
			if err != nil {
				return err
			}
			switch n := len(list.Functions); {
			case list.NextPageToken != "": // even where this page has none
				d.add("functions/"+name+"/"+of, fmt.Sprintf("more than %d functions", n))
			case n > 0:
				d.add("functions/"+name+"/"+of, fmt.Sprintf("%d functions", n))
			}
			return nil
		})
	}
	_ = questions.Wait() // none of them fails: what fails is a note
	d.finish()
	return d
}

func (d *discovered) connections(ctx context.Context, api catalog.Caller) error {
	list, err := catalog.ListConnections.Call(ctx, api, struct{}{})
	if err != nil {
		return err
	}
	for _, c := range list.Connections {
		if c.Options["is_mcp_connection"] == "true" {
			d.add("external/"+c.Name, cmp.Or(c.Comment, "connection"))
		}
	}
	d.more("connections", list.NextPageToken)
	return nil
}

func (d *discovered) indexes(ctx context.Context, api catalog.Caller) error {
	endpoints, err := catalog.ListSearchEndpoints.Call(ctx, api, struct{}{})
	if err != nil {
		return err
	}
	d.more("endpoints of vector search", endpoints.NextPageToken)
	var first error
	for _, e := range endpoints.Endpoints {
		list, err := catalog.ListSearchIndexes.Call(ctx, api, catalog.SearchIndexesRequest{EndpointName: e.Name})
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		for _, x := range list.Indexes {
			d.add("vector-search/"+strings.ReplaceAll(x.Name, ".", "/"), "index; only one with embeddings that Databricks makes")
		}
		d.more("indexes on "+e.Name, list.NextPageToken)
	}
	return first
}

// listedSchemas are the schemas that people have made, as far as a bounded look goes.
func listedSchemas(ctx context.Context, api catalog.Caller) (schemas []string, all bool, err error) {
	catalogs, err := catalog.ListCatalogs.Call(ctx, api, catalog.ListCatalogsRequest{})
	if err != nil {
		return nil, true, err
	}
	for _, c := range catalogs.Catalogs {
		if c.Name == "system" || c.Name == "samples" || c.CatalogType == "SYSTEM_CATALOG" {
			continue
		}
		list, err := catalog.ListSchemas.Call(ctx, api, catalog.ListSchemasRequest{CatalogName: c.Name})
		if err != nil {
			continue // one that the user sees and may not look into
		}
		for _, s := range list.Schemas {
			if s.Name == "information_schema" {
				continue
			}
			if len(schemas) == discoverSchemas {
				return schemas, false, nil
			}
			schemas = append(schemas, c.Name+"."+s.Name)
		}
	}
	return schemas, true, nil
}

func (d *discovered) add(path, about string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.path[path] = about
}

func (d *discovered) note(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Contains(d.Notes, text) {
		d.Notes = append(d.Notes, text)
	}
}

// more notes a list that goes on where this one ends: token is that of its next page.
func (d *discovered) more(what, token string) {
	if token == "" {
		return
	}
	clean, _ := catalog.Clean(what)
	d.note("There are more " + clean + " than were looked at; --managed takes the others as well.")
}

// failed notes what could not be listed. What the workspace does not have, or does
// not show to this user, is nothing to speak of where there are many places to look.
func (d *discovered) failed(what string, err error) {
	if err == nil {
		return
	}
	e := catalog.AsError(err)
	many := what == "functions" || what == "MCP services"
	if many && (e.Kind == catalog.Forbidden || e.Kind == catalog.Missing || e.Kind == catalog.Invalid) {
		return
	}
	if e.Kind == catalog.SignIn || e.Kind == catalog.Down {
		d.mu.Lock()
		d.fatal = cmp.Or(d.fatal, err)
		d.mu.Unlock()
	}
	message := e.Message
	if _, after, ok := strings.Cut(message, ": "); ok {
		message = after // the name of a row that nobody has called
	}
	clean, _ := catalog.Clean(message)
	d.note(fmt.Sprintf("The %s could not be listed (%s): %s", what, e.Kind, clean))
}

// finish gives every server a prefix of its own. When nobody is signed in, the
// servers that every workspace has are nothing that was found.
func (d *discovered) finish() {
	if d.fatal != nil && len(d.path) == 2 {
		return
	}
	taken := map[string]bool{}
	var paths []string
	for path := range d.path {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for _, path := range paths {
		if _, err := tools.ParseManaged("x=" + path); err != nil {
			continue // a name that --managed cannot carry
		}
		about, _ := catalog.Clean(d.path[path])
		prefix := freePrefix(path, d.path[path], taken)
		d.Servers = append(d.Servers, discoveredServer{Flag: shellWord(prefix + "=" + path), About: strings.Join(strings.Fields(about), " ")})
	}
	slices.Sort(d.Notes)
}

// freePrefix makes a prefix of the last word of a path, or of a title.
func freePrefix(path, about string, taken map[string]bool) string {
	kind, name, _ := strings.Cut(path, "/")
	word := name[strings.LastIndexAny(name, "./")+1:]
	switch kind {
	case "sql":
		word = "dbsql"
	case "genie":
		word = "ask " + about
	}
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return ' '
	}, word)
	plain = strings.Join(strings.Fields(plain), "_")
	plain = strings.Trim(plain[:min(len(plain), 16)], "_")
	if plain == "" || plain[0] < 'a' {
		plain = "mcp_" + plain
	}
	plain = strings.Trim(plain, "_")
	for n := 1; ; n++ {
		prefix := plain
		if n > 1 {
			prefix = fmt.Sprintf("%s%d", plain, n)
		}
		clash := false
		for other := range taken { // one by one: to parse all each time takes a minute for many
			clash = clash || strings.HasPrefix(prefix+"_", other+"_") || strings.HasPrefix(other+"_", prefix+"_")
		}
		if clash {
			continue
		}
		if _, err := tools.ParseManagedServers([]string{prefix + "=sql"}); err == nil {
			taken[prefix] = true
			return prefix
		}
	}
}

// shellWord quotes what a shell would take apart.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("=/._-", r))
	}) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}
