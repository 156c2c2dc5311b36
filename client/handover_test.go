package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// deployment is several servers and a client that knows them all.
type deployment struct {
	*Client
	networks map[string]*network
	mu       sync.Mutex
	dialled  []string
}

// build serves each handler at its own address: a.test, b.test, …
func build(t *testing.T, handlers ...http.Handler) *deployment {
	t.Helper()
	h := &deployment{networks: map[string]*network{}}
	var addresses []string
	for i, handler := range handlers {
		name := string(rune('a'+i)) + ".test"
		_, n := serve(t, handler)
		h.networks[name+":80"] = n
		addresses = append(addresses, "http://"+name)
	}
	c, err := New(Options{Server: addresses[0], Others: addresses[1:], DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		h.mu.Lock()
		h.dialled = append(h.dialled, address[:1])
		h.mu.Unlock()
		return h.networks[address].dial(ctx, network, address)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	h.Client = c
	return h
}

// drains is a server that sends drain after its snapshot and then calls more.
func drains(frame string, more func(s *scripted)) *script {
	return &script{sessions: []func(*scripted){func(s *scripted) {
		s.say(hello, fmt.Sprintf(answer, false), snapshot, frame)
		more(s)
	}}}
}

// serves is a server that resumes from the place and sends changes up to a version.
func serves(from, to int) *script {
	return &script{sessions: []func(*scripted){func(s *scripted) {
		s.say(hello, fmt.Sprintf(answer, true))
		for v := from; v < to; v++ {
			s.say(change(v, v+1))
		}
		s.listen()
	}}}
}

// TestHandoverMovesToAnotherServer: while one server drains, the client connects to another one,
// and reports changes that both send once.
func TestHandoverMovesToAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := drains(`{"type":"drain","after":1000,"within":0}`, func(s *scripted) {
			time.Sleep(500 * time.Millisecond)
			s.say(change(10, 11))
			s.listen()
		})
		to := serves(10, 13) // the client knows 10 to 11 by then
		h := build(t, from, to)
		s := h.Subscribe(SubscribeOptions{Dashboard: "d"})
		defer s.Close()
		want(t, s, "snapshot 10", "update 11", "update 12", "update 13")
		if fmt.Sprint(h.dialled) != "[a b]" || len(to.asked) != 1 || to.asked[0].Since.Version != 11 {
			t.Errorf("dialled %v, asked %+v, want b from version 11", h.dialled, to.asked)
		}
	})
}

// TestHandoverFails: if no other server can be reached the connection stays until it is closed;
// then the client backs off.
func TestHandoverFails(t *testing.T) {
	for _, c := range []struct {
		name  string
		other http.Handler
	}{
		{"unreachable", nil},
		{"drains too", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, `{"error":{"code":1300,"message":"the gateway drains","retry":true,"after":1000}}`, http.StatusServiceUnavailable)
		})},
		{"starts", &script{sessions: []func(*scripted){func(s *scripted) {
			s.say(hello, `{"type":"error","id":1,"code":1300,"message":"loading","retry":true,"after":1000}`)
			s.listen()
		}}}},
		{"hangs up", &script{sessions: []func(*scripted){func(s *scripted) { s.close(1012) }}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				from := drains(`{"type":"drain","after":0,"within":1000}`, func(s *scripted) {
					time.Sleep(1500 * time.Millisecond)
					s.say(change(10, 11))
					time.Sleep(500 * time.Millisecond)
					s.close(1012)
				})
				from.sessions = append(from.sessions, func(s *scripted) { // the server restarted
					s.say(hello, fmt.Sprintf(answer, true), change(11, 12))
					s.listen()
				})
				h := build(t, from, c.other)
				if c.other == nil {
					h.networks["b.test:80"].set(true)
				}
				s := h.Subscribe(SubscribeOptions{Dashboard: "d"})
				defer s.Close()
				want(t, s, "snapshot 10", "update 11", "disconnected 11", "update 12")
				if fmt.Sprint(h.dialled) != "[a b a]" {
					t.Errorf("dialled %v, want [a b a]", h.dialled)
				}
			})
		})
	}
}

// TestHandoverSlotWins: if a draining server ends before the slot, the client still waits for the
// slot.
func TestHandoverSlotWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t, drains(`{"type":"drain","after":6000,"within":0}`, func(s *scripted) { s.close(1012) }), serves(10, 11))
		s := h.Subscribe(SubscribeOptions{Dashboard: "d"})
		defer s.Close()
		began := time.Now()
		want(t, s, "snapshot 10")
		e, err := s.Next(t.Context())
		if d, ok := e.(*Disconnected); !ok || d.Wait != 6*time.Second {
			t.Fatalf("got %+v, %v, want a wait of 6 s", e, err)
		}
		want(t, s, "update 11")
		if d := time.Since(began); d != 6*time.Second {
			t.Errorf("came back after %v, the slot is at 6 s", d)
		}
	})
}

// TestHandoverEnds: Close during the wait for the slot, or for an answer, leaves nothing behind.
func TestHandoverEnds(t *testing.T) {
	for _, wait := range []time.Duration{time.Millisecond, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			silent := &script{sessions: []func(*scripted){func(s *scripted) { s.listen() }}}
			h := build(t, drains(`{"type":"drain","after":1000,"within":0}`, func(s *scripted) { s.listen() }), silent)
			s := h.Subscribe(SubscribeOptions{Dashboard: "d"})
			want(t, s, "snapshot 10")
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			s.Close() // the bubble ends only when every goroutine has ended
		})
	}
}

// TestServersTakeTurns: after a lost connection, or a request without an answer, the client tries
// the next server.
func TestServersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"dashboards":[{"dashboard":"d"}],"next":null}`)
		})
		h := build(t, list, list, list)
		ask := func() error {
			_, _, err := h.List(t.Context(), "", "", 10)
			return err
		}
		for _, server := range []string{"a.test:80", "b.test:80"} {
			h.networks[server].set(true)
		}
		for range 2 { // and stays at c
			if err := ask(); err != nil {
				t.Fatal(err)
			}
		}
		if fmt.Sprint(h.dialled) != "[a b c]" {
			t.Errorf("dialled %v, want [a b c]", h.dialled)
		}
		h.networks["c.test:80"].set(true)
		var unreachable *UnreachableError
		if err := ask(); !errors.As(err, &unreachable) || unreachable.Server != "http://b.test" {
			t.Errorf("got %v, want the last of three that can't be reached", err)
		}
	})
}
