package remote_test

import (
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// mirror is a viewer that holds a copy, as a gateway's does, and checks that it never goes back.
type mirror struct {
	t     *testing.T
	key   messages.Key
	inbox chan *feed.Update
	done  chan struct{}
	ended chan struct{}

	mu       sync.Mutex
	epoch    messages.Epoch
	position messages.Position
	set      cells.Set
	title    string
	updates  int
}

// watch opens a mirror of the dashboard.
func watch(t *testing.T, f feed.Feed, k messages.Key) *mirror {
	t.Helper()
	m := &mirror{t: t, key: k, inbox: make(chan *feed.Update, 1), done: make(chan struct{}), ended: make(chan struct{})}
	sub, err := f.Subscribe(k, m)
	if err != nil {
		t.Fatal(err)
	}
	go m.run(sub)
	return m
}

func (m *mirror) Deliver(u *feed.Update) {
	select {
	case m.inbox <- u:
	default:
		m.t.Errorf("%s: a second answer to one ask", m.key)
	}
}

func (m *mirror) run(sub feed.Subscription) {
	defer close(m.ended)
	defer sub.Close()
	for {
		sub.Ask(m.place())
		select {
		case u := <-m.inbox:
			m.apply(u)
			time.Sleep(5 * time.Millisecond) // a gateway's flush
		case <-m.done:
			return
		}
	}
}

func (m *mirror) close() {
	close(m.done)
	<-m.ended
}

func (m *mirror) place() feed.Place {
	m.mu.Lock()
	defer m.mu.Unlock()
	return feed.Place{Epoch: m.epoch, Version: m.set.Version(), Position: m.position}
}

func (m *mirror) apply(u *feed.Update) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.updates++
	if u.Epoch != m.epoch {
		if u.From != 0 || m.position.After(u.Position) {
			m.t.Errorf("%s at %v of epoch %v got from %d at %v of epoch %v", m.key, m.position, m.epoch, u.From, u.Position, u.Epoch)
			return
		}
		m.set = cells.Set{}
	} else if u.To < m.set.Version() {
		m.t.Errorf("%s at %d received %d", m.key, m.set.Version(), u.To)
	}
	if err := m.set.Apply(u.Update); err != nil {
		m.t.Errorf("%s: %v", m.key, err)
	}
	m.epoch, m.position, m.title = u.Epoch, u.Position, u.Schema[0].Title
}

// equals compares the mirror with the owner's set, cell for cell and stamp for stamp.
func (m *mirror) equals(o *owner) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	b := o.board(m.key)
	if m.epoch != b.epoch || m.set.Version() != b.set.Version() || m.position != b.position || m.title != b.schema[0].Title {
		m.t.Errorf("%s: the mirror is at %v %d %v %q, the owner at %v %d %v %q",
			m.key, m.epoch, m.set.Version(), m.position, m.title, b.epoch, b.set.Version(), b.position, b.schema[0].Title)
		return
	}
	if got, want := encode(m.set.Cells()), encode(b.set.Cells()); got != want {
		m.t.Errorf("%s: %d bytes of cells, the owner has %d others", m.key, len(got), len(want))
	}
}

func encode(c []cells.Cell) string { return string(cells.AppendUpdate(nil, &cells.Update{Cells: c})) }
