package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/eventlogtest"
)

const mib = 1 << 20

// said is a log handler that reports the message that a test waits for.
type said struct {
	slog.Handler
	want string
	seen chan struct{}
}

func (s said) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, s.want) {
		select {
		case s.seen <- struct{}{}:
		default:
		}
	}
	return nil
}

// TestWritesWaitForSpace writes past room, into a volume that is full to the last byte: the write
// waits, reads do not, and the write succeeds when there is space.
func TestWritesWaitForSpace(t *testing.T) {
	volume := eventlogtest.NewVolume(t, 48*mib)
	waits := said{slog.Default().Handler(), "writes wait", make(chan struct{}, 1)}
	s := DefaultStorage()
	s.ReserveBytes, s.MemTableBytes, s.Logger = 8*mib, mib, slog.New(waits)
	d, err := Open(filepath.Join(volume.Path, "store"), Format{Kind: "test", Version: 1}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(func() {}, func() {}); err != nil {
			t.Error(err)
		}
	}()
	written := make(chan int)
	stop := make(chan struct{})
	go func() {
		rng := rand.New(rand.NewPCG(1, 1))
		value := make([]byte, 64<<10)
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				written <- n
				return
			default:
			}
			for i := range value {
				value[i] = byte(rng.Uint32())
			}
			if err := d.DB.Set(fmt.Appendf(nil, "%06d", n), value, pebble.Sync); err != nil {
				t.Errorf("write %d: %v", n, err)
			}
		}
	}()
	free := volume.Fill(t, 12*mib)
	<-waits.seen
	if err := d.Err(); !errors.Is(err, eventlog.ErrFull) {
		t.Errorf("got %v while writes wait, want ErrFull", err)
	}
	if _, closer, err := d.DB.Get([]byte("000000")); err != nil {
		t.Errorf("read while writes wait: %v", err)
	} else {
		_ = closer.Close()
	}
	close(stop)
	free()
	for n := range <-written {
		_, closer, err := d.DB.Get(fmt.Appendf(nil, "%06d", n))
		if err != nil {
			t.Fatalf("record %d: %v", n, err)
		}
		_ = closer.Close()
	}
	if err := d.Err(); err != nil {
		t.Errorf("space is free again, but: %v", err)
	}
}

func TestReserve(t *testing.T) {
	for _, c := range []struct {
		total, memTable int64
		want            int64
	}{
		{1 << 40, 4 * mib, 256 * mib},
		{2000 * mib, 4 * mib, 100 * mib},
		{100 * mib, 4 * mib, 16 * mib},
		{16 * mib, 4 * mib, 4 * mib},
	} {
		fs := vfs.NewMem()
		fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: uint64(c.total), TotalBytes: uint64(c.total)})
		if got := reserveOf(fs, "", c.memTable); got != c.want {
			t.Errorf("volume of %d MiB, memtable of %d MiB: got %d, want %d", c.total/mib, c.memTable/mib, got, c.want)
		}
	}
	fs := vfs.NewMem()
	fs.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: 150 * mib, TotalBytes: 4096 * mib})
	s := DefaultStorage()
	first := newSpace(fs, "", s)
	s.LastToStop = true
	last := newSpace(fs, "", s)
	if first.room() == nil || last.room() != nil {
		t.Errorf("at 150 MiB of 4 GiB: log %v, checkpoints %v; want only the log refused", first.room(), last.room())
	}
}
