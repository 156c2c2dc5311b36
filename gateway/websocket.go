package gateway

import (
	"net/http"
	"sync"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/gorilla/websocket"
)

// serveWebSocket serves /v1/ws. It returns when the session has begun, so that its goroutine's
// stack is not kept.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request, _ query, c caller) {
	if !s.upgradable(w, r, c) {
		return
	}
	ses := s.upgrade(w, r, c, &upgrader, (*session).request)
	if ses == nil {
		return
	}
	if !c.unknown { // otherwise it comes when the client has sent its token
		ses.answers = []message{messageOf(s.connected(c))}
	}
	s.start(ses)
	ses.wake()
}

// connected returns the first message to a caller.
func (s *Server) connected(c caller) wire.Connected {
	cfg := s.cfg
	f := wire.Connected{
		PingEvery: cfg.Sessions.PingEvery.Milliseconds(),
		Limits: wire.Limits{
			Subscriptions: cfg.Limits.MostInt(limits.SessionSubscriptions), FrameBytes: cfg.Sessions.FrameBytes,
			MaxRate: cfg.MaxRate, Unacked: maxUnacked,
		},
	}
	if c.identity != nil {
		f.Expires = secondsTo(c.identity.Expires)
	}
	return f
}

// upgradable refuses a request that is not a WebSocket handshake, or for which there is no room. If
// it returns true, a place is taken.
func (s *Server) upgradable(w http.ResponseWriter, r *http.Request, c caller) bool {
	if !websocket.IsWebSocketUpgrade(r) || !r.ProtoAtLeast(1, 1) {
		scheme := "ws"
		if s.secure(r) {
			scheme = "wss"
		}
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		writeStatus(w, http.StatusUpgradeRequired, wire.Errorf(wire.CodeBadMessage,
			"this path speaks WebSocket (HTTP/1.1): new WebSocket(\"%s://%.100s%.100s\")", scheme, r.Host, r.URL.Path))
		return false
	}
	if err := s.admit(c); err != nil {
		writeError(w, err)
		return false
	}
	return true
}

var upgrader = websocket.Upgrader{
	ReadBufferSize:  1024,
	WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
	Subprotocols:    []string{wire.Protocol},
	CheckOrigin:     func(*http.Request) bool { return true }, // withOrigin checks every path
	Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		writeStatus(w, status, wire.Errorf(wire.CodeBadMessage, "%v", reason))
	},
}

// plainUpgrader is for the plain dialect. A browser that sends its token as a subprotocol wants
// another one to be echoed.
var plainUpgrader = func() websocket.Upgrader {
	u := upgrader
	u.Subprotocols = []string{"dashfeed.plain"}
	return u
}()

// upgrade takes over the connection. It returns nil if this failed; the request has been answered
// then.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, c caller, u *websocket.Upgrader, receive func(*session, messageKind, []byte)) *session {
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		s.conns.endedOf(r.Context())
		s.remove(nil, c)
		return nil
	}
	conn := newWebSocket(ws.NetConn(), s.cfg.Sessions.FrameBytes, s.conns)
	ses := newSession(s, conn, c, receive)
	conn.attach(ses)
	return ses
}
