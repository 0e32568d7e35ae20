package serve

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// session is what mcp-go knows of a client.
type session struct {
	id          string // "": the client cannot answer questions
	outlet      outlet
	questions   *questions
	initialized atomic.Bool

	mu           sync.RWMutex
	client       mcp.Implementation
	capabilities mcp.ClientCapabilities
	protocol     string
	level        mcp.LoggingLevel
}

var (
	_ server.SessionWithClientInfo  = (*session)(nil)
	_ server.SessionWithLogging     = (*session)(nil)
	_ server.SessionWithElicitation = (*session)(nil)
)

// outlet is where notifications and questions to a client go.
type outlet interface {
	// stream is nil when nothing can be said any more.
	stream() *writer
}

func (s *session) Initialize()       { s.initialized.Store(true) }
func (s *session) Initialized() bool { return s.initialized.Load() }
func (s *session) SessionID() string { return s.id }

// NotificationChannel is nil when nothing can be said any more: mcp-go never waits
// for it to take something.
func (s *session) NotificationChannel() chan<- mcp.JSONRPCNotification {
	if s.outlet == nil {
		return nil
	}
	if w := s.outlet.stream(); w != nil {
		return w.notes
	}
	return nil
}

func (s *session) GetClientInfo() mcp.Implementation {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.client
}

func (s *session) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.capabilities
}

// ProtocolVersion is the negotiated version; empty for a client that does not
// negotiate (2026-07-28 on).
func (s *session) ProtocolVersion() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.protocol
}

// SetClientInfo and SetClientCapabilities do nothing: mcp-go calls them with what
// each request of a client of 2026-07-28 says of itself, which holds for that
// request alone. What holds for the session comes by a handshake.
func (s *session) SetClientInfo(mcp.Implementation) {}

func (s *session) SetClientCapabilities(mcp.ClientCapabilities) {}

// handshake is the session while initialize is served.
type handshake struct {
	*session
	client       mcp.Implementation
	capabilities mcp.ClientCapabilities
}

func (h *handshake) SetClientInfo(client mcp.Implementation) { h.client = client }

func (h *handshake) SetClientCapabilities(capabilities mcp.ClientCapabilities) {
	h.capabilities = capabilities
}

// SetProtocolVersion is the last step of an initialize that succeeded, and of
// nothing else.
func (h *handshake) SetProtocolVersion(version string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.session.client, h.session.capabilities, h.protocol = h.client, h.capabilities, version
}

// RequestElicitation asks the person through the client and waits for the answer,
// until ctx ends and for 10 minutes at most. A client that did not declare at
// initialize that it can is never asked: it would not answer, and the call would
// hang. The content of the result is a json.RawMessage, or nil.
func (s *session) RequestElicitation(ctx context.Context, request mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	if server.IsModernRequest(ctx) || s.id == "" || !s.elicits(request.Params.Mode) {
		return nil, server.ErrElicitationNotSupported
	}
	w := s.outlet.stream()
	if w == nil {
		return nil, errGone
	}
	answer, err := s.questions.ask(ctx, w, s.id, mcp.MethodElicitationCreate, request.Params)
	if err != nil {
		return nil, err
	}
	return elicited(answer)
}

// elicits reports whether the client declared that mode of elicitation. One that
// names no mode means forms.
func (s *session) elicits(mode string) bool {
	declared := s.GetClientCapabilities().Elicitation
	switch {
	case declared == nil:
		return false
	case mode == mcp.ElicitationModeURL:
		return declared.URL != nil
	}
	return declared.Form != nil || declared.URL == nil
}

func (s *session) GetLogLevel() mcp.LoggingLevel {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.level
}

func (s *session) SetLogLevel(level mcp.LoggingLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.level = level
}
