package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// genie is the Genie API (contract genie.md). A question is understood by a few
// rules and answered by a statement on the space's warehouse, with the rights
// of who asks; a message moves on with the workspace's clock.
type genie struct {
	w   *Workspace
	all []*genieSpace

	mu            sync.Mutex // held by every handler
	conversations []*conversation
	asked         []time.Time // questions of the last minute
	made          int
}

type conversation struct {
	id, title string
	space     *genieSpace
	user      *principal
	created   time.Time
	updated   time.Time
	messages  []*message
}

// questionsPerMinute may be asked through the API, over all spaces and users.
const questionsPerMinute = 5

func addGenie(w *Workspace) error {
	g := &genie{w: w, all: seedSpaces()}
	w.genie = g
	const root = "/api/2.0/genie/spaces"
	const conversations = root + "/{space}/conversations"
	const one = conversations + "/{conversation}/messages/{message}"
	on := func(pattern string, h handler) { w.on(pattern, locked(&g.mu, h)) }
	on("GET "+root, g.listSpaces)
	on("GET "+root+"/{space}", g.getSpace)
	on("POST "+root+"/{space}/start-conversation", g.startConversation)
	on("GET "+conversations, g.listConversations)
	on("DELETE "+conversations+"/{conversation}", g.deleteConversation)
	on("GET "+conversations+"/{conversation}/messages", g.listMessages)
	on("POST "+conversations+"/{conversation}/messages", g.followUp)
	on("GET "+one, g.getMessage)
	on("POST "+one+"/feedback", g.feedback)
	on("GET "+one+"/attachments/{attachment}/query-result", g.queryResult)
	on("POST "+one+"/attachments/{attachment}/execute-query", g.executeQuery)
	return nil
}

// space returns nil for an unknown id.
func (g *genie) space(id string) *genieSpace {
	for _, s := range g.all {
		if s.id == id {
			return s
		}
	}
	return nil
}

// named looks up the {space} of the path for the caller.
func (g *genie) named(r *request) (*genieSpace, error) {
	s := g.space(r.PathValue("space"))
	if s == nil {
		return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Genie space "+r.PathValue("space")+" does not exist.")
	}
	if !s.mayRun(r.user) {
		return nil, denied("User " + r.user.UserName + " does not have CAN_RUN on Genie space " + s.id + ".")
	}
	return s, nil
}

func (s *genieSpace) show(serialized bool) object {
	at := seeded.AddDate(0, -4, 0).Format(time.RFC3339)
	o := object{
		"space_id": s.id, "title": s.title, "description": s.description, "warehouse_id": s.warehouse,
		"parent_path": "/Users/" + anaName, "create_time": at, "update_time": at,
	}
	if !serialized {
		return o
	}
	var tables []object
	for _, t := range s.tables {
		tables = append(tables, object{"identifier": t})
	}
	document, err := json.Marshal(object{"version": 2, "data_sources": object{"tables": tables}, "config": object{"sample_questions": s.examples}})
	if err != nil {
		panic(err) // strings always encode
	}
	o["serialized_space"], o["etag"] = string(document), bareUUID("etag "+s.id)
	return o
}

func (g *genie) listSpaces(r *request) (any, error) {
	var visible []object
	for _, s := range g.all {
		if s.mayRun(r.user) {
			visible = append(visible, s.show(false))
		}
	}
	return r.pageOf("spaces", visible)
}

// pageOf cuts the page of a list that the request asks for.
func (r *request) pageOf(key string, all []object) (any, error) {
	size, err := r.int("page_size", 20)
	if err != nil {
		return nil, err
	}
	if size < 1 || size > 1000 {
		return nil, badArgument("page_size must be between 1 and 1000")
	}
	w, err := page(r.URL.Path, r.URL.Query().Get("page_token"), len(all), int(size), 0)
	if err != nil {
		return nil, err
	}
	body := object{}
	if w.from < w.to {
		body[key] = all[w.from:w.to]
	}
	if w.next != "" {
		body["next_page_token"] = w.next
	}
	return body, nil
}

func (g *genie) getSpace(r *request) (any, error) {
	s, err := g.named(r)
	if err != nil {
		return nil, err
	}
	serialized, err := r.bool("include_serialized_space")
	if err != nil {
		return nil, err
	}
	if serialized && !r.user.Admin {
		return nil, denied("User " + r.user.UserName + " does not have CAN_EDIT on Genie space " + s.id + ".")
	}
	return s.show(serialized), nil
}

// newID makes the next id: 32 hex digits that begin like a time-ordered one.
func (g *genie) newID(now time.Time) string {
	g.made++
	return "01f0" + bareUUID("genie " + strconv.Itoa(g.made) + " " + strconv.FormatInt(now.UnixNano(), 36))[4:]
}

// content reads the question of a request, and applies the limit.
func (g *genie) content(r *request) (string, error) {
	var in struct {
		Content string `json:"content"`
	}
	if err := r.decode(&in); err != nil {
		return "", err
	}
	if strings.TrimSpace(in.Content) == "" {
		return "", badArgument("Missing required field: content")
	}
	g.asked = slices.DeleteFunc(g.asked, func(at time.Time) bool { return r.now.Sub(at) >= time.Minute })
	if len(g.asked) >= questionsPerMinute {
		wait := time.Minute - r.now.Sub(g.asked[0])
		r.w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		return "", failure(http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED", fmt.Sprintf("Exceeded the limit of %d Genie questions per minute for this workspace.", questionsPerMinute))
	}
	g.asked = append(g.asked, r.now)
	return in.Content, nil
}

func (g *genie) startConversation(r *request) (any, error) {
	s, err := g.named(r)
	if err != nil {
		return nil, err
	}
	text, err := g.content(r)
	if err != nil {
		return nil, err
	}
	c := g.converse(r.user, s, text, r.now)
	m := g.ask(c, text, r.now)
	return object{"conversation_id": c.id, "message_id": m.id, "conversation": c.show(), "message": m.show()}, nil
}

// converse begins a conversation. Needs g.mu held.
func (g *genie) converse(user *principal, s *genieSpace, title string, now time.Time) *conversation {
	c := &conversation{id: g.newID(now), title: title, space: s, user: user, created: now, updated: now}
	g.conversations = append(g.conversations, c)
	return c
}

func (c *conversation) show() object {
	return object{
		"conversation_id": c.id, "id": c.id, "space_id": c.space.id, "title": c.title, "user_id": json.Number(c.user.ID),
		"created_timestamp": c.created.UnixMilli(), "last_updated_timestamp": c.updated.UnixMilli(),
	}
}

// conversation looks up the {conversation} of the path. Others' are for those
// who manage the space.
func (g *genie) conversation(r *request) (*conversation, error) {
	s, err := g.named(r)
	if err != nil {
		return nil, err
	}
	for _, c := range g.conversations {
		if c.id == r.PathValue("conversation") && c.space == s && (c.user.ID == r.user.ID || r.user.Admin) {
			return c, nil
		}
	}
	return nil, failure(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "Conversation "+r.PathValue("conversation")+" does not exist.")
}

func (g *genie) followUp(r *request) (any, error) {
	c, err := g.conversation(r)
	if err != nil {
		return nil, err
	}
	text, err := g.content(r)
	if err != nil {
		return nil, err
	}
	return g.ask(c, text, r.now).show(), nil
}

func (g *genie) listConversations(r *request) (any, error) {
	s, err := g.named(r)
	if err != nil {
		return nil, err
	}
	everyones, err := r.bool("include_all")
	if err != nil {
		return nil, err
	}
	if everyones && !r.user.Admin {
		return nil, denied("User " + r.user.UserName + " does not have CAN_MANAGE on Genie space " + s.id + ".")
	}
	var all []object
	for _, c := range slices.Backward(g.conversations) {
		if c.space == s && (everyones || c.user.ID == r.user.ID) {
			all = append(all, object{"conversation_id": c.id, "title": c.title, "created_timestamp": c.created.UnixMilli(), "agent_type": "GENIE_CONVERSATION_TYPE_CHAT"})
		}
	}
	return r.pageOf("conversations", all)
}

func (g *genie) deleteConversation(r *request) (any, error) {
	c, err := g.conversation(r)
	if err != nil {
		return nil, err
	}
	g.conversations = slices.DeleteFunc(g.conversations, func(o *conversation) bool { return o == c })
	return nil, nil
}
