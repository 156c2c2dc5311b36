package remote_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
)

// Changes of many dashboards within a flush go to a gateway in one message.
func TestOneMessagePerFlush(t *testing.T) {
	inCluster(t, 4, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		const boards = 100
		var mirrors []*mirror
		for i := range boards {
			mirrors = append(mirrors, watch(t, f, key(i)))
		}
		time.Sleep(time.Second)
		before := c.net.messages()
		for round := range 20 {
			for i := range boards {
				c.history.append(record{key: key(i), seed: uint64(round)})
			}
			o.fold(boards)
			time.Sleep(50 * time.Millisecond)
		}
		after := c.net.messages()
		// A second has four beats. A round has two or three messages to the gateway, the first at
		// once, and as many asks back; some more if the machine is busy, since each side sends what it
		// has when it gets to run. A message for each dashboard would be 4,000.
		if n := after - before; n > 5+20*20 {
			t.Errorf("%d messages for 20 rounds of changes in %d dashboards", n, boards)
		}
		for _, m := range mirrors {
			m.equals(o)
			m.close()
		}
	})
}

// The first change after an idle time is sent at once.
func TestFirstChangeAfterIdle(t *testing.T) {
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

// What does not fit in one message goes in parts and arrives whole, also over connections that
// break.
func TestLargeUpdates(t *testing.T) {
	for _, tear := range []int{0, 20 << 20} {
		t.Run(fmt.Sprint("breaks after ", tear), func(t *testing.T) {
			inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
				c.net.Weather(0, tear)
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
				if bytes := c.net.Sent("n1", "g1"); bytes < 2<<20 {
					t.Errorf("%d bytes: nothing had to be split", bytes)
				}
				if r, err := f.Read(t.Context(), key(1), feed.Query{}); err != nil || len(r.Cells) < 90_000 {
					t.Errorf("a large reading has %d cells, %v", len(r.Cells), err)
				}
			})
		})
	}
}

// A gateway that does not read gets no more than the window, costs no more than that, and holds up
// nobody else; when it reads again it gets what it has missed, in fewer updates.
func TestSlowGateway(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		const boards = 40
		quick := c.gateway("g2")
		var slow, others []*mirror
		for i := range boards {
			slow, others = append(slow, watch(t, f, key(i))), append(others, watch(t, quick, key(i)))
		}
		time.Sleep(time.Second)
		c.net.Stall("n1", "g1", true)
		before := c.net.Sent("n1", "g1")
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
		if got := c.net.Sent("n1", "g1") - before; got > link.Window || got == 0 {
			t.Errorf("%d bytes are in flight to a gateway that does not read", got)
		}
		c.net.Stall("n1", "g1", false)
		time.Sleep(3 * time.Second)
		for i := range boards {
			slow[i].equals(o)
			if slow[i].updates > others[i].updates/2 {
				t.Errorf("the slow gateway got %d updates, the fast one %d", slow[i].updates, others[i].updates)
			}
			slow[i].close()
			others[i].close()
		}
	})
}

// What a gateway held open ends with the gateway: at once if its connection breaks, soon if it is
// silent.
func TestVanishedGateway(t *testing.T) {
	inCluster(t, 1, func(t *testing.T, c *cluster, o *owner, f feed.Feed) {
		m := watch(t, f, key(1))
		time.Sleep(time.Second)
		if o.open() != 1 {
			t.Fatal("nothing is open")
		}
		c.net.Cut("g1", "n1", true)
		c.net.Break("g1", "n1")
		time.Sleep(time.Millisecond)
		if o.open() != 0 {
			t.Error("a lost gateway keeps a dashboard open")
		}
		c.net.Cut("g1", "n1", false)
		time.Sleep(time.Second)
		if o.open() != 1 {
			t.Error("a gateway that came back does not follow")
		}
		c.net.Cut("g1", "n1", true)
		time.Sleep(2 * time.Second)
		if o.open() != 1 {
			t.Error("eight beats of silence ended an interest: a pause must not")
		}
		time.Sleep(2 * time.Second)
		if o.open() != 0 {
			t.Error("a silent gateway keeps a dashboard open")
		}
		c.net.Cut("g1", "n1", false)
		c.history.append(record{key: key(1), seed: 1})
		o.fold(1)
		time.Sleep(time.Second)
		m.equals(o)
		m.close()
	})
}

// A viewer waits for a source that is behind, and moving costs no gap.
func TestMoveToASourceThatIsBehind(t *testing.T) {
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

// A process that is both owner and gateway reaches itself, whatever address others use.
func TestBothEndsInOneProcess(t *testing.T) {
	l, err := link.Listen(link.Config{Node: "n", Bind: "127.0.0.1:0", Advertise: "192.0.2.1:1", Logger: quiet})
	must(t, err)
	o := newOwner(&history{})
	server, err := remote.NewServer(remote.ServerConfig{Feed: o, Link: l})
	must(t, err)
	client, err := remote.NewClient(remote.ClientConfig{Directory: &directory{sources: []link.Peer{l.Self()}}, Link: l})
	must(t, err)
	must(t, l.Start())
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
	must(t, l.Close())
}
