package chaos_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

const damageDashboards = 8

// TestDamagedLog kills a real process with kill -9 under load and flips a bit in the last 125 KB of
// its newest write-ahead log, again and again, each time in a fresh copy. The next start has every
// acknowledged event, or it refuses with exit code 1, names the file and how many records are
// missing, and changes nothing: with the bit flipped back, all events are there.
func TestDamagedLog(t *testing.T) {
	data, acknowledged, rng := killedUnderLoad(t, "1h")
	refused := 0
	for range 8 {
		copied := copyOf(t, data)
		log, at := newestLog(t, copied, "log"), 1+rng.Int64N(125<<10)
		flipBit(t, log, at)
		there, said, code := startsOver(t, copied)
		switch {
		case code == 0 && there < acknowledged:
			t.Errorf("a bit flipped %d bytes before the end: %d of %d acknowledged events are there, and the start reports no fault", at, there, acknowledged)
		case code == 0:
		case code != 1 || !strings.Contains(said, "acknowledged records are missing") && !strings.Contains(said, "corrupt") || !strings.Contains(said, filepath.Join(copied, "log")):
			t.Errorf("a bit flipped %d bytes before the end: exit code %d, %s", at, code, said)
		default:
			refused++
			flipBit(t, log, at)
			if there, said, code := startsOver(t, copied); code != 0 || there < acknowledged {
				t.Errorf("the bit is as it was: exit code %d, %d of %d events are there: %s", code, there, acknowledged, said)
			}
		}
	}
	t.Logf("%d of 8 flips were refused", refused)
	if refused == 0 {
		t.Error("no start noticed a flip: the test tried nothing")
	}
}

// TestDamagedCheckpoints does the same with the checkpoints, and removes their write-ahead log. The
// log has everything that they lack: the next start counts the same as with undamaged checkpoints,
// or refuses and names the directory.
func TestDamagedCheckpoints(t *testing.T) {
	data, acknowledged, rng := killedUnderLoad(t, "50ms")
	want, said, code := startsOver(t, copyOf(t, data))
	if code != 0 || want < acknowledged {
		t.Fatalf("undamaged: exit code %d, %d of %d events are there: %s", code, want, acknowledged, said)
	}
	served := 0
	for n := range 6 {
		copied := copyOf(t, data)
		log := newestLog(t, copied, "checkpoints")
		if n == 0 {
			if err := os.Remove(log); err != nil {
				t.Fatal(err)
			}
		} else {
			flipBit(t, log, 1+rng.Int64N(125<<10))
		}
		there, said, code := startsOver(t, copied)
		switch {
		case code == 0 && there != want:
			t.Errorf("damage %d: %d events are counted, want %d", n, there, want)
		case code == 0:
			served++
		case code != 1 || !strings.Contains(said, filepath.Join(copied, "checkpoints")):
			t.Errorf("damage %d: exit code %d, %s", n, code, said)
		}
	}
	t.Logf("the process started from %d of 6 damaged stores", served)
	if served == 0 {
		t.Error("the process started from no damaged store: the test tried nothing")
	}
}

func copyOf(t *testing.T, data string) string {
	t.Helper()
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(data)); err != nil {
		t.Fatal(err)
	}
	return copied
}

// killedUnderLoad returns the data directory of a process that was killed under load, and how many
// events the process had acknowledged.
func killedUnderLoad(t *testing.T, checkpoint string) (data string, events int64, rng *rand.Rand) {
	t.Helper()
	data = t.TempDir()
	p := start(t, data, "--checkpoint", checkpoint)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var acknowledged atomic.Int64
	producing := make(chan struct{})
	go func() {
		defer close(producing)
		damageLoad(ctx, p.URL, &acknowledged)
	}()
	for acknowledged.Load() < 5000 {
		time.Sleep(time.Millisecond) // real time: this is a real process
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-producing
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d events were acknowledged", seed, acknowledged.Load())
	return data, acknowledged.Load(), rand.New(rand.NewPCG(seed, 1))
}

// damageLoad posts batches until ctx ends or the server no longer answers.
func damageLoad(ctx context.Context, url string, acknowledged *atomic.Int64) {
	const batch = 20
	for first := 0; ctx.Err() == nil; first += batch {
		var body bytes.Buffer
		for i := first; i < first+batch; i++ {
			fmt.Fprintf(&body, `{"id":"%d","dashboard":"d%d","metric":"m","value":1,"labels":{"padding":"%0100d"}}`+"\n", i, i%damageDashboards, i)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/events", &body)
		if err != nil {
			return
		}
		r.Header.Set("Content-Type", "application/x-ndjson")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusAccepted {
			acknowledged.Add(batch)
		}
	}
}

func newestLog(t *testing.T, data, store string) string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(data, store, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("no write-ahead log: %v", err)
	}
	return slices.Max(logs) // the names have six digits each
}

func flipBit(t *testing.T, path string, beforeEnd int64) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		b[max(0, int64(len(b))-beforeEnd)] ^= 1 << (beforeEnd % 8)
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startsOver starts a process on the data. It returns how many events are there, or the end of the
// process's log and its exit code.
func startsOver(t *testing.T, data string) (events int64, said string, code int) {
	t.Helper()
	log := &logBuffer{}
	p, err := process.New(process.Config{Binary: binary, Data: data, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err != nil {
		if p.Running() {
			t.Fatalf("the process neither becomes ready nor ends: %v: %s", err, log)
		}
		return 0, log.String(), p.ExitCode()
	}
	defer p.Kill()
	for d := range damageDashboards {
		a := ask(t, "GET", fmt.Sprintf("%s/v1/dashboards/d%d", p.URL, d), nil)
		var read struct{ Counters struct{ Accepted int64 } }
		if a.status != http.StatusOK || json.Unmarshal(a.body, &read) != nil {
			t.Fatalf("dashboard %d: %s", d, a)
		}
		events += read.Counters.Accepted
	}
	return events, log.String(), 0
}
