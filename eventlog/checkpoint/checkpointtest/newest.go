package checkpointtest

import (
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
)

// testNewest: any process learns the position of the place's newest checkpoint, whatever it has
// itself. A newest checkpoint that was damaged since still counts: it was whole once.
func testNewest(t *testing.T, m *meeting) {
	a, b := m.leading("a"), m.node("b")
	want := func(position uint64) {
		t.Helper()
		got, err := b.shared.Newest(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if position == 0 && !got.IsZero() || position != 0 && got != at(position) {
			t.Fatalf("the newest is at %s, want %d", got, position)
		}
	}
	want(0)
	a.published(0, 10, []checkpoint.Entry{entry("x", 9), entry("y", 8)})
	want(10)
	b.published(0, 14, []checkpoint.Entry{entry("x", 13)}) // a checkpoint of its own
	want(10)
	a.published(10, 20, []checkpoint.Entry{entry("x", 19)}, "y")
	want(20)
	a.stop()
	m.place.Damage(t, 0)
	want(20)
}
