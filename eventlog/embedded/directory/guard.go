package directory

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
)

// guard is the file system for Pebble. Pebble ends the process when an essential write fails, and
// retries others without a pause. So guard retries a failed write until it succeeds: until the
// volume has space, is writable, or the directory is back in its place. Meanwhile err tells why
// writes wait, and reads continue.
//
// A failed sync can't be retried, since the kernel may have dropped the pages and reports that only
// once; nor can writes to a removed write-ahead log. Then nothing more is written, and lost is
// closed: only a restart reads what is really stored.
type guard struct {
	vfs.FS // the operating system's
	space  *space
	path   string
	// the open directory, to recognize it; nil if the files aren't the operating system's
	opened *os.File
	was    os.FileInfo   // file info of opened, as of the start
	lost   chan struct{} // closed when nothing can be written any more

	mu      sync.Mutex
	armed   bool  // Pebble is open; before that, errors go to its caller
	waiting int   // number of waiting writes
	why     error // why they wait, or why nothing can be written any more
}

// retryEvery is the time between two attempts of a waiting write.
const retryEvery = 50 * time.Millisecond

func newGuard(inner vfs.FS, path string, s Storage, sp *space) (*guard, error) {
	g := &guard{FS: inner, space: sp, path: path, lost: make(chan struct{})}
	if s.FS != nil {
		return g, nil
	}
	var err error
	if g.opened, err = os.Open(path); err == nil {
		g.was, err = g.opened.Stat()
	}
	return g, err
}

func (g *guard) close() error {
	if g.opened == nil {
		return nil
	}
	return g.opened.Close()
}

// arm makes failed writes wait from now on.
func (g *guard) arm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = true
}

// err returns why writes wait, or why nothing will be written any more.
func (g *guard) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

// inPlace returns nil while the directory is where it was opened.
func (g *guard) inPlace() error {
	err := g.sameDirectory()
	if err != nil {
		return fmt.Errorf("%w: the directory %s was moved or replaced, put it back or restart: %w", eventlog.ErrUnwritable, g.path, err)
	}
	return nil
}

func (g *guard) sameDirectory() error {
	if g.opened == nil {
		_, err := g.FS.Stat(g.path)
		return err
	}
	is, err := os.Stat(g.path)
	if err != nil {
		return err
	}
	if !os.SameFile(is, g.was) {
		return errors.New("another directory is in its place")
	}
	return nil
}

// persist repeats do, which changes the disk, until it succeeds.
func (g *guard) persist(do func() error) error {
	waits := false
	for {
		err := g.attempt(do)
		g.mu.Lock()
		switch {
		case err == nil && waits:
			g.goOn()
		case err != nil && g.armed:
			g.wait(err, !waits)
			waits = true
		}
		armed := g.armed
		g.mu.Unlock()
		if err == nil || !armed {
			return err
		}
		if isFull(err) && g.space.dropBallast() {
			g.space.logger.Error("volume full: ballast deleted", "path", g.path, "bytes", g.space.ballast)
			continue
		}
		time.Sleep(retryEvery)
	}
}

func (g *guard) attempt(do func() error) error {
	if err := g.inPlace(); err != nil {
		return err
	}
	return do()
}

// wait records that a write waits, and why; the caller holds mu.
func (g *guard) wait(err error, first bool) {
	if first {
		g.waiting++
	}
	if g.isLost() {
		return
	}
	if g.why == nil {
		g.space.logger.Error("the data directory can't be written: writes wait until it can", "path", g.path, "error", err)
	}
	g.why = g.reason(err)
}

// goOn ends a wait; the caller holds mu.
func (g *guard) goOn() {
	if g.waiting--; g.waiting > 0 || g.isLost() {
		return
	}
	g.why = nil
	g.space.logger.Info("the data directory can be written again", "path", g.path)
}

func (g *guard) reason(err error) error {
	switch {
	case errors.Is(err, eventlog.ErrUnwritable):
		return err
	case isFull(err):
		return fmt.Errorf("%w: writes to %s wait until there is space: %w", eventlog.ErrFull, g.path, err)
	}
	return fmt.Errorf("%w: writes to %s wait until they succeed: %w", eventlog.ErrUnwritable, g.path, err)
}

func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// lose ends all writing. It does not return: an error to Pebble would end the process.
func (g *guard) lose(err error) {
	g.mu.Lock()
	if !g.isLost() {
		g.why = fmt.Errorf("%w: nothing more is written to %s, check the disk and restart: %w", eventlog.ErrUnwritable, g.path, err)
		g.space.logger.Error("the data directory accepts no writes until a restart", "path", g.path, "error", err)
		close(g.lost)
	}
	g.waiting++
	g.mu.Unlock()
	select {} // until the process ends
}

func (g *guard) isLost() bool {
	select {
	case <-g.lost:
		return true
	default:
		return false
	}
}

// Create creates a file, and waits until that succeeds.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = g.persist(func() error { f, err = g.FS.Create(name, category); return err })
	return g.file(f, name), err
}

// OpenReadWrite opens a file for both, and waits until that succeeds.
func (g *guard) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (f vfs.File, err error) {
	err = g.persist(func() error { f, err = g.FS.OpenReadWrite(name, category, o...); return err })
	return g.file(f, name), err
}

// ReuseForWrite is Create, after the old file is removed.
func (g *guard) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = g.persist(func() error {
		if f, err = g.FS.ReuseForWrite(old, name, category); errors.Is(err, fs.ErrNotExist) {
			f, err = g.FS.Create(name, category)
		}
		return err
	})
	return g.file(f, name), err
}

// OpenDir opens a directory, to sync it.
func (g *guard) OpenDir(name string) (f vfs.File, err error) {
	err = g.persist(func() error { f, err = g.FS.OpenDir(name); return err })
	return g.file(f, name), err
}

// Link waits until it succeeds, like Rename and MkdirAll.
func (g *guard) Link(old, name string) error {
	return g.persist(func() error { return g.FS.Link(old, name) })
}

// Rename waits until it succeeds.
func (g *guard) Rename(old, name string) error {
	return g.persist(func() error { return g.FS.Rename(old, name) })
}

// MkdirAll waits until it succeeds.
func (g *guard) MkdirAll(dir string, mode os.FileMode) error {
	return g.persist(func() error { return g.FS.MkdirAll(dir, mode) })
}

// Open opens a file for reading, also in a directory that was moved: Pebble would take a missing
// file for a corrupt one. Any other error goes to the reader after a moment, since Pebble's
// compactions retry at once.
func (g *guard) Open(name string, o ...vfs.OpenOption) (vfs.File, error) {
	f, err := g.FS.Open(name, o...)
	g.mu.Lock()
	armed := g.armed
	g.mu.Unlock()
	if err == nil || !armed {
		return f, err
	}
	if moved, ok := g.moved(name); ok {
		if f, err := g.FS.Open(moved, o...); err == nil {
			return f, nil
		}
	}
	time.Sleep(retryEvery)
	return nil, err
}

// moved returns the path of a file in the opened directory, wherever it is now; only Linux has one.
func (g *guard) moved(name string) (path string, ok bool) {
	if g.opened == nil || g.sameDirectory() == nil {
		return "", false
	}
	return g.FS.PathJoin("/proc/self/fd", strconv.Itoa(int(g.opened.Fd())), g.FS.PathBase(name)), true
}

// Unwrap returns the underlying file system.
func (g *guard) Unwrap() vfs.FS { return g.FS }

func (g *guard) file(f vfs.File, name string) vfs.File {
	if f == nil {
		return nil
	}
	return &guardedFile{File: f, guard: g, name: name}
}

// guardedFile is a file that Pebble writes.
type guardedFile struct {
	vfs.File
	guard *guard
	name  string
}

// Write writes all of p, and waits until that succeeds.
func (f *guardedFile) Write(p []byte) (done int, err error) {
	err = f.guard.persist(func() error {
		n, err := f.File.Write(p[done:])
		done += n
		return err
	})
	return done, err
}

// WriteAt writes all of p, and waits until that succeeds.
func (f *guardedFile) WriteAt(p []byte, at int64) (done int, err error) {
	err = f.guard.persist(func() error {
		n, err := f.File.WriteAt(p[done:], at+int64(done))
		done += n
		return err
	})
	return done, err
}

// Preallocate waits until it succeeds.
func (f *guardedFile) Preallocate(at, length int64) error {
	return f.guard.persist(func() error { return f.File.Preallocate(at, length) })
}

// Sync returns when the written data is durable and the file is in its place.
func (f *guardedFile) Sync() error { return f.synced(f.File.Sync()) }

// SyncData is like Sync.
func (f *guardedFile) SyncData() error { return f.synced(f.File.SyncData()) }

// SyncTo is like Sync.
func (f *guardedFile) SyncTo(length int64) (full bool, err error) {
	full, err = f.File.SyncTo(length)
	return full, f.synced(err)
}

func (f *guardedFile) synced(err error) error {
	g := f.guard
	g.mu.Lock()
	armed := g.armed
	g.mu.Unlock()
	switch {
	case !armed:
		return err
	case err != nil:
		g.lose(fmt.Errorf("sync %s: %w", f.name, err))
	case !strings.HasSuffix(f.name, ".log"):
		return nil
	}
	// Data in a file that was moved away or removed is not stored.
	return g.persist(func() error {
		if _, err := g.FS.Stat(f.name); errors.Is(err, fs.ErrNotExist) && g.inPlace() == nil {
			g.lose(fmt.Errorf("the write-ahead log %s was removed", f.name))
		} else if err != nil {
			return err
		}
		return nil
	})
}
