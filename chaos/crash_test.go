package chaos_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dashfeed/dashfeed/chaos/process"
)

const (
	crashEvents     = 200_000
	crashProducers  = 4
	crashDashboards = 40
	crashBatch      = 250
	crashKills      = 5
)

// TestCrash kills the real process five times with kill -9 while four producers send 200,000
// events. The producers retry with the same ids until each event is acknowledged. Then every event
// is counted exactly once, and a client that reconnected by itself throughout holds exactly the
// server's state and never saw a version go backward.
func TestCrash(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	p := start(t, t.TempDir(), "--checkpoint", "500ms")
	for d := range crashDashboards {
		define(t, p, fmt.Sprintf("c%d", d), `
dedupe: {by: id, horizon: 1h}
panels:
  - {id: total, window: latest, aggregates: [count, sum]}
  - {id: seconds, window: {tumbling: 1s}, keep: 5000, group_by: [labels.producer], aggregates: [count, sum, min, max]}
`)
	}
	viewer := stay(t, p, "c7")

	// The process is killed once in each fifth of the events, at a random moment; the producers go
	// on until everything is acknowledged.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	producers, producing := errgroup.WithContext(ctx)
	var acknowledged atomic.Int64
	for n := range crashProducers {
		producers.Go(func() error { return produce(producing, p.URL, n, &acknowledged) })
	}
	random := rand.New(rand.NewPCG(seed, 1))
	for kill := range int64(crashKills) {
		// parts of a fifth; the last one is left out: the last kill must come before the last event
		const parts = 100
		at := crashEvents * (kill*parts + random.Int64N(parts*3/4)) / (crashKills * parts)
		for acknowledged.Load() < at && producing.Err() == nil {
			time.Sleep(time.Millisecond) // real time: this is a real process
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		t.Logf("killed after %d acknowledged events", acknowledged.Load())
		if acknowledged.Load() >= crashEvents {
			t.Error("all events were acknowledged before the last kill: the crash interrupted nothing")
		}
		if err := p.Start(ctx); err != nil {
			t.Fatalf("restart: %v", err)
		}
	}
	if err := producers.Wait(); err != nil {
		t.Fatal(err)
	}

	countAgain(t, p)
	viewer.equals(t, p)
}

// produce sends this producer's share and retries each batch until it is acknowledged whole.
func produce(ctx context.Context, url string, producer int, acknowledged *atomic.Int64) error {
	const share = crashEvents / crashProducers
	client := &http.Client{Timeout: 5 * time.Second}
	for first := 0; first < share; first += crashBatch {
		var body bytes.Buffer
		for i := first; i < first+crashBatch; i++ {
			fmt.Fprintf(&body, `{"id":"p%d-%d","dashboard":"c%d","metric":"m","value":%d,"labels":{"producer":"p%d"}}`+"\n",
				producer, i, i%crashDashboards, i%97, producer)
		}
		for {
			resp, err := client.Post(url+"/v1/events", "application/x-ndjson", bytes.NewReader(body.Bytes()))
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusAccepted {
					acknowledged.Add(crashBatch)
					break
				}
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// countAgain derives the expected counts from the producers' rule alone, and compares.
func countAgain(t *testing.T, p *process.Process) {
	t.Helper()
	counts, sums := map[int]float64{}, map[int]float64{}
	for range crashProducers {
		for i := range crashEvents / crashProducers {
			counts[i%crashDashboards]++
			sums[i%crashDashboards] += float64(i % 97)
		}
	}
	for d := range crashDashboards {
		a := read(t, p, fmt.Sprintf("c%d", d), "panels=total,seconds")
		// The read's own probe event, with value 0, is the additional event.
		var seconds float64
		for _, c := range a.field("cells").([]any) {
			cell := c.([]any)
			values := cell[6].([]any)
			if cell[1] == 0.0 {
				if values[0] != counts[d]+1 || values[1] != sums[d] {
					t.Errorf("c%d: count %v and sum %v, want %v and %v", d, values[0], values[1], counts[d]+1, sums[d])
				}
				continue
			}
			seconds += values[0].(float64)
		}
		if seconds != counts[d]+1 {
			t.Errorf("c%d: the windows hold %v events, want %v", d, seconds, counts[d]+1)
		}
		records, accepted, duplicates := a.field("counters.records").(float64), a.field("counters.accepted").(float64), a.field("counters.duplicates").(float64)
		if accepted != counts[d]+1 || records != accepted+duplicates {
			t.Errorf("c%d: %v records, %v accepted, %v duplicates; want %v accepted and the rest duplicates", d, records, accepted, duplicates, counts[d]+1)
		}
	}
}
