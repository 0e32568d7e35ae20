package sandbox

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"brickmcp/transport/sandbox/engine"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// functions are the functions of a schema, or one of them, that the user may
// execute.
func (m *managed) functions(r *request, names []string) ([]server.ServerTool, error) {
	l := m.w.lakehouse
	l.ready()
	l.mu.RLock()
	defer l.mu.RUnlock()
	schema, err := l.find(kindSchema, names[0]+"."+names[1])
	if err != nil {
		return nil, err
	}
	if err := need(r.user, schema, "USE_SCHEMA"); err != nil {
		return nil, err
	}
	found := schema.children(kindFunction)
	if len(names) == 3 {
		f, err := l.find(kindFunction, strings.Join(names, "."))
		if err != nil {
			return nil, err
		}
		if err := need(r.user, f, "EXECUTE"); err != nil {
			return nil, err
		}
		found = []*securable{f}
	}
	var tools []server.ServerTool
	for _, f := range found {
		if f.dropped || need(r.user, f, "EXECUTE") != nil {
			continue
		}
		properties, required := object{}, []string{}
		for _, p := range f.function.parameters {
			kind := "string"
			switch p.Type.Kind {
			case engine.Int, engine.Long:
				kind = "integer"
			case engine.Float, engine.Double, engine.Decimal:
				kind = "number"
			case engine.Boolean:
				kind = "boolean"
			}
			properties[p.Name] = object{"type": kind, "description": p.Comment}
			required = append(required, p.Name)
		}
		tools = append(tools, managedTool(strings.ReplaceAll(f.fullName(), ".", "__"), f.comment,
			object{"type": "object", "properties": properties, "required": required}, false,
			func(ctx context.Context, given object, _ map[string]any) (any, error) {
				return l.execute(ctx, r.user, f, given)
			}))
	}
	return tools, nil
}

// vectorIndex is an index with embeddings that the workspace manages.
type vectorIndex struct {
	name  string   // full
	query []string // who holds SELECT on it
	from  *assistant
}

// vectorEndpoint serves all indexes.
const vectorEndpoint = "shared_search"

// seedIndexes are the documents of the assistants, as rows.
func seedIndexes() []vectorIndex {
	from := seedAssistants()
	return []vectorIndex{
		{"main.retail.handbook_index", []string{"analysts", "data-engineers"}, from[0]},
		{"main.ops.runbooks_index", []string{"data-engineers"}, from[1]},
	}
}

func (x *vectorIndex) maySelect(user *principal) bool {
	return user.Admin || slices.ContainsFunc(x.query, user.in)
}

// search are the indexes of a schema, or the one named.
func (m *managed) search(r *request, name string) ([]server.ServerTool, error) {
	var tools []server.ServerTool
	known := false
	for _, x := range m.indexes {
		if x.name != name && !strings.HasPrefix(x.name, name+".") {
			continue
		}
		known = true
		if !x.maySelect(r.user) {
			if x.name == name {
				return nil, denied("User does not have SELECT on index '" + name + "'.")
			}
			continue
		}
		tools = append(tools, managedTool(strings.ReplaceAll(x.name, ".", "__"), x.from.description, needing("query"), true,
			func(_ context.Context, given object, meta map[string]any) (any, error) {
				limit := 5
				if n, ok := meta["num_results"].(float64); ok {
					limit = int(n)
				}
				rows := []object{}
				for _, d := range x.from.search(textOf(given, "query")) {
					if len(rows) == limit {
						break
					}
					row := object{"title": d.title, "uri": d.uri, "text": d.text}
					if meta["include_score"] == true {
						row["score"] = 0.9 - 0.1*float64(len(rows))
					}
					rows = append(rows, row)
				}
				return rows, nil
			}))
	}
	if !known {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Vector search index '"+name+"' does not exist.")
	}
	return tools, nil
}

// genie is one space: a question, and its poll.
func (m *managed) genie(r *request, id string) ([]server.ServerTool, error) {
	g := m.w.genie
	space := g.space(id)
	if space == nil {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Genie space "+id+" does not exist.")
	}
	if !space.mayRun(r.user) {
		return nil, denied("User " + r.user.UserName + " does not have CAN_RUN on Genie space " + id + ".")
	}
	find := func(conversation string) (*conversation, error) {
		for _, c := range g.conversations {
			if c.id == conversation && c.space == space && c.user.ID == r.user.ID {
				return c, nil
			}
		}
		return nil, errors.New("Conversation " + conversation + " does not exist.")
	}
	envelope := func(msg *message) object {
		shown := msg.show()
		return object{"status": msg.status, "conversationId": msg.conversation.id, "messageId": msg.id, "content": object{"attachments": shown["attachments"], "error": shown["error"]}}
	}
	return []server.ServerTool{
		managedTool("query_space_"+id, "Ask the Genie space "+space.title+": "+space.description, needing("query", "conversation_id?"), true,
			func(_ context.Context, given object, _ map[string]any) (any, error) {
				g.mu.Lock()
				defer g.mu.Unlock()
				now, text := m.w.clock.Now(), textOf(given, "query")
				if strings.TrimSpace(text) == "" {
					return nil, errors.New("query is required")
				}
				var c *conversation
				if name := textOf(given, "conversation_id"); name != "" {
					var err error
					if c, err = find(name); err != nil {
						return nil, err
					}
				} else {
					c = g.converse(r.user, space, text, now)
				}
				return envelope(g.ask(c, text, now)), nil
			}),
		managedTool("poll_response_"+id, "Poll an answer that is not COMPLETED yet", needing("conversation_id", "message_id"), true,
			func(ctx context.Context, given object, _ map[string]any) (any, error) {
				g.mu.Lock()
				defer g.mu.Unlock()
				c, err := find(textOf(given, "conversation_id"))
				if err != nil {
					return nil, err
				}
				for _, msg := range c.messages {
					if msg.id == textOf(given, "message_id") {
						g.settle(ctx, msg, m.w.clock.Now())
						return envelope(msg), nil
					}
				}
				return nil, errors.New("Message " + textOf(given, "message_id") + " does not exist.")
			}),
	}, nil
}

// sql executes statements, as the statement execution API does.
func (m *managed) sql(r *request) []server.ServerTool {
	ss := m.w.statements
	execute := func(readOnly bool) func(context.Context, object, map[string]any) (any, error) {
		return func(ctx context.Context, given object, meta map[string]any) (any, error) {
			in := executeRequest{Warehouse: warehouseID(1), Statement: textOf(given, "query")}
			if id, ok := meta["warehouse_id"].(string); ok {
				in.Warehouse = id
			}
			if readOnly && !reads(in.Statement) {
				return nil, badArgument("execute_sql_read_only runs SELECT, SHOW, DESCRIBE and EXPLAIN only.")
			}
			if err := in.check(); err != nil {
				return nil, err
			}
			now := m.w.clock.Now()
			if err := m.w.warehouses.mayUse(r.user, in.Warehouse, now); err != nil {
				return nil, err
			}
			running, err := m.w.warehouses.acquire(in.Warehouse, now)
			if err != nil {
				return nil, err
			}
			asked := *r
			asked.now = now
			s := ss.start(&asked, in, running)
			ss.await(ctx, s)
			return ss.show(&asked, s)
		}
	}
	return []server.ServerTool{
		managedTool("execute_sql", "Execute a SQL statement", needing("query"), false, execute(false)),
		managedTool("execute_sql_read_only", "Execute a SQL statement that only reads", needing("query"), true, execute(true)),
		managedTool("poll_sql_result", "Poll a statement that is PENDING or RUNNING", needing("statement_id"), true,
			func(ctx context.Context, given object, _ map[string]any) (any, error) {
				asked := *r
				asked.now, asked.Request = m.w.clock.Now(), r.Clone(ctx)
				asked.SetPathValue("id", textOf(given, "statement_id"))
				return ss.get(&asked)
			}),
	}
}

func reads(statement string) bool {
	words := strings.Fields(strings.ToUpper(statement))
	return len(words) > 0 && slices.Contains([]string{"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "VALUES"}, words[0])
}

// signInWord signs the user in to a connection, for whoever has no browser at hand.
const signInWord = "sandbox-sign-in"

// external is the MCP server behind a connection.
func (m *managed) external(r *request, name string) ([]server.ServerTool, error) {
	cs := m.w.connections
	c := cs.find(name)
	if c == nil {
		return nil, failure(http.StatusNotFound, "CONNECTION_DOES_NOT_EXIST", "Connection '"+name+"' does not exist.")
	}
	if !c.mayUse(r.user) {
		return nil, denied("User does not have USE CONNECTION on Connection '" + name + "'.")
	}
	asked := 0
	return []server.ServerTool{managedTool(c.tool, c.toolComment, needing(c.argument), !c.writes,
		func(_ context.Context, given object, _ map[string]any) (any, error) {
			argument := textOf(given, c.argument)
			if argument == signInWord {
				cs.signIn(r.user.ID, name)
				return "Signed in.", nil
			}
			if !cs.signedIn(r.user.ID, c) {
				asked++
				return nil, mcp.URLElicitationRequiredError{Elicitations: []mcp.ElicitationParams{{
					Mode: mcp.ElicitationModeURL, ElicitationID: "signin-" + strconv.Itoa(asked), URL: c.signInURL(r.base(), r.user.ID), Message: "Sign in to " + name,
				}}}
			}
			return cs.call(c, argument), nil
		})}, nil
}
