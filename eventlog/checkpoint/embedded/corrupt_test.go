package embedded

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// damaged is a store in whose values a test can flip bits.
type damaged struct {
	*testing.T
	*Store
	config Config
}

func newDamaged(t *testing.T) *damaged {
	d := &damaged{T: t, config: Default(t.TempDir())}
	d.open()
	t.Cleanup(func() { _ = d.Store.Close() })
	return d
}

func (d *damaged) open() {
	d.Helper()
	s, err := Open(d.config)
	if err != nil {
		d.Fatal(err)
	}
	d.Store = s
}

func (d *damaged) reopen() {
	d.Helper()
	if err := d.Store.Close(); err != nil {
		d.Fatal(err)
	}
	d.open()
}

var dashboardA = messages.Key{Tenant: "t", Dashboard: "a"}

// write commits a checkpoint at the position, with A as of put; 0: A again.
func (d *damaged) write(position, put uint64) (released messages.Position) {
	d.Helper()
	w, err := d.Begin(0)
	if err != nil {
		d.Fatal(err)
	}
	if put == 0 {
		err = w.Again(dashboardA)
	} else {
		text := []byte(fmt.Sprint(put))
		err = w.Put(checkpoint.Entry{Key: dashboardA, Position: messages.Position{Lo: put}, Summary: text, State: text})
	}
	if err == nil {
		released, err = w.Commit(checkpoint.Marker{Position: messages.Position{Lo: position}})
	}
	if err != nil {
		d.Fatal(err)
	}
	return released
}

// flip changes one bit of the value at key.
func (d *damaged) flip(key []byte) {
	d.Helper()
	value, closer, err := d.dir.DB.Get(key)
	if err != nil {
		d.Fatal(err)
	}
	bad := append([]byte(nil), value...)
	_ = closer.Close()
	bad[len(bad)/2] ^= 16
	if err := d.dir.DB.Set(key, bad, pebble.Sync); err != nil {
		d.Fatal(err)
	}
}

func (d *damaged) wantA(position, through uint64, fellBack bool) {
	d.Helper()
	e, err := d.Get(0, dashboardA)
	if err != nil {
		d.Fatal(err)
	}
	if e.Position.Lo != position || e.Through.Lo != through || e.FellBack != fellBack || string(e.State) != fmt.Sprint(position) {
		d.Fatalf("got %q at %s through %s, fell back %v; want %d through %d, %v", e.State, e.Position, e.Through, e.FellBack, position, through, fellBack)
	}
}

func TestCorruptMarker(t *testing.T) {
	d := newDamaged(t)
	d.write(10, 9)
	d.write(20, 19)
	newest := d.shards[0].current
	d.flip(markerKey(0, newest))
	d.reopen()
	m, passedOver, err := d.Load(t.Context(), 0)
	if err != nil || m.Position.Lo != 10 || !errors.Is(passedOver, checkpoint.ErrCorrupt) {
		t.Fatalf("got marker %s, passed over %v, %v; want 10, ErrCorrupt, nil", m.Position, passedOver, err)
	}
	d.wantA(9, 10, false)
	if released := d.write(15, 14); released.Lo != 10 { // overwrites the corrupt one
		t.Errorf("released %s, want 10", released)
	}
	d.reopen()
	if m, passedOver, err := d.Load(t.Context(), 0); err != nil || passedOver != nil || m.Position.Lo != 15 {
		t.Fatalf("got marker %s, passed over %v, %v; want 15", m.Position, passedOver, err)
	}
	d.wantA(14, 15, false)
	d.flip(markerKey(0, 0))
	d.flip(markerKey(0, 1))
	if _, _, err := d.Load(t.Context(), 0); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("both markers corrupt: got %v, want ErrCorrupt", err)
	}
	if _, err := d.Get(0, dashboardA); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("get: got %v, want ErrCorrupt", err)
	}
	d.write(5, 4) // starts over
	d.wantA(4, 5, false)
}

func TestCorruptEntry(t *testing.T) {
	d := newDamaged(t)
	d.write(10, 9)
	d.write(20, 19)
	slot := d.shards[0].current
	d.flip(entryKey(bodySpace, 0, dashboardA, slot))
	d.wantA(9, 10, true) // replay A from 10, though the marker is at 20
	if e, err := d.Get(0, dashboardA); err != nil || e.Marker.Position.Lo != 10 {
		t.Errorf("it fell back to the marker at %s, %v; want 10", e.Marker.Position, err)
	}
	var listed []string
	if err := d.List(0, "t", "", "", func(e checkpoint.Entry) bool {
		listed = append(listed, string(e.Summary))
		return true
	}); err != nil || len(listed) != 1 || listed[0] != "19" {
		t.Errorf("listed %q, %v; want A, whose head is whole", listed, err)
	}
	d.flip(entryKey(headSpace, 0, dashboardA, slot))
	if err := d.List(0, "t", "", "", func(e checkpoint.Entry) bool {
		if string(e.Summary) != "9" || !e.FellBack || e.Through.Lo != 10 {
			t.Errorf("listed %+v, want the head of the checkpoint before", e)
		}
		return true
	}); err != nil {
		t.Error(err)
	}
	w, err := d.Begin(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Again(dashboardA); !errors.Is(err, checkpoint.ErrCorrupt) {
		t.Errorf("again: got %v, want ErrCorrupt", err)
	}
	_ = w.Abort()
	d.flip(entryKey(bodySpace, 0, dashboardA, 1-slot))
	if _, err := d.Get(0, dashboardA); !errors.Is(err, checkpoint.ErrCorrupt) || errors.Is(err, checkpoint.ErrNone) {
		t.Errorf("both entries corrupt: got %v, want only ErrCorrupt", err)
	}
}

// TestCarryOverCorrupt: an entry that Begin can't carry over stays as of the checkpoint before the
// last, and Through says so also under later markers.
func TestCarryOverCorrupt(t *testing.T) {
	d := newDamaged(t)
	d.write(10, 9)
	d.write(20, 19)
	d.flip(entryKey(bodySpace, 0, dashboardA, d.shards[0].current))
	d.reopen()
	w, err := d.Begin(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(checkpoint.Marker{Position: messages.Position{Lo: 30}}); err != nil {
		t.Fatal(err)
	}
	d.wantA(9, 10, true)
	d.write(40, 35) // until it is put again
	d.wantA(35, 40, false)
}
