package fold_test

import (
	"slices"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
)

// client holds a place and the cells at that place.
type client struct {
	epoch messages.Epoch
	cells cells.Set
}

// read brings the client to the dashboard's version by what changed, and compares.
func (c *client) read(t testing.TB, d *fold.Dashboard) {
	t.Helper()
	if c.epoch != d.Epoch() {
		*c = client{epoch: d.Epoch()}
	}
	before := c.cells.Version()
	follow(t, &c.cells, d)
	all, ok := d.Since(0)
	if !ok {
		t.Fatal("a snapshot is refused")
	}
	if !slices.Equal(c.cells.Cells(), all.Cells) {
		t.Fatalf("brought from version %d to %d the client holds\n%v\nthe dashboard\n%v", before, d.Version(), describe(c.cells.Cells()), describe(all.Cells))
	}
}
