package pulsar_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

// of gives a log a cluster's name that looks like the name of a partition.
func of(name string) func(*pulsar.Config) {
	return func(c *pulsar.Config) { c.Cluster, c.CheckEvery = name+"-partition-0", 0 }
}

// remember stores the bytes and returns what was stored before.
func remember(t testing.TB, l *pulsar.Log, b string) (old string) {
	t.Helper()
	if err := l.UpdateApplied(t.Context(), func(was []byte) ([]byte, error) { old = string(was); return []byte(b), nil }); err != nil {
		t.Fatal(err)
	}
	return old
}

// TestApplied runs on its own broker, which deletes topics that nobody uses.
func TestApplied(t *testing.T) {
	c := pulsartest.Start(t, pulsartest.Options{Settings: []string{"brokerDeleteInactiveTopicsEnabled=true", "brokerDeleteInactiveTopicsFrequencySeconds=1", "brokerDeleteInactiveTopicsMaxInactiveDurationSeconds=1"}})
	t.Run("everywhere", func(t *testing.T) { testAppliedEverywhere(t, c) })
	t.Run("in turns", func(t *testing.T) { testAppliedInTurns(t, c) })
	t.Run("bound", func(t *testing.T) { testAppliedBound(t, c) })
	t.Run("stays", func(t *testing.T) { testAppliedStays(t, c) })
}

// Every process of the cluster reads what was applied, and no other cluster does. It is stored even
// if f fails, and not written if it did not change.
func testAppliedEverywhere(t *testing.T, c *pulsartest.Cluster) {
	a, b, other := open(t, c, of("one")), open(t, c, of("one")), open(t, c, of("other"))
	if got := remember(t, a, "one"); got != "" {
		t.Errorf("a new cluster remembers %q", got)
	}
	if got := remember(t, b, "two"); got != "one" {
		t.Errorf("the other process remembers %q, want one", got)
	}
	if got := remember(t, other, "theirs"); got != "" {
		t.Errorf("another cluster remembers %q", got)
	}
	failed := errors.New("half of it")
	if err := a.UpdateApplied(t.Context(), func([]byte) ([]byte, error) { return []byte("half"), failed }); !errors.Is(err, failed) {
		t.Errorf("the error is %v", err)
	}
	if got := remember(t, b, "half"); got != "half" {
		t.Errorf("after an error %q is remembered", got)
	}
	var stats struct{ NumberOfEntries int }
	const topic = "persistent/dashfeed=control/dashfeed/definitions=one=partition=0"
	if err := json.Unmarshal([]byte(admin(t, c, "GET", topic+"/internalStats", "")), &stats); err != nil || stats.NumberOfEntries != 3 {
		t.Errorf("%d messages, %v; want 3", stats.NumberOfEntries, err)
	}
	admin(t, c, "PUT", topic+"/unload", "")
	if got := remember(t, a, "three"); got != "half" {
		t.Errorf("after an unload %q is remembered", got)
	}
}

// Processes take turns: none loses what another has remembered, and the error of one that gives up
// says what it waited for.
func testAppliedInTurns(t *testing.T, c *pulsartest.Cluster) {
	const processes, times = 3, 5
	var work sync.WaitGroup
	for range processes {
		l := open(t, c, of("turns"))
		work.Go(func() {
			for range times {
				if err := l.UpdateApplied(t.Context(), func(old []byte) ([]byte, error) {
					n, _ := strconv.Atoi(string(old))
					return strconv.AppendInt(nil, int64(n)+1, 10), nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	l, late := open(t, c, of("turns")), open(t, c, of("turns"))
	if err := l.UpdateApplied(t.Context(), func(old []byte) ([]byte, error) {
		if want := strconv.Itoa(processes * times); string(old) != want {
			t.Errorf("after %s changes the count is %s", want, old)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		err := late.UpdateApplied(ctx, func([]byte) ([]byte, error) { t.Error("two have their turn"); return nil, nil })
		if err == nil || !strings.Contains(err.Error(), "another process has its turn") {
			t.Errorf("who waits is told %v", err)
		}
		return old, nil
	}); err != nil {
		t.Error(err)
	}
	remember(t, late, "0")
}

// The bound is exact; beyond it the old bytes stay.
func testAppliedBound(t *testing.T, c *pulsartest.Cluster) {
	l := open(t, c, of("bound"))
	most := make([]byte, pulsar.MaxAppliedBytes+1)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range most {
		most[i] = byte(source.Uint32()) // random bytes: they do not compress
	}
	remember(t, l, string(most[1:]))
	err := l.UpdateApplied(t.Context(), func([]byte) ([]byte, error) { return most, nil })
	if !errors.Is(err, eventlog.ErrTooLarge) || !strings.Contains(err.Error(), "4194305 bytes are more than the 4194304 allowed") {
		t.Errorf("one byte more: %v", err)
	}
	if got := remember(t, l, ""); got != string(most[1:]) {
		t.Errorf("after it %d other bytes are remembered", len(got))
	}
}

// Without an admin URL, the operator must make the topic. The topic survives the broker's deletion
// of unused topics, and a restart of the broker.
func testAppliedStays(t *testing.T, c *pulsartest.Cluster) {
	open(t, c) // creates the control topic
	l := open(t, c, func(c *pulsar.Config) { c.AdminURL = "" })
	err := l.UpdateApplied(t.Context(), func([]byte) ([]byte, error) { t.Error("a turn without a topic"); return nil, nil })
	const topic = "dashfeed=control/dashfeed/definitions=dashfeed"
	if err == nil || !strings.Contains(err.Error(), "pulsar-admin topics create persistent://"+topic) {
		t.Errorf("a missing topic: %v", err)
	}
	admin(t, c, "PUT", "persistent/"+topic, "")
	remember(t, l, "kept")

	const swept = "persistent/public/default/swept"
	admin(t, c, "PUT", swept, "")
	await(t, "the broker deletes a topic that nobody uses", func() bool { _, err := c.Admin("GET", swept+"/stats", ""); return err != nil })
	if err := errors.Join(c.Kill(), c.Up()); err != nil {
		t.Fatal(err)
	}
	await(t, "a turn after the broker's restart", func() bool {
		return l.UpdateApplied(t.Context(), func(old []byte) ([]byte, error) {
			if !bytes.Equal(old, []byte("kept")) {
				t.Errorf("%q is remembered, want kept", old)
			}
			return old, nil
		}) == nil
	})
}
