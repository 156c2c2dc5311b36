package crashes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/dashfeed/dashfeed/messages"
)

func at(lo uint64) messages.Position { return messages.Position{Lo: lo} }

func span(after, through uint64) Span { return Span{at(after), at(through)} }

func named(shard int) (string, error) { return fmt.Sprint("tenant/", shard), nil }

// process runs do as a process that is not told to end. The next process finds what it leaves.
func process(t *testing.T, path string, do func(c *File)) {
	t.Helper()
	c, err := Open(path, named)
	if err != nil {
		t.Fatal(err)
	}
	do(c)
	// The system does this at the end of a process, and writes nothing.
	if err := errors.Join(syscall.Munmap(c.mapped), c.f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Each line lists what consecutive processes were working on when they ended, and what is suspected
// afterwards.
func TestWhatIsSuspected(t *testing.T) {
	end := func(s Span) func(*File) { return func(c *File) { c.Shard(3).At(s, false) } }
	care := func(s Span) func(*File) { return func(c *File) { c.Shard(3).At(s, true) } }
	idle := func(c *File) { c.Shard(3).At(span(1, 2), false); c.Shard(3).Idle() }
	told := func(c *File) { c.Shard(3).At(span(5, 6), false); c.Ending(); c.Shard(3).At(span(5, 7), false) }
	none := func(*File) {}
	for name, c := range map[string]struct {
		processes []func(*File)
		want      Span
		ends      int
	}{
		"nothing":                             {nil, Span{}, 0},
		"idle":                                {[]func(*File){idle, idle, idle}, Span{}, 0},
		"told":                                {[]func(*File){told, told, told}, Span{}, 0},
		"once":                                {[]func(*File){end(span(5, 9))}, span(5, 9), 1},
		"the same three times":                {[]func(*File){end(span(5, 9)), end(span(5, 9)), end(span(5, 9))}, span(5, 9), 3},
		"cut otherwise":                       {[]func(*File){end(span(7, 9)), end(span(5, 40)), end(span(2, 8))}, span(7, 8), 3},
		"in between it did not come so far":   {[]func(*File){end(span(7, 9)), none, end(span(7, 8))}, span(7, 8), 2},
		"in between it was told to end":       {[]func(*File){end(span(7, 9)), told, end(span(7, 8))}, span(7, 8), 2},
		"another":                             {[]func(*File){end(span(5, 9)), end(span(5, 9)), end(span(9, 12))}, span(9, 12), 1},
		"while it read":                       {[]func(*File){end(span(5, 0)), end(span(5, 0))}, span(5, 0), 2},
		"while it read, and then further on":  {[]func(*File){end(span(5, 0)), end(span(7, 9))}, span(7, 9), 1},
		"while it read, and then what":        {[]func(*File){end(span(5, 0)), end(span(3, 9))}, span(5, 9), 2},
		"while it read, further on":           {[]func(*File){end(span(5, 0)), end(span(6, 0))}, span(6, 0), 1},
		"with care":                           {[]func(*File){end(span(5, 0)), end(span(5, 0)), care(span(7, 8))}, span(7, 8), 3},
		"with care, while it read":            {[]func(*File){end(span(5, 9)), end(span(5, 9)), care(span(7, 0))}, span(7, 0), 3},
		"beyond what was read":                {[]func(*File){end(span(5, 9)), end(span(9, 0))}, span(9, 0), 1},
		"it came behind it":                   {[]func(*File){end(span(5, 9)), end(span(5, 9)), func(c *File) { c.Shard(3).Clear() }}, Span{}, 0},
		"it came behind it, and ends at more": {[]func(*File){end(span(5, 9)), func(c *File) { c.Shard(3).Clear(); c.Shard(3).At(span(9, 10), false) }}, span(9, 10), 1},
		"another node has it":                 {[]func(*File){end(span(5, 9)), func(c *File) { c.Shard(3).Forget() }}, Span{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "crashes")
			for _, p := range c.processes {
				process(t, path, p)
			}
			process(t, path, func(f *File) {
				got, ends := f.Shard(3).Suspect()
				if got != c.want || ends != c.ends {
					t.Errorf("%v after %d ends, want %v after %d", got, ends, c.want, c.ends)
				}
				if other, ends := f.Shard(4).Suspect(); ends != 0 {
					t.Errorf("of another shard: %v", other)
				}
			})
		})
	}
}

func TestPassed(t *testing.T) {
	for _, c := range []struct {
		span   Span
		folded uint64
		want   bool
	}{
		{span(5, 9), 8, false}, {span(5, 9), 9, true}, {span(5, 9), 12, true}, {span(5, 0), 5, false}, {span(5, 0), 6, true},
	} {
		if got := c.span.Passed(at(c.folded)); got != c.want {
			t.Errorf("%v, folded up to %d: %v", c.span, c.folded, got)
		}
	}
}

// A file of another program, or one that was damaged by a crash of the machine, contains no
// suspicion and prevents no start.
func TestADamagedFileKnowsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crashes")
	process(t, path, func(c *File) { c.Shard(0).At(span(1, 2), false); c.Shard(1).At(span(3, 4), false) })
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"header": func(b []byte) []byte { b[20] ^= 1; return b },
		"block":  func(b []byte) []byte { b[blockSize+50] ^= 1; return b[:2*blockSize] },
		"torn":   func(b []byte) []byte { return b[:2*blockSize-1] },
		"other":  func([]byte) []byte { return []byte("something else") },
		"empty":  func([]byte) []byte { return nil },
	} {
		if err := os.WriteFile(path, damage(append([]byte(nil), b...)), 0o600); err != nil {
			t.Fatal(err)
		}
		process(t, path, func(c *File) {
			if got, ends := c.Shard(0).Suspect(); ends != 0 {
				t.Errorf("%s: %v after %d ends", name, got, ends)
			}
		})
	}
}

// Shards that come and go take no more room than the most shards at one time.
func TestTheFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "crashes")
	process(t, path, func(c *File) {
		for i := range 3000 {
			s := c.Shard(i)
			s.At(span(1, 2), false)
			s.Forget()
		}
		if len(c.all) != 1 {
			t.Errorf("%d blocks", len(c.all))
		}
		for i := range 3000 { // more than there is room for at first
			c.Shard(i).At(span(1, uint64(i+2)), false)
		}
	})
	process(t, path, func(c *File) {
		for i := range 3000 {
			if got, ends := c.Shard(i).Suspect(); ends != 1 || got != span(1, uint64(i+2)) {
				t.Fatalf("shard %d: %v after %d ends", i, got, ends)
			}
		}
	})
	if info, err := os.Stat(path); err != nil || info.Size() > 8192*blockSize {
		t.Errorf("%v %v", info.Size(), err)
	}
}

func BenchmarkMark(b *testing.B) {
	c, err := Open(filepath.Join(b.TempDir(), "crashes"), named)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	s, i := c.Shard(3), uint64(0)
	for b.Loop() {
		s.At(span(i, i+1), false)
		s.Idle()
		i++
	}
}
