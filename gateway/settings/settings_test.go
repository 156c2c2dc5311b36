package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/gateway/token"
)

const now = 1_767_323_045_000

func apply(t *testing.T, b *Board, c Change) {
	t.Helper()
	if c.Version == 0 {
		c.Version = b.Version() + 1
	}
	if c.At == 0 {
		c.At = now
	}
	if err := b.Apply(c); err != nil {
		t.Fatal(err)
	}
}

func revoke(k Kind, name string, before, until int64) Change {
	return Change{Revoke: &Revocation{k, name, before, until}}
}

// All tokens issued before the time are revoked, by any of the three claims, and those that do not
// say when they were issued. A later revocation of the same target adds to an earlier one.
func TestRevoked(t *testing.T) {
	var b Board
	apply(t, &b, revoke(Subject, "alice", now, 0))
	apply(t, &b, revoke(ID, "j-1", now, 0))
	apply(t, &b, revoke(Tenant, "acme", now, 0))
	apply(t, &b, revoke(Subject, "alice", now-5000, now+5000))
	before, after := time.UnixMilli(now-1), time.UnixMilli(now)
	for _, c := range []struct {
		id   token.Identity
		want bool
	}{
		{token.Identity{Subject: "alice", Issued: before}, true},
		{token.Identity{Subject: "alice", Issued: after}, false},
		{token.Identity{Subject: "alice"}, true},
		{token.Identity{Subject: "bob", ID: "j-1", Issued: before}, true},
		{token.Identity{Subject: "bob", Tenant: "acme", Issued: before}, true},
		{token.Identity{Subject: "acme", ID: "alice", Tenant: "j-1", Issued: before}, false},
		{token.Identity{Issued: before}, false},
	} {
		if got := b.Revoked(&c.id); got != c.want {
			t.Errorf("%+v: revoked %v, want %v", c.id, got, c.want)
		}
	}
	if all := b.Revocations(time.UnixMilli(now + 10_000)); len(all) != 3 || all[1].Before != now || all[1].Until != 0 {
		t.Errorf("in force are %+v", all)
	}
}

// The list has a bound, and a full one is refused with what to do. Entries whose tokens have
// expired make room.
func TestRevocationsAreBounded(t *testing.T) {
	var b Board
	for i := range MaxRevocations {
		apply(t, &b, revoke(ID, fmt.Sprint(i), now, now+1000))
	}
	more := revoke(ID, "more", now, 0)
	more.Version, more.At = b.Version()+1, now+999
	if err := b.Apply(more); err == nil || !strings.Contains(err.Error(), "10000 revocations are in force") || b.Version() != MaxRevocations {
		t.Errorf("one more: %v, version %d", err, b.Version())
	}
	more.At = now + 1000
	if apply(t, &b, more); len(b.revoked) != 1 {
		t.Errorf("%d are kept, want 1", len(b.revoked))
	}
}

// A change for another version changes nothing: not a copy of an old one, and not the second of
// two that were made at the same moment.
func TestOneChangeAtATime(t *testing.T) {
	var b Board
	first := Change{Version: 1, Tenant: &Own{"acme", map[string]string{"dashboards": "5"}}}
	apply(t, &b, first)
	apply(t, &b, Change{Tenant: &Own{"acme", map[string]string{"dashboards": "7"}}})
	for _, c := range []Change{first, {Version: 2, Revoke: &Revocation{Subject, "a", now, 0}}, {Version: 4, Revoke: &Revocation{Subject, "a", now, 0}}} {
		if err := b.Apply(c); !errors.Is(err, ErrConflict) {
			t.Errorf("version %d: %v", c.Version, err)
		}
	}
	if v, _ := b.Value("acme", limits.TenantDashboards); v != 7 || b.Version() != 2 {
		t.Errorf("the limit is %v at version %d", v, b.Version())
	}
}

func TestOwnLimits(t *testing.T) {
	var b Board
	apply(t, &b, Change{Tenant: &Own{"acme", map[string]string{"dashboards": "10000", "bytes": "5MiB"}}})
	apply(t, &b, Change{Tenant: &Own{"acme", map[string]string{"dashboards": "", "events": "none"}}})
	if v, own := b.Value("acme", limits.TenantBytes); !own || v != 5<<20 {
		t.Errorf("bytes is %v, %v", v, own)
	}
	if v, own := b.Value("acme", limits.TenantEvents); !own || v != limits.None {
		t.Errorf("events is %v, %v", v, own)
	}
	if _, own := b.Value("acme", limits.TenantDashboards); own {
		t.Error("dashboards was taken away")
	}
	for _, c := range []struct {
		own  Own
		want string
	}{
		{Own{"acme", map[string]string{"process-memory": "1"}}, `limit "process-memory" is not known; names are subject-connections`},
		{Own{"acme", map[string]string{"tables": ""}}, `limit "tables" is not known; names are`},
		{Own{"acme", map[string]string{"dashboards": "-1"}}, `limit dashboards: "-1" is not allowed`},
		{Own{"a/b", map[string]string{"dashboards": "1"}}, "tenant"},
		{Own{"acme", nil}, "no limit is given"},
	} {
		if err := b.Apply(Change{Version: b.Version() + 1, Tenant: &c.own}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %s", c.own, err, c.want)
		}
	}
	for i := range MaxTenants - 1 {
		apply(t, &b, Change{Tenant: &Own{fmt.Sprint("t", i), map[string]string{"events": "1"}}})
	}
	if err := b.Apply(Change{Version: b.Version() + 1, Tenant: &Own{"more", map[string]string{"events": "1"}}}); err == nil || !strings.Contains(err.Error(), "1000 tenants") {
		t.Errorf("one more tenant: %v", err)
	}
	apply(t, &b, Change{Tenant: &Own{"t0", map[string]string{"events": ""}}})
	apply(t, &b, Change{Tenant: &Own{"more", map[string]string{"events": "1"}}})
}

func TestBadRevocations(t *testing.T) {
	for _, c := range []struct {
		r    Revocation
		want string
	}{
		{Revocation{"group", "a", now, 0}, `kind "group"`},
		{Revocation{Subject, "", now, 0}, "of 0 bytes"},
		{Revocation{Subject, strings.Repeat("a", 257), now, 0}, "of 257 bytes"},
		{Revocation{Subject, "a", 0, 0}, "before 0 ms"},
		{Revocation{Subject, "a", now + mostAhead + 1, 0}, "in the future"},
		{Revocation{Subject, "a", now, now}, "in the past"},
	} {
		if err := (&Board{}).Apply(Change{Version: 1, At: now, Revoke: &c.r}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.r, err, c.want)
		}
	}
}

// The file has what was changed, for the next process; a file that can't be read is an error. A
// change that can't be stored is not in force.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "settings.json")
	fails := false
	open := func() (*File, error) {
		return Open(path, func(path string, b []byte) error {
			if fails {
				return errors.New("the disk is full")
			}
			return os.WriteFile(path, b, 0o600)
		})
	}
	f, err := open()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []Change{revoke(Subject, "alice", now, 0), {Tenant: &Own{"acme", map[string]string{"events": "5"}}}} {
		if err := f.Change(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	fails = true
	if err := f.Change(t.Context(), revoke(Subject, "bob", now, 0)); err == nil || f.Board().Revoked(&token.Identity{Subject: "bob"}) {
		t.Errorf("a change that is not stored: %v", err)
	}
	if f, err = open(); err != nil {
		t.Fatal(err)
	}
	b := f.Board()
	if v, _ := b.Value("acme", limits.TenantEvents); v != 5 || !b.Revoked(&token.Identity{Subject: "alice"}) || b.Version() != 2 {
		t.Errorf("read again: events %v, version %d, %+v", v, b.Version(), b.revoked)
	}
	for _, text := range []string{"{", `{"revocations":[{"kind":"group","name":"a","before":1}]}`, `{"tenants":{"acme":{"tables":"1"}}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := open(); err == nil {
			t.Errorf("%s is read", text)
		}
	}
}
