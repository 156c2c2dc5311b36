package checkpointtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// The load of BenchmarkLoad: 50,000 dashboards of 2 KB; half of their bytes do not compress.
const (
	LoadShards   = 16
	loadBoards   = 50_000
	loadBytes    = 2048
	perLoadShard = loadBoards / LoadShards
)

// BenchmarkLoad measures how long a process with an empty scratch takes to load the shards of a
// node that has ended. start opens the store of the process with that name. The ended node wrote
// two checkpoints of all dashboards.
func BenchmarkLoad(b *testing.B, start func(node string) checkpoint.Store) {
	a := start("a")
	begin := time.Now()
	for _, position := range []uint64{1, 2} {
		atOnce(b, func(shard int) error {
			a.Lead(shard, true)
			return fill(a, shard, position)
		})
	}
	b.ReportMetric(time.Since(begin).Seconds()/2, "write-s")
	if err := a.Close(); err != nil {
		b.Fatal(err)
	}
	var worst, sum, used time.Duration
	for n := 0; b.Loop(); n++ {
		b.StopTimer()
		node := start(fmt.Sprint("b", n))
		b.StartTimer()
		begin, before := time.Now(), cpu(b)
		atOnce(b, func(shard int) error {
			m, passedOver, err := node.Load(b.Context(), shard)
			if err == nil && m.Position.Lo != 2 {
				err = fmt.Errorf("loaded the checkpoint at %s", m.Position)
			}
			return errors.Join(err, passedOver)
		})
		took := time.Since(begin)
		used += cpu(b) - before
		worst, sum = max(worst, took), sum+took
		b.StopTimer()
		checkLoaded(b, node)
		if err := node.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(sum.Seconds()/float64(b.N), "load-s")
	b.ReportMetric(worst.Seconds(), "worst-s")
	b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s")
}

// cpu returns the CPU time of this process: on a shared machine it tells more than the clock.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// fill commits a checkpoint of one shard with all its dashboards.
func fill(s checkpoint.Store, shard int, position uint64) error {
	w, err := s.Begin(shard)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(uint64(shard), position))
	state := make([]byte, loadBytes)
	for i := range perLoadShard {
		for j := range state {
			state[j] = byte(rng.Uint32() & 15)
		}
		if err := w.Put(checkpoint.Entry{Key: loadKey(i), Position: at(position), Summary: []byte("a summary of some thirty bytes"), State: state}); err != nil {
			return err
		}
	}
	_, err = w.Commit(checkpoint.Marker{Position: at(position), State: make([]byte, 100)})
	return err
}

func loadKey(i int) messages.Key {
	return messages.Key{Tenant: messages.DefaultTenant, Dashboard: fmt.Sprintf("dashboard-%06d", i)}
}

func checkLoaded(b *testing.B, s checkpoint.Store) {
	b.Helper()
	for shard := range LoadShards {
		n := 0
		err := s.List(shard, messages.DefaultTenant, "", "", func(checkpoint.Entry) bool { n++; return true })
		if err != nil || n != perLoadShard {
			b.Fatalf("shard %d has %d dashboards, %v; want %d", shard, n, err, perLoadShard)
		}
		if e, err := s.Get(shard, loadKey(7)); err != nil || len(e.State) != loadBytes {
			b.Fatalf("got %d bytes, %v", len(e.State), err)
		}
	}
}

func atOnce(b *testing.B, work func(shard int) error) {
	b.Helper()
	var wait sync.WaitGroup
	errs := make([]error, LoadShards)
	for shard := range LoadShards {
		wait.Go(func() { errs[shard] = work(shard) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
}
