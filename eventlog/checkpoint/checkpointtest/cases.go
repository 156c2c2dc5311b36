package checkpointtest

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

func testEmpty(t *testing.T, b *bench) {
	if _, _, err := b.store.Load(b.Context(), 0); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("load: got %v, want ErrNone", err)
	}
	b.wantNone("a")
	if names := b.list(messages.DefaultTenant, "", "", 10); names != nil {
		t.Errorf("list: got %v, want nothing", names)
	}
}

func testSlots(t *testing.T, b *bench) {
	if released := b.write(10, []checkpoint.Entry{entry("a", 9)}); !released.IsZero() {
		t.Errorf("first: released %s, want zero: only one checkpoint is kept", released)
	}
	b.want("a", 9, 10)
	for n := uint64(2); n < 6; n++ {
		released := b.write(10*n, []checkpoint.Entry{entry("a", 10*n+3)})
		if want := at(10 * (n - 1)); released != want && !b.subject.Standby {
			t.Errorf("checkpoint at %d: released %s, want %s", 10*n, released, want)
		}
		b.want("a", 10*n+3, 10*n+3) // an entry may be after its marker
	}
	b.reopen()
	b.wantMarker(50)
	b.want("a", 53, 53)
}

func testUncommitted(t *testing.T, b *bench) {
	b.write(10, []checkpoint.Entry{entry("a", 9)})
	w, err := b.store.Begin(0)
	b.check(err)
	b.check(w.Put(entry("a", 15)))
	b.check(w.Put(entry("new", 16)))
	b.want("a", 9, 10)
	b.wantNone("new")
	if _, err := b.store.Begin(0); err == nil {
		t.Error("a second writer of one shard was accepted")
	}
	b.check(w.Abort())
	b.want("a", 9, 10)
	b.reopen()
	b.wantMarker(10)
	b.want("a", 9, 10)
	b.wantNone("new")
}

func testAgain(t *testing.T, b *bench) {
	b.write(10, []checkpoint.Entry{entry("a", 9), entry("b", 8)})
	b.write(20, []checkpoint.Entry{entry("b", 18)}, "a")
	b.want("a", 9, 20)
	b.want("b", 18, 20)
	b.write(30, nil, "b")
	b.want("a", 9, 30)
	b.want("b", 18, 30)
	w, err := b.store.Begin(0)
	b.check(err)
	if err := w.Again(dashboard("never")); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("again of an unknown dashboard: got %v, want ErrNone", err)
	}
	b.check(w.Abort())
}

// testCarryOver: after a start the caller does not know which dashboards changed in the newest
// checkpoint; the store does.
func testCarryOver(t *testing.T, b *bench) {
	b.write(10, []checkpoint.Entry{entry("a", 9), entry("b", 8)})
	b.reopen()
	b.wantMarker(10)
	b.write(20, []checkpoint.Entry{entry("b", 18)})
	b.want("a", 9, 20)
	b.want("b", 18, 20)
	b.reopen() // and once more: b changed in the last checkpoint, a no longer
	b.write(30, nil)
	b.want("a", 9, 30)
	b.want("b", 18, 30)

	w, err := b.store.Begin(0) // after a writer that aborted, too
	b.check(err)
	b.check(w.Put(entry("a", 35)))
	b.check(w.Abort())
	b.write(40, []checkpoint.Entry{entry("a", 35)})
	b.want("a", 35, 40)
	b.want("b", 18, 40)
}

// testAborted: entries of an aborted checkpoint are in no later one: its caller may continue
// without the records in them. The entries are so large that no store buffers them all.
func testAborted(_ *testing.T, b *bench) {
	giveUp := func(by func(checkpoint.Writer), entries ...checkpoint.Entry) {
		b.Helper()
		w, err := b.store.Begin(0)
		b.check(err)
		for _, e := range entries {
			e.State = bytes.Repeat([]byte(e.Key.Dashboard), 400<<10/len(e.Key.Dashboard))
			b.check(w.Put(e))
		}
		by(w)
	}
	abort := func(w checkpoint.Writer) { b.check(w.Abort()) }
	giveUp(abort, entry("first", 5))
	b.write(10, []checkpoint.Entry{entry("a", 9), entry("b", 8)})
	b.wantNone("first")
	b.write(20, nil, "a", "b")
	giveUp(abort, entry("a", 25), entry("new", 26))
	b.write(30, []checkpoint.Entry{entry("b", 29)})
	b.want("a", 9, 30)
	b.wantNone("new")
	giveUp(func(checkpoint.Writer) { b.reopen() }, entry("a", 35), entry("new", 36))
	b.write(40, nil, "b")
	b.want("a", 9, 40)
	b.want("b", 29, 40)
	b.wantNone("new")
	if names := b.list(messages.DefaultTenant, "", "", 10); len(names) != 2 {
		b.Errorf("list: got %v, want a and b", names)
	}
	b.reopen()
	b.wantMarker(40)
	b.want("a", 9, 40)
	b.wantNone("new")
}

func testRemove(_ *testing.T, b *bench) {
	w, err := b.store.Begin(0)
	b.check(err)
	for _, e := range []checkpoint.Entry{entry("a", 9), entry("b", 8), entry("c", 7)} {
		b.check(w.Put(e))
	}
	b.check(w.Remove(dashboard("a")))
	b.check(w.Remove(dashboard("b")))
	b.check(w.Remove(dashboard("never")))
	b.check(w.Put(entry("b", 9)))
	_, err = w.Commit(checkpoint.Marker{Position: at(10), State: []byte("shard at 10")})
	b.check(err)
	if err := w.Remove(dashboard("c")); err == nil {
		b.Error("Remove worked on a checkpoint that has ended")
	}
	b.reopen()
	b.wantMarker(10)
	b.wantNone("a")
	b.want("b", 9, 10)
	b.want("c", 7, 10)
	if names := b.list(messages.DefaultTenant, "", "", 10); len(names) != 2 {
		b.Errorf("list: got %v, want b and c", names)
	}
}

func testList(t *testing.T, b *bench) {
	other := entry("a", 1)
	other.Key.Tenant = "other"
	b.write(10, []checkpoint.Entry{entry("b", 9), entry("a", 8), entry("a.b", 7), entry("a-b", 6), entry("ab", 5), other})
	b.write(20, []checkpoint.Entry{entry("a", 18), other}, "b", "a.b", "a-b", "ab")
	s := func(name string, position int) string {
		return fmt.Sprintf("%s=summary of %s at %d", name, name, position)
	}
	all := []string{s("a", 18), s("a-b", 6), s("a.b", 7), s("ab", 5), s("b", 9)}
	for _, c := range []struct {
		tenant, prefix, after string
		limit                 int
		want                  []string
	}{
		{"default", "", "", 9, all},
		{"default", "", "", 2, all[:2]},
		{"default", "", "a", 9, all[1:]},
		{"default", "", "a-", 9, all[1:]},
		{"default", "a", "", 9, all[:4]},
		{"default", "a", "a.b", 9, all[3:4]},
		{"default", "b", "a", 9, all[4:]},
		{"default", "b", "b", 9, nil},
		{"default", "a", "b", 9, nil},
		{"defaul", "", "", 9, nil},
		{"", "ignored", "ignored too", 9, append(slices.Clone(all), s("a", 1))},
	} {
		if got := b.list(c.tenant, c.prefix, c.after, c.limit); !reflect.DeepEqual(got, c.want) {
			t.Errorf("list tenant %q prefix %q after %q limit %d:\n got %q\nwant %q", c.tenant, c.prefix, c.after, c.limit, got, c.want)
		}
	}
}

func testShards(t *testing.T, b *bench) {
	b.write(10, []checkpoint.Entry{entry("a", 9)})
	w, err := b.store.Begin(1)
	b.check(err)
	b.check(w.Put(entry("a", 77)))
	_, err = w.Commit(checkpoint.Marker{Position: at(80)})
	b.check(err)
	b.want("a", 9, 10)
	if e, err := b.store.Get(1, dashboard("a")); err != nil || e.Position != at(77) {
		t.Errorf("shard 1: got %+v, %v; want position 77", e, err)
	}
	if _, err := b.store.Get(2, dashboard("a")); !errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("shard 2: got %v, want ErrNone", err)
	}
}

func testRefusals(t *testing.T, b *bench) {
	if _, _, err := b.store.Load(b.Context(), -1); err == nil {
		t.Error("shard -1 was loaded")
	}
	w, err := b.store.Begin(0)
	b.check(err)
	bad := entry("a", 1)
	bad.Key.Dashboard = "a\x00b"
	if w.Put(bad) == nil {
		t.Error("a name with a zero byte was accepted")
	}
	_, err = w.Commit(checkpoint.Marker{Position: at(1)})
	b.check(err)
	if w.Put(entry("a", 1)) == nil {
		t.Error("an entry was accepted after Commit")
	}
	if _, err := w.Commit(checkpoint.Marker{}); err == nil {
		t.Error("a checkpoint was committed twice")
	}
	b.check(w.Abort())
	b.wantMarkerAt(1)
}

func (b *bench) wantMarkerAt(position uint64) {
	b.Helper()
	if m, _, err := b.store.Load(b.Context(), 0); err != nil || m.Position != at(position) {
		b.Fatalf("got marker %s, %v; want %d", m.Position, err, position)
	}
}

func testCopies(t *testing.T, b *bench) {
	e := entry("a", 9)
	w, err := b.store.Begin(0)
	b.check(err)
	b.check(w.Put(e))
	clear(e.State)
	clear(e.Summary)
	_, err = w.Commit(checkpoint.Marker{Position: at(10)})
	b.check(err)
	b.want("a", 9, 10)
	got, err := b.store.Get(0, e.Key)
	b.check(err)
	clear(got.State)
	b.want("a", 9, 10)
}

func testListWhileWriting(t *testing.T, b *bench) {
	const n = 200
	var entries []checkpoint.Entry
	for i := range n {
		entries = append(entries, entry(fmt.Sprintf("d%03d", i), uint64(i+1)))
	}
	b.write(1000, entries)
	done := make(chan error, 1)
	go func() {
		for round := range 20 {
			w, err := b.store.Begin(0)
			for i := 0; i < n && err == nil; i++ {
				err = w.Put(entries[i])
			}
			if err == nil {
				_, err = w.Commit(checkpoint.Marker{Position: at(uint64(1001 + round))})
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for ended := false; !ended; {
		select {
		case err := <-done:
			b.check(err)
			ended = true
		default:
		}
		if got := len(b.list(messages.DefaultTenant, "", "", n+1)); got != n {
			t.Fatalf("listed %d dashboards, want %d", got, n)
		}
		if _, err := b.store.Get(0, dashboard("d007")); err != nil {
			t.Fatal(err)
		}
	}
}
