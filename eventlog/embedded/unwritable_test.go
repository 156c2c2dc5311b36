package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
)

// appended appends one record, and returns its sequence and why it was refused.
func appended(t *testing.T, l *embedded.Log, home string, n uint64) (uint64, error) {
	t.Helper()
	receipts, err := l.Append(t.Context(), []eventlog.Entry{event(home, "%d %0200d", n, 0)})
	return receipts[0].Position.Lo, err
}

// fill appends records until there are n.
func fill(t *testing.T, l *embedded.Log, home string, from, n uint64) {
	t.Helper()
	for ; from <= n; from++ {
		if got, err := appended(t, l, home, from); err != nil || got != from {
			t.Fatalf("append %d: %d, %v", from, got, err)
		}
	}
}

// holds checks that the first n records are there.
func holds(t *testing.T, l *embedded.Log, n uint64) {
	t.Helper()
	for i, r := range read(t, l, 0, n) {
		if want := fmt.Sprintf("%d ", i+1); !strings.HasPrefix(string(r.Payload), want) {
			t.Fatalf("record %d is %.20q", i+1, r.Payload)
		}
	}
}

func onDisk(t *testing.T) (embedded.Config, string) {
	c := embedded.Default(filepath.Join(t.TempDir(), "data", "log"))
	c.Partitions = 2
	c.Storage.MemTableBytes = 64 << 10
	return c, filepath.Dir(c.Path)
}

// TestDirectoryMoved: a directory that was moved away, or replaced by another one, takes no
// appends and is readable; after it is put back all continues, and nothing was written to the other
// directory.
func TestDirectoryMoved(t *testing.T) {
	for _, replaced := range []bool{false, true} {
		c, data := onDisk(t)
		l := mustOpen(t, c)
		home := homes(l)[0]
		fill(t, l, home, 1, 500)
		if err := os.Rename(data, data+".away"); err != nil {
			t.Fatal(err)
		}
		if replaced {
			if err := os.MkdirAll(c.Path, 0o750); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := appended(t, l, home, 501); !errors.Is(err, eventlog.ErrUnwritable) || !strings.Contains(err.Error(), c.Path) {
			t.Errorf("append: %v", err)
		}
		if err := l.Err(); !errors.Is(err, eventlog.ErrUnwritable) {
			t.Errorf("Err is %v", err)
		}
		holds(t, l, 500)
		if replaced {
			if names, _ := os.ReadDir(c.Path); len(names) > 0 {
				t.Errorf("the other directory holds %v", names)
			}
			if err := os.RemoveAll(data); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(data+".away", data); err != nil {
			t.Fatal(err)
		}
		fill(t, l, home, 501, 1000)
		if err := l.Err(); err != nil {
			t.Errorf("put back, Err is %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		holds(t, mustOpen(t, c), 1000)
	}
}

// apart runs a test in a process of its own if the test ends with a log that can't write any more:
// such a log keeps Pebble's goroutines until the process ends.
func apart(t *testing.T, test func()) {
	t.Helper()
	const child = "LOG_TEST_APART"
	if os.Getenv(child) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "it came to its end") {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	test()
	if t.Failed() {
		os.Exit(1) // t has printed why
	}
	os.Stdout.WriteString("it came to its end\n")
	os.Exit(0)
}

// TestDirectoryRemoved: a removed directory takes no appends, even while an open file could
// still be written; the process ends with a reason.
func TestDirectoryRemoved(t *testing.T) { apart(t, func() { removed(t) }) }

func removed(t *testing.T) {
	for name, remove := range map[string]func(path string) error{
		"all": os.RemoveAll,
		"the write-ahead log": func(path string) error {
			logs, err := filepath.Glob(filepath.Join(path, "*.log"))
			for _, log := range logs {
				err = errors.Join(err, os.Remove(log))
			}
			return err
		},
	} {
		c, _ := onDisk(t)
		c.Storage.MemTableBytes = 4 << 20 // all records are in memory, and readable
		l := mustOpen(t, c)
		home := homes(l)[0]
		fill(t, l, home, 1, 100)
		if err := remove(c.Path); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := appended(t, l, home, 101); !errors.Is(err, eventlog.ErrUnwritable) {
				t.Errorf("%s: append: %v", name, err)
			}
		}
		holds(t, l, 100)
		if err := l.Close(); err != nil && !errors.Is(err, eventlog.ErrUnwritable) {
			t.Errorf("%s: close: %v", name, err)
		}
	}
}

// failing makes operations of some kinds fail while on is set.
type failing struct {
	on    atomic.Bool
	err   error
	kinds map[errorfs.OpKind]bool
	met   atomic.Int64
}

func (f *failing) String() string { return "failing" }

func (f *failing) MaybeError(op errorfs.Op) error {
	if !f.on.Load() || !f.kinds[op.Kind] {
		return nil
	}
	f.met.Add(1)
	return &os.PathError{Op: "write", Path: op.Path, Err: f.err}
}

// said is a log handler that reports when writes begin to wait, and when they continue.
type said struct {
	slog.Handler
	waits, goesOn chan struct{}
}

func (s said) Enabled(context.Context, slog.Level) bool { return true }

func (s said) Handle(_ context.Context, r slog.Record) error {
	for message, told := range map[string]chan struct{}{"writes wait until it can": s.waits, "can be written again": s.goesOn} {
		if strings.Contains(r.Message, message) {
			told <- struct{}{}
		}
	}
	return nil
}

func fails(err error, kinds ...errorfs.OpKind) *failing {
	f := &failing{err: err, kinds: map[errorfs.OpKind]bool{}}
	for _, k := range kinds {
		f.kinds[k] = true
	}
	return f
}

// TestFailedWritesAreRetried: failed writes are retried until they succeed. Appends that wait
// are stored then, later ones are refused at once, and acknowledged records survive a loss of power
// at any time.
func TestFailedWritesAreRetried(t *testing.T) {
	create := []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpLink, errorfs.OpRename}
	write := []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFilePreallocate}
	for name, c := range map[string]struct {
		f    *failing
		want error
	}{
		"no new file may be made":       {fails(syscall.EACCES, create...), eventlog.ErrUnwritable},
		"mounted read-only":             {fails(syscall.EROFS, append(create, write...)...), eventlog.ErrUnwritable},
		"a disk with errors":            {fails(syscall.EIO, write...), eventlog.ErrUnwritable},
		"a file of the largest size":    {fails(syscall.EFBIG, write...), eventlog.ErrUnwritable},
		"no file descriptors":           {fails(syscall.EMFILE, create...), eventlog.ErrUnwritable},
		"a full quota":                  {fails(syscall.EDQUOT, write...), eventlog.ErrFull},
		"no inodes are left":            {fails(syscall.ENOSPC, create...), eventlog.ErrFull},
		"no space, though some is free": {fails(syscall.ENOSPC, append(create, write...)...), eventlog.ErrFull},
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			told := said{slog.DiscardHandler, make(chan struct{}, 100), make(chan struct{}, 100)}
			config := inMemory(errorfs.Wrap(mem, c.f))
			config.Storage.Logger = slog.New(told)
			l := mustOpen(t, config)
			home := homes(l)[0]
			fill(t, l, home, 1, 500)
			stored := uint64(500)
			for range 3 {
				c.f.on.Store(true)
				waits := make(chan error, 1)
				go func() { // one after the other, until one waits
					for {
						n, err := appended(t, l, home, stored+1)
						if err != nil {
							waits <- err
							return
						}
						stored = n
						if !c.f.on.Load() {
							waits <- nil
							return
						}
					}
				}()
				<-told.waits
				soon, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				if _, err := l.Append(soon, []eventlog.Entry{event(home, "no")}); !errors.Is(err, c.want) {
					c.f.on.Store(false)
					t.Fatalf("meanwhile an append returns %v, want %v", err, c.want)
				}
				left := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, 1))})
				holds(t, l, 500)
				c.f.on.Store(false)
				if err := <-waits; err != nil && !errors.Is(err, c.want) {
					t.Fatalf("the waiting append returned %v", err)
				}
				<-told.goesOn
				fill(t, l, home, stored+1, stored+100)
				stored += 100
				holds(t, l, stored)
				holds(t, mustOpen(t, inMemory(left)), 500)
			}
			if c.f.met.Load() == 0 {
				t.Error("no write failed: the test tried nothing")
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			holds(t, mustOpen(t, inMemory(mem)), stored)
		})
	}
}

// TestFailedSync: a failed sync is not retried: the kernel may have dropped the pages. No
// append is acknowledged after it, reads continue, and a restart works.
func TestFailedSync(t *testing.T) { apart(t, func() { failedSync(t) }) }

func failedSync(t *testing.T) {
	for _, err := range []error{syscall.EIO, syscall.ENOSPC} {
		mem := vfs.NewCrashableMem()
		f := fails(err, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo)
		l := mustOpen(t, inMemory(errorfs.Wrap(mem, f)))
		home := homes(l)[0]
		fill(t, l, home, 1, 100)
		f.on.Store(true)
		if _, err := appended(t, l, home, 101); !errors.Is(err, eventlog.ErrUnreachable) {
			t.Errorf("append: %v", err)
		}
		f.on.Store(false) // too late
		for range 3 {
			if _, err := appended(t, l, home, 101); !errors.Is(err, eventlog.ErrUnwritable) || errors.Is(err, eventlog.ErrFull) {
				t.Errorf("append: %v", err)
			}
		}
		holds(t, l, 100)
		left := mem.CrashClone(vfs.CrashCloneCfg{})
		if err := l.Close(); !errors.Is(err, eventlog.ErrUnwritable) {
			t.Errorf("close: %v", err)
		}
		holds(t, mustOpen(t, inMemory(left)), 100)
	}
}
