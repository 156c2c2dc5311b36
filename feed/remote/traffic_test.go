package remote_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
)

// What changes of many dashboards within a flush goes to a gateway in one message.
func TestOneMessageAFlush(t *testing.T) {
	inCluster(t, 4, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		const boards = 100
		var mirrors []*mirror
		for i := range boards {
			mirrors = append(mirrors, watch(t, f, key(i)))
		}
		time.Sleep(time.Second)
		before, _, _ := c.net.traffic()
		for round := range 20 {
			for i := range boards {
				c.history.append(record{key: key(i), seed: uint64(round)})
			}
			o.fold(boards)
			time.Sleep(50 * time.Millisecond)
		}
		after, _, _ := c.net.traffic()
		// A second has four beats each way. A round has two or three messages there, the first at once, and as many asks back.
		if n := after - before; n > 10+20*6 {
			t.Errorf("%d messages for 20 rounds of changes in %d dashboards", n, boards)
		}
		for _, m := range mirrors {
			m.equals(o)
			m.close()
		}
	})
}

// The first change after quiet is there at once.
func TestFirstChangeAfterQuiet(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		m := watch(t, f, key(1))
		time.Sleep(1123 * time.Millisecond)
		c.history.append(record{key: key(1), seed: 1})
		began := time.Now()
		o.fold(1)
		time.Sleep(time.Microsecond)
		m.equals(o)
		if d := time.Since(began); d > time.Millisecond {
			t.Errorf("after %v", d)
		}
		m.close()
	})
}

// What one message does not hold goes in parts and comes whole, also over a network that loses some.
func TestLargeUpdates(t *testing.T) {
	for _, loss := range []float64{0, 0.05} {
		t.Run(fmt.Sprint("loss ", loss), func(t *testing.T) {
			inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
				c.net.weather(loss, 0, 0)
				m := watch(t, f, key(1))
				for i := range uint64(5) {
					c.history.append(record{key: key(1), seed: i, births: 20_000})
					o.fold(1)
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(10 * time.Second)
				m.equals(o)
				late := watch(t, f, key(1))
				time.Sleep(10 * time.Second)
				late.equals(o)
				late.close()
				m.close()
				if _, bytes, largest := c.net.traffic(); bytes < 2<<20 || largest > remote.MaxMessageBytes {
					t.Errorf("%d bytes in messages of at most %d: nothing had to be cut, or it was not", bytes, largest)
				}
				if r, err := f.Read(t.Context(), key(1), feed.Query{}); err != nil || len(r.Cells) < 90_000 {
					t.Errorf("a large reading has %d cells, %v", len(r.Cells), err)
				}
			})
		})
	}
}

// A gateway whose words do not come through gets no more than the window, costs no more than that, and holds nobody else;
// when it is heard again it gets later what it has missed, in less.
func TestSlowGateway(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		const boards = 40
		quick := c.gateway("g2")
		var slow, others []*mirror
		for i := range boards {
			slow, others = append(slow, watch(t, f, key(i))), append(others, watch(t, quick, key(i)))
		}
		time.Sleep(time.Second)
		c.net.mu.Lock()
		c.net.cut[[2]string{"g1", "n1"}] = true // heard no more, and hears
		c.net.to = map[string]int{}
		c.net.mu.Unlock()
		for round := range uint64(20) {
			for i := range boards {
				births := 50
				if round == 0 {
					births = 2000
				}
				c.history.append(record{key: key(i), seed: round, births: births})
			}
			o.fold(boards)
			time.Sleep(100 * time.Millisecond)
			for _, m := range others {
				m.equals(o)
			}
		}
		c.net.mu.Lock()
		if got := c.net.to["g1"]; got > remote.Window+remote.MaxMessageBytes || got < remote.Window/2 {
			t.Errorf("%d bytes are in flight to a gateway that says nothing", got)
		}
		delete(c.net.cut, [2]string{"g1", "n1"})
		c.net.mu.Unlock()
		time.Sleep(3 * time.Second)
		for i := range boards {
			slow[i].equals(o)
			if slow[i].updates > others[i].updates/2 {
				t.Errorf("the slow one got %d updates, the quick one %d", slow[i].updates, others[i].updates)
			}
			slow[i].close()
			others[i].close()
		}
	})
}

// What a gateway held open ends with it: at once where its connection breaks, soon where it is silent.
func TestVanishedGateway(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		m := watch(t, f, key(1))
		time.Sleep(time.Second)
		if o.open() != 1 {
			t.Fatal("nothing is open")
		}
		c.net.sever("g1", "n1", true)
		c.servers["n1"].Lost("g1")
		time.Sleep(time.Millisecond)
		if o.open() != 0 {
			t.Error("a lost gateway keeps a dashboard open")
		}
		c.net.sever("g1", "n1", false)
		time.Sleep(time.Second)
		if o.open() != 1 {
			t.Error("a gateway that came back does not follow")
		}
		c.net.sever("g1", "n1", true)
		time.Sleep(2 * time.Second)
		if o.open() != 1 {
			t.Error("eight beats of silence end an interest: a pause must not")
		}
		time.Sleep(2 * time.Second)
		if o.open() != 0 {
			t.Error("a silent gateway keeps a dashboard open")
		}
		c.net.sever("g1", "n1", false)
		c.history.append(record{key: key(1), seed: 1})
		o.fold(1)
		time.Sleep(time.Second)
		m.equals(o)
		m.close()
	})
}

// A source that is behind is waited for, and moving costs no gap.
func TestMoveToOneWhoIsBehind(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		behind := c.owner("n2")
		for i := range uint64(10) {
			c.history.append(record{key: key(1), seed: i, breaks: i == 5})
		}
		o.fold(10)
		behind.fold(3)
		m := watch(t, f, key(1))
		time.Sleep(time.Second)
		m.equals(o)
		before := m.updates
		c.move(0, "n2")
		for range 7 {
			time.Sleep(time.Second)
			m.equals(o)
			behind.fold(1)
		}
		if m.updates != before {
			t.Errorf("%d updates of an owner that is behind", m.updates-before)
		}
		c.history.append(record{key: key(1), seed: 10})
		behind.fold(1)
		time.Sleep(20 * time.Millisecond)
		m.equals(behind)
		m.close()
	})
}

// A process that is owner and gateway hands messages over itself, in the call of Send.
func TestBothEndsInOneProcess(t *testing.T) {
	o, dir := newOwner(&history{}), &directory{sources: []string{"self"}}
	var client *remote.Client
	server, err := remote.NewServer(remote.ServerConfig{Feed: o, Send: func(_ string, body []byte) { client.Receive("self", body) }})
	must(t, err)
	client, err = remote.NewClient(remote.ClientConfig{Directory: dir, Send: func(_ string, body []byte) { server.Receive("self", body) }})
	must(t, err)
	var mirrors []*mirror
	for i := range 20 {
		mirrors = append(mirrors, watch(t, client, key(i)))
	}
	for n := range 500 {
		o.history.append(record{key: key(n % 20), seed: uint64(n), births: n % 50})
		o.fold(1)
	}
	for _, m := range mirrors {
		until(t, "the owner's version", func() bool { return m.place().Version == 25 })
		m.equals(o)
		m.close()
	}
	client.Close()
	server.Close()
}
