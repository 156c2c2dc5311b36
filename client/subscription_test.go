package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// script is /v1/ws with a list of what each connection does in turn; the last one repeats.
type script struct {
	mu       sync.Mutex
	asked    []*wire.Subscribe
	opened   []time.Time
	sessions []func(s *scripted)
}

// scripted is one connection of a script.
type scripted struct {
	*websocket.Conn
	asked *wire.Subscribe
}

func (s *scripted) say(frames ...string) {
	for _, f := range frames {
		s.WriteMessage(websocket.TextMessage, []byte(f))
	}
}

func (s *scripted) close(code int) {
	s.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
}

// listen stays until the client leaves.
func (s *scripted) listen() {
	for {
		if _, _, err := s.ReadMessage(); err != nil {
			return
		}
	}
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := (&websocket.Upgrader{Subprotocols: []string{wire.Protocol}}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	_, b, err := ws.ReadMessage()
	if err != nil {
		return
	}
	f, _, err := wire.ParseRequest(b)
	asked, ok := f.(*wire.Subscribe)
	if err != nil || !ok {
		return
	}
	s.mu.Lock()
	n := min(len(s.asked), len(s.sessions)-1)
	s.asked, s.opened = append(s.asked, asked), append(s.opened, time.Now())
	s.mu.Unlock()
	s.sessions[n](&scripted{ws, asked})
}

const (
	hello    = `{"type":"connected","pingEvery":25000,"limits":{"subscriptions":128,"frameBytes":65536,"maxRate":0}}`
	answer   = `{"type":"subscribed","id":1,"dashboard":"d","view":"00000000000000aa","rate":0,"resumed":%v,"schema":[{"panel":"p","title":"","window":{"tumbling":10000},"keep":60,"groupBy":["metric"],"columns":["count"]}]}`
	snapshot = `{"type":"update","view":"00000000000000aa","epoch":"00000001","from":0,"to":10,"cells":[[0,0,0,10000,["m"],0,[1]]]}`
)

// change returns an update of the one cell to a value that equals its version.
func change(from, to int) string {
	return fmt.Sprintf(`{"type":"update","view":"00000000000000aa","epoch":"00000001","from":%d,"to":%d,"cells":[[0,0,[%d]]]}`, from, to, to)
}

// next returns the next event by name.
func next(t *testing.T, s *Subscription) string {
	t.Helper()
	e, err := s.Next(t.Context())
	if err != nil {
		return "error: " + err.Error()
	}
	name := strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "*client."))
	return fmt.Sprintf("%s %d", name, s.Place().Version)
}

func want(t *testing.T, s *Subscription, events ...string) {
	t.Helper()
	for _, w := range events {
		if got := next(t, s); got != w {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}

// TestSubscriptionResumes: after a lost connection the next subscribe carries the place, and the
// cells are right.
func TestSubscriptionResumes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{sessions: []func(*scripted){
			func(s *scripted) {
				s.say(hello, fmt.Sprintf(answer, false), snapshot, change(10, 12))
				s.close(1012)
			},
			func(s *scripted) {
				// changes that the client has already, and one that overlaps
				s.say(hello, fmt.Sprintf(answer, true), change(10, 12), change(11, 15))
				s.listen()
			},
		}}
		c, _ := serve(t, server)
		s := c.Subscribe(SubscribeOptions{Dashboard: "d", MaxRate: 4})
		defer s.Close()
		want(t, s, "snapshot 10", "update 12", "disconnected 12", "update 15")
		if a := server.asked[0]; a.Dashboard != "d" || a.MaxRate != 4 || a.Since != nil {
			t.Errorf("first asked %+v", a)
		}
		if a := server.asked[1].Since; a == nil || a.Version != 12 || a.Epoch != "00000001" || a.View != "00000000000000aa" {
			t.Errorf("resumed from %+v, want version 12 of the view", a)
		}
		cell, ok := s.View().Cell(0)
		if values, _ := cell.Row.Values(); !ok || values[0].Int != 15 {
			t.Errorf("cell %+v, want 15", cell)
		}
	})
}

// TestSubscriptionGap: an update that begins after the client's place makes the client ask again
// from its place.
func TestSubscriptionGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := make(chan *wire.Subscribe, 1)
		server := &script{sessions: []func(*scripted){func(s *scripted) {
			s.say(hello, fmt.Sprintf(answer, false), snapshot, change(20, 30))
			_, b, err := s.ReadMessage()
			if err != nil {
				return
			}
			f, _, _ := wire.ParseRequest(b)
			again <- f.(*wire.Subscribe)
			s.say(fmt.Sprintf(answer, true), change(10, 30),
				`{"type":"gap","view":"00000000000000aa","why":"retention"}`, strings.Replace(snapshot, `"to":10`, `"to":40`, 1))
			s.listen()
		}}}
		c, _ := serve(t, server)
		s := c.Subscribe(SubscribeOptions{Dashboard: "d"})
		defer s.Close()
		want(t, s, "snapshot 10", "update 30")
		if a := <-again; a.Since == nil || a.Since.Version != 10 {
			t.Errorf("asked again with %+v, want from 10", a.Since)
		}
		want(t, s, "gap 30", "snapshot 40")
	})
}

// TestSubscriptionBacksOff: waits grow while nothing answers, and start again from the shortest
// only after a stable connection.
func TestSubscriptionBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		short := func(s *scripted) { s.say(hello, fmt.Sprintf(answer, false), snapshot); s.close(4003) }
		long := func(s *scripted) {
			s.say(hello, fmt.Sprintf(answer, false), snapshot)
			time.Sleep(time.Minute)
			s.close(1012)
		}
		server := &script{sessions: []func(*scripted){short, short, long, short}}
		c, network := serve(t, server)
		s := c.Subscribe(SubscribeOptions{Dashboard: "d"})
		defer s.Close()
		attempts := func() int {
			for {
				e, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if d, ok := e.(*Disconnected); ok {
					if ceiling := min(30*time.Second, time.Second<<min(d.Attempt-1, 5)); d.Wait >= ceiling {
						t.Errorf("attempt %d waits %v, want less than %v", d.Attempt, d.Wait, ceiling)
					}
					return d.Attempt
				}
			}
		}
		got := []int{attempts(), attempts(), attempts(), attempts()}
		if fmt.Sprint(got) != "[1 2 1 2]" {
			t.Errorf("attempts %v, want [1 2 1 2]: short connections do not reset, the long one does", got)
		}
		network.set(true)
		for n := 3; n < 40; n++ { // for ever, by default
			if a := attempts(); a != n {
				t.Fatalf("attempt %d, want %d", a, n)
			}
		}
		network.set(false)
		want(t, s, "snapshot 10")
	})
}

func TestSubscriptionGivesUp(t *testing.T) {
	for _, c := range []struct {
		name    string
		session func(*scripted)
		says    string
	}{
		{"forbidden", func(s *scripted) { s.close(4502) }, "4502"},
		{"bad protocol", func(s *scripted) { s.close(4500) }, "4500"},
		{"unknown dashboard", func(s *scripted) {
			s.say(hello, `{"type":"error","id":1,"code":1104,"message":"no such dashboard","retry":false,"after":0}`)
			s.listen()
		}, "code 1104"},
		{"three attempts", func(s *scripted) { s.close(4003) }, "gave up after 3 attempts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, _ := serve(t, &script{sessions: []func(*scripted){c.session}})
				s := client.Subscribe(SubscribeOptions{Dashboard: "d", MaxAttempts: 3})
				defer s.Close()
				var err error
				for range 10 {
					if _, err = s.Next(t.Context()); err != nil {
						break
					}
				}
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want %q", err, c.says)
				}
				if _, again := s.Next(t.Context()); again == nil || again.Error() != err.Error() {
					t.Errorf("after the end: %v", again)
				}
			})
		})
	}
}

// TestSubscriptionDrains: the client opens the next connection in its slot, and closes the old one
// when the new one has answered.
func TestSubscriptionDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan time.Time, 1)
		server := &script{sessions: []func(*scripted){
			func(s *scripted) {
				s.say(hello, fmt.Sprintf(answer, false), snapshot, `{"type":"drain","after":3000,"within":4000}`)
				time.Sleep(time.Second)
				s.say(change(10, 11)) // the old connection serves until then
				s.listen()
				gone <- time.Now()
			},
			func(s *scripted) {
				s.say(hello, fmt.Sprintf(answer, true), change(11, 14))
				s.listen()
			},
		}}
		c, _ := serve(t, server)
		s := c.Subscribe(SubscribeOptions{Dashboard: "d"})
		defer s.Close()
		began := time.Now()
		want(t, s, "snapshot 10", "update 11", "update 14")
		if slot := server.opened[1].Sub(began); slot < 3*time.Second || slot >= 7*time.Second {
			t.Errorf("reconnected after %v, the slot is 3 s to 7 s", slot)
		}
		if left := (<-gone).Sub(server.opened[1]); left > time.Second {
			t.Errorf("the old connection was closed %v after the new one was open", left)
		}
	})
}

// TestSubscriptionDetectsSilence: the client gives up a server that sends nothing, not even a ping.
func TestSubscriptionDetectsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &script{sessions: []func(*scripted){func(s *scripted) {
			s.say(hello, fmt.Sprintf(answer, false), snapshot)
			s.listen()
		}}}
		c, _ := serve(t, server)
		s := c.Subscribe(SubscribeOptions{Dashboard: "d"})
		defer s.Close()
		want(t, s, "snapshot 10")
		began := time.Now()
		want(t, s, "disconnected 10")
		if quiet := time.Since(began); quiet != 55*time.Second {
			t.Errorf("noticed after %v, want 55 s: two pings and a little", quiet)
		}
	})
}

func TestSubscriptionEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := serve(t, &script{sessions: []func(*scripted){func(s *scripted) {
			s.say(hello, fmt.Sprintf(answer, false), snapshot)
			s.listen()
		}}})
		s := c.Subscribe(SubscribeOptions{Dashboard: "d"})
		want(t, s, "snapshot 10")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		s.Close()
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrSubscriptionClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
