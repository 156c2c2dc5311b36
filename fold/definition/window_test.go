package definition_test

import (
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Clients are told the parameters of a window as a definition has them, in ms, and its axis.
func TestDescribe(t *testing.T) {
	told := map[definition.WindowKind]bool{}
	for _, c := range []struct {
		window, params string
		axis           wire.Axis
	}{
		{"{tumbling: 1m}", `{"tumbling":60000}`, wire.Axis{Unit: wire.UnitTime, Step: 60_000, Text: "every minute"}},
		{"{tumbling: 90s}", `{"tumbling":90000}`, wire.Axis{Unit: wire.UnitTime, Step: 90_000, Text: "every 1 min 30 s"}},
		{"{tumbling: 3601s}", `{"tumbling":3601000}`, wire.Axis{Unit: wire.UnitTime, Step: 3_601_000, Text: "every 3601 s"}},
		{"{tumbling: 1ms}", `{"tumbling":1}`, wire.Axis{Unit: wire.UnitTime, Step: 1, Text: "every millisecond"}},
		{"{tumbling: 25h}", `{"tumbling":90000000}`, wire.Axis{Unit: wire.UnitTime, Step: 90_000_000, Text: "every 1 d 1 h"}},
		{"{hopping: 10m, every: 1s}", `{"hopping":600000,"every":1000}`, wire.Axis{Unit: wire.UnitTime, Step: 1000, Text: "the last 10 min, every second"}},
		{"{session: 30s}", `{"session":30000}`, wire.Axis{Unit: wire.UnitTime, Grows: true, Text: "sessions, closed after 30 s without events"}},
		{"{count: 100}", `{"count":100}`, wire.Axis{Unit: wire.UnitEvents, Size: 100, Step: 1, Text: "every 100 events"}},
		{"{count: 1}", `{"count":1}`, wire.Axis{Unit: wire.UnitEvents, Size: 1, Step: 1, Text: "every 1 event"}},
		{"latest", `{"latest":true}`, wire.Axis{Unit: wire.UnitNone, Text: "since the beginning"}},
	} {
		text := fmt.Sprintf("dashboard: d\npanels: [{id: p, window: %s}]", c.window)
		all, err := definition.Parse("", []byte(text), definition.Options{})
		if err != nil {
			t.Fatalf("%s: %v", c.window, err)
		}
		w := all[0].Panels[0].Window
		told[w.Kind] = true
		if params, axis := w.Describe(); string(params) != c.params || axis != c.axis {
			t.Errorf("%s is described as %s, %+v; want %s, %+v", c.window, params, axis, c.params, c.axis)
		}
	}
	for _, k := range definition.Kinds() {
		if !told[k] {
			t.Errorf("no window of kind %s is described here", k)
		}
	}
}
