package gateway

import (
	"net/http"
	"sync"

	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/gorilla/websocket"
)

// serveWebSocket serves /v1/ws. The handler returns when the session has begun: its goroutine's
// stack is not kept.
func (s *Server) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	q, err := queryOf(r, "tenant")
	if err != nil {
		writeError(w, err)
		return
	}
	tenant, err := q.binding()
	if err != nil {
		writeError(w, err)
		return
	}
	if !s.upgradable(w, r) {
		return
	}
	ses := s.upgrade(w, r, false)
	if ses == nil {
		return
	}
	ses.tenant, ses.receive = tenant, ses.request
	c := s.cfg
	ses.control = [][]byte{textFrame(wire.Encode(wire.Connected{
		PingEvery: c.Sessions.PingEvery.Milliseconds(),
		Limits: wire.Limits{
			Subscriptions: c.Sessions.Subscriptions, FrameBytes: c.Sessions.FrameBytes,
			MaxRate: c.MaxRate, Unacked: maxUnacked,
		},
	}))}
	s.start(ses)
	ses.wake()
}

// upgradable refuses what is no WebSocket handshake, and whom there is no room for. Where it is
// true, a place is taken.
func (s *Server) upgradable(w http.ResponseWriter, r *http.Request) bool {
	if !websocket.IsWebSocketUpgrade(r) || !r.ProtoAtLeast(1, 1) {
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		writeStatus(w, http.StatusUpgradeRequired, wire.Errorf(wire.CodeBadMessage,
			"this path speaks WebSocket (HTTP/1.1 or later): new WebSocket(\"ws://%s%s\")", r.Host, r.URL.Path))
		return false
	}
	if err := s.admit(s.conns.Proxies.named(r)); err != nil {
		writeStatus(w, http.StatusServiceUnavailable, err)
		return false
	}
	return true
}

var upgrader = websocket.Upgrader{
	ReadBufferSize:  1024,
	WriteBufferSize: 1024,
	WriteBufferPool: &sync.Pool{},
	Subprotocols:    []string{wire.Protocol},
	CheckOrigin:     func(*http.Request) bool { return true }, // every path is checked, by withOrigin
	Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		writeStatus(w, status, wire.Errorf(wire.CodeBadMessage, "%v", reason))
	},
}

// upgrade takes the connection over; nil where it could not and the request has been answered.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, plain bool) *session {
	ws, err := upgrader.Upgrade(w, r, nil)
	client := s.conns.Proxies.named(r)
	if err != nil {
		s.conns.endedOf(r.Context())
		s.remove(nil, client)
		return nil
	}
	return newSession(s, ws.NetConn(), plain, client)
}
