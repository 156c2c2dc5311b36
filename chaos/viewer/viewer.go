// Package viewer watches dashboards as clients do and checks every rule of docs/PROTOCOL.md.
//
//	v := viewer.Watch(viewer.Config{Gateways: urls, Dashboards: names})
//	defer v.Close()
//	v.Begin()                          // pauses are counted from here
//	pauses := v.Pauses()               // per dashboard, the longest time without an update
//	problems := v.Problems()           // broken rules; want none
//	seen := v.Seen()                   // the fingerprint of every version that was shown
//
// One Viewer has one connection, or two while a draining gateway hands it over, for all its
// dashboards: a load generator shares the machine with what it measures. It reconnects by itself,
// to the next gateway, from the places it holds.
package viewer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

const (
	maxProblems = 20
	maxSeen     = 2_000_000 // versions of all dashboards together
	reconnect   = 100 * time.Millisecond
)

// Config says what to watch and where.
type Config struct {
	Name string // used in problems
	// base URLs; the viewer starts with the first and takes the next after each loss
	Gateways   []string
	Dashboards []string // at most 100 of tenant default: a connection may have 128 subscriptions
	Record     bool     // keep the fingerprint of every version: see Seen
	Updated    func(dashboard string, at time.Time, u *wire.Update)
}

// Counts counts what a viewer has experienced.
type Counts struct {
	Updates  int            // updates that changed a view
	Losses   int            // connections that ended without a drain
	LastLoss string         // gateway and error of the last loss
	Drains   int            // connections that were handed over
	Resumed  int            // subscriptions that resumed from their place
	Fresh    int            // subscriptions that started from 0 though a place was held
	Gaps     map[string]int // gap frames by why
	Statuses map[string]int // status frames by state
}

// Viewer is a running viewer. Any goroutine may call its methods.
type Viewer struct {
	config Config
	cancel context.CancelFunc
	joined sync.WaitGroup

	mu       sync.Mutex
	gateway  int
	watched  map[string]*watched
	counts   Counts
	problems []string
	more     int // problems beyond maxProblems
	seen     int
}

// watched is one dashboard of a viewer.
type watched struct {
	view    wire.View
	picture picture
	last    time.Time     // time of the last update
	pause   time.Duration // the longest since Begin
	moved   bool          // there was an update since Begin
	state   string        // state in the last status frame
	voidBy  *subscription // the subscription that was told that the held cells are void
	seen    map[messages.Place]uint64
}

// Watch starts a viewer.
func Watch(c Config) *Viewer {
	ctx, cancel := context.WithCancel(context.Background())
	v := &Viewer{config: c, cancel: cancel, watched: map[string]*watched{}}
	v.counts.Gaps, v.counts.Statuses = map[string]int{}, map[string]int{}
	for _, d := range c.Dashboards {
		v.watched[d] = &watched{state: wire.StateLive, last: time.Now(), seen: map[messages.Place]uint64{}}
	}
	v.joined.Go(func() { v.stay(ctx) })
	return v
}

// Close ends the viewer; its counts and problems stay readable.
func (v *Viewer) Close() {
	v.cancel()
	v.joined.Wait()
}

// Begin forgets the pauses that have ended. A pause that has not ended counts from its own begin.
func (v *Viewer) Begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, w := range v.watched {
		w.pause, w.moved = 0, false
	}
}

// Waiting returns the dashboards that have had no update since Begin.
func (v *Viewer) Waiting() (names []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, d := range v.config.Dashboards {
		if !v.watched[d].moved {
			names = append(names, d)
		}
	}
	return names
}

// Pauses returns, by dashboard, the longest time without an update since Begin, including the pause
// that has not ended.
func (v *Viewer) Pauses() map[string]time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	pauses := make(map[string]time.Duration, len(v.watched))
	for d, w := range v.watched {
		pauses[d] = max(w.pause, now.Sub(w.last))
	}
	return pauses
}

// Places returns the place that the viewer holds of each dashboard.
func (v *Viewer) Places() map[string]messages.Place {
	v.mu.Lock()
	defer v.mu.Unlock()
	places := make(map[string]messages.Place, len(v.watched))
	for d, w := range v.watched {
		places[d] = w.view.Place()
	}
	return places
}

// States returns the last reported state of each dashboard: live, stale or moving.
func (v *Viewer) States() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	states := make(map[string]string, len(v.watched))
	for d, w := range v.watched {
		states[d] = w.state
	}
	return states
}

// Gateway returns the base URL of the gateway that the viewer is connected to, or tries next.
func (v *Viewer) Gateway() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.config.Gateways[v.gateway%len(v.config.Gateways)]
}

// Counts returns what the viewer has experienced so far.
func (v *Viewer) Counts() Counts {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.counts
	c.Gaps, c.Statuses = copied(c.Gaps), copied(c.Statuses)
	return c
}

func copied(m map[string]int) map[string]int {
	c := make(map[string]int, len(m))
	for k, n := range m {
		c[k] = n
	}
	return c
}

// Problems returns the broken rules: the first 20, and how many more there are.
func (v *Viewer) Problems() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := append([]string(nil), v.problems...)
	if v.more > 0 {
		all = append(all, fmt.Sprintf("%s: and %d more", v.config.Name, v.more))
	}
	return all
}

// problem records a broken rule; the caller holds mu.
func (v *Viewer) problem(format string, args ...any) {
	if len(v.problems) == maxProblems {
		v.more++
		return
	}
	v.problems = append(v.problems, v.config.Name+": "+fmt.Sprintf(format, args...))
}

// Seen returns, by dashboard and place, the fingerprint of all cells: see Fingerprint. It needs
// Config.Record.
func (v *Viewer) Seen() map[string]map[messages.Place]uint64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make(map[string]map[messages.Place]uint64, len(v.watched))
	for d, w := range v.watched {
		places := make(map[messages.Place]uint64, len(w.seen))
		for p, f := range w.seen {
			places[p] = f
		}
		all[d] = places
	}
	return all
}
