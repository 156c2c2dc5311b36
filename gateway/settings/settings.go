// Package settings holds what is in force on every gateway and changes while they run: which tokens
// were revoked, and tenants' own limits.
//
// A Board is the settings at one version. It changes by Changes, one after the other. Each says
// which version it makes, so that of two changes made at the same time one is refused, and a copy
// of an old one has no effect. Where changes are stored is the caller's: File stores them for a
// process that runs alone, and a cluster stores them in its log. A Board is a function of its
// changes: their own times count, no clock does.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/dashfeed/dashfeed/messages"
)

// The bounds of the settings.
const (
	MaxRevocations = 10_000
	MaxTenants     = 1_000  // that have limits of their own
	mostAhead      = 60_000 // ms that a revocation may be ahead: clocks differ
	maxTextBytes   = 256    // of a subject or id: more than a token's claim may have is never met
)

// ErrConflict is the error of a change that was made for other settings than those in force.
var ErrConflict = errors.New("the settings were changed at the same moment")

// Revocation revokes the tokens of a subject, of a tenant, or with an id, that were issued before a
// time. A token without a time of issue counts as issued in 1970.
type Revocation struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Before int64  `json:"before"` // ms since 1970
	// when the last of these tokens expires, in ms since 1970: the entry is dropped then; 0: it is
	// kept for ever
	Until int64 `json:"until,omitempty"`
}

// Kind says which claim of a token a revocation compares.
type Kind string

// The kinds of a revocation.
const (
	Subject Kind = "subject"
	ID      Kind = "id"
	Tenant  Kind = "tenant"
)

// Change is one change of the settings. Exactly one of its parts is given.
type Change struct {
	Version uint64      `json:"version"` // that it makes: one more than the settings have
	At      int64       `json:"at"`      // ms since 1970: when it was made
	Revoke  *Revocation `json:"revoke,omitempty"`
	Tenant  *Own        `json:"tenant,omitempty"`
}

// Own are limits that a tenant has of its own, as an operator writes them: 10000, 5MiB, none.
type Own struct {
	Name   string            `json:"name"`
	Limits map[string]string `json:"limits"` // "": the server's limit counts again
}

// document is the whole of the settings.
type document struct {
	Version     uint64                       `json:"version"`
	Revocations []Revocation                 `json:"revocations"`
	Tenants     map[string]map[string]string `json:"tenants"`
}

// target is what a revocation compares.
type target struct {
	kind Kind
	name string
}

// Board is the settings in force. It is safe for concurrent use. The zero value has none.
type Board struct {
	mu      sync.RWMutex
	version uint64
	revoked map[target]Revocation
	own     map[string]map[string]string
	limits  atomic.Pointer[limits.Tenants] // of own, parsed
}

// Apply makes a change, or returns why it can't be made: then nothing changes.
func (b *Board) Apply(c Change) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.Version != b.version+1 {
		return fmt.Errorf("%w: change %d is for version %d, they have version %d", ErrConflict, c.Version, c.Version-1, b.version)
	}
	var err error
	switch {
	case c.Revoke != nil && c.Tenant == nil:
		err = b.revoke(*c.Revoke, c.At)
	case c.Tenant != nil && c.Revoke == nil:
		err = b.setLimits(*c.Tenant)
	default:
		err = errors.New("a change of the settings is neither a revocation nor of a tenant's limits")
	}
	if err == nil {
		b.version = c.Version
	}
	return err
}

// revoke adds a revocation. Of two with the same target both count: the entry gets the later times.
func (b *Board) revoke(r Revocation, at int64) error {
	if err := r.check(at); err != nil {
		return err
	}
	t := target{r.Kind, r.Name}
	if len(b.revoked) >= MaxRevocations {
		maps.DeleteFunc(b.revoked, func(_ target, r Revocation) bool { return r.Until != 0 && r.Until <= at })
	}
	old, found := b.revoked[t]
	if !found && len(b.revoked) >= MaxRevocations {
		return fmt.Errorf("%d revocations are in force, at most so many are allowed: revoke by tenant or subject instead of by id, and say when the last of these tokens expires, so that the entry is dropped then", len(b.revoked))
	}
	forever := r.Until == 0 || found && old.Until == 0
	if r.Before, r.Until = max(r.Before, old.Before), max(r.Until, old.Until); forever {
		r.Until = 0
	}
	if b.revoked == nil {
		b.revoked = map[target]Revocation{}
	}
	b.revoked[t] = r
	return nil
}

func (r Revocation) check(at int64) error {
	if r.Kind != Subject && r.Kind != ID && r.Kind != Tenant {
		return fmt.Errorf("kind %.40q of a revocation is not allowed: %s, %s or %s", r.Kind, Subject, ID, Tenant)
	}
	if r.Name == "" || len(r.Name) > maxTextBytes {
		return fmt.Errorf("a revocation's %s of %d bytes is not allowed: 1 to %d", r.Kind, len(r.Name), maxTextBytes)
	}
	if r.Before <= 0 {
		return fmt.Errorf("a revocation of tokens before %d ms is not allowed: from 1 on", r.Before)
	}
	if at != 0 && r.Before > at+mostAhead {
		return errors.New("a revocation of tokens that are issued in the future is not allowed")
	}
	if r.Until != 0 && r.Until <= at {
		return errors.New("a revocation is not allowed to end in the past: these tokens have expired")
	}
	return nil
}

// setLimits changes the limits of one tenant that are named, and leaves its others.
func (b *Board) setLimits(o Own) error {
	if err := messages.CheckName("tenant", o.Name); err != nil {
		return err
	}
	if len(o.Limits) == 0 {
		return errors.New("no limit is given")
	}
	next := maps.Clone(b.own[o.Name])
	if next == nil {
		next = map[string]string{}
	}
	if _, err := parse(o.Limits); err != nil {
		return err
	}
	for name, value := range o.Limits {
		if next[name] = value; value == "" {
			delete(next, name)
		}
	}
	if len(next) > 0 && b.own[o.Name] == nil && len(b.own) >= MaxTenants {
		return fmt.Errorf("%d tenants have limits of their own, at most so many are allowed: give the others' limits to all by --limit of the gateways", len(b.own))
	}
	if b.own == nil {
		b.own = map[string]map[string]string{}
	}
	if b.own[o.Name] = next; len(next) == 0 {
		delete(b.own, o.Name)
	}
	return b.parseAll()
}

// parse checks limits, and returns their values. One that is taken away only needs a known name.
func parse(own map[string]string) (limits.Values, error) {
	var texts []string
	for name, value := range own {
		texts = append(texts, name+"="+cmp.Or(value, "none"))
	}
	slices.Sort(texts)
	return limits.Parse(texts, func(r limits.Row) bool { return r.OfTenants() })
}

func (b *Board) parseAll() error {
	all := limits.Tenants{}
	for name, own := range b.own {
		v, err := parse(own)
		if err != nil {
			return fmt.Errorf("tenant %s: %w", name, err)
		}
		all[name] = v
	}
	b.limits.Store(&all)
	return nil
}

// Revoked reports whether a token was revoked.
func (b *Board) Revoked(id *token.Identity) bool {
	issued := int64(0)
	if !id.Issued.IsZero() {
		issued = id.Issued.UnixMilli()
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, t := range [...]target{{Subject, id.Subject}, {ID, id.ID}, {Tenant, id.Tenant}} {
		if r, found := b.revoked[t]; found && issued < r.Before {
			return true
		}
	}
	return false
}

// Value implements limits.Overrides.
func (b *Board) Value(tenant string, l limits.Limit) (float64, bool) {
	if all := b.limits.Load(); all != nil {
		return all.Value(tenant, l)
	}
	return 0, false
}

// Version returns how many changes were made.
func (b *Board) Version() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.version
}

// Revocations returns the revocations in force, by kind and name.
func (b *Board) Revocations(now time.Time) []Revocation {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := []Revocation{}
	for _, r := range b.revoked {
		if r.Until == 0 || r.Until > now.UnixMilli() {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(x, y Revocation) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name))
	})
	return all
}

// Limits returns a tenant's own limits by their names.
func (b *Board) Limits(tenant string) map[string]string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	own := maps.Clone(b.own[tenant])
	if own == nil {
		own = map[string]string{}
	}
	return own
}

// Tenants returns the names of the tenants that have limits of their own.
func (b *Board) Tenants() []string {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return slices.Sorted(maps.Keys(b.own))
}

// Try returns the error that Apply would return, and changes nothing.
func (b *Board) Try(c Change) error {
	_, err := b.after(c)
	return err
}

// after returns the settings as a change makes them.
func (b *Board) after(c Change) (*Board, error) {
	b.mu.RLock()
	next := &Board{version: b.version, revoked: maps.Clone(b.revoked), own: maps.Clone(b.own)}
	b.mu.RUnlock()
	return next, next.Apply(c)
}

// take makes b have the settings of another one, which is not used any more.
func (b *Board) take(o *Board) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.version, b.revoked, b.own = o.version, o.revoked, o.own
	if l := o.limits.Load(); l != nil {
		b.limits.Store(l)
	}
}
