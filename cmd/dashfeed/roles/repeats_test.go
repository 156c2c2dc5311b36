package roles

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRepeatsAreBounded: an error that comes a thousand times a second makes ten lines a minute,
// with the number of the lines left out.
func TestRepeatsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r := newRepeats(slog.NewTextHandler(&out, nil))
		l, other := slog.New(r), slog.New(r).With("part", "log")
		for range 3 * 60 {
			for i := range 500 {
				l.Error("pebble in the background", "err", fmt.Sprintf("open %06d.sst: too many open files", i))
				other.Error("pebble in the background", "err", "the same, of another handler")
			}
			l.Warn("something else")
			l.Info("what is no trouble")
			time.Sleep(time.Second)
		}
		for text, want := range map[string]int{"pebble in the background": 30, "something else": 30, "what is no trouble": 180, "repeated=59990": 2} {
			if got := strings.Count(out.String(), text); got != want {
				t.Errorf("%q: %d lines in three minutes, want %d", text, got, want)
			}
		}
		for i := range 10 * repeatMessages {
			l.Error(fmt.Sprint("message ", i))
		}
		if n := len(r.told.messages); n > repeatMessages {
			t.Errorf("%d messages are kept", n)
		}
	})
}
