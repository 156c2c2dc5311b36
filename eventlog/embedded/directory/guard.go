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

// guard is the file system that Pebble gets. Pebble ends the process when a write fails that had to
// succeed, and tries others again without a pause. So here a write that fails is tried again until
// it succeeds: the volume has space again, may be written again, the directory is back where it
// was. Meanwhile err tells why writes wait, and reads go on.
//
// What can't be tried again is a sync that failed, since the kernel may have dropped the pages and
// says so only once, and a write-ahead log that somebody removed. Then nothing more is written, and
// lost is closed: only a new start reads what is truly there.
type guard struct {
	vfs.FS // the operating system's
	space  *space
	path   string
	// the directory, to know it again; nil where the files aren't the operating system's
	home *os.File
	lost chan struct{} // closed when nothing can be written any more

	mu      sync.Mutex
	armed   bool  // Pebble is open: until then errors are its caller's
	waiting int   // writes that wait
	why     error // they do, or nothing can be written any more
}

// retryEvery is how often a write that waits is tried again.
const retryEvery = 50 * time.Millisecond

func newGuard(inner vfs.FS, path string, s Storage, sp *space) (*guard, error) {
	g := &guard{FS: inner, space: sp, path: path, lost: make(chan struct{})}
	if s.FS != nil {
		return g, nil
	}
	var err error
	g.home, err = os.Open(path)
	return g, err
}

func (g *guard) close() error {
	if g.home == nil {
		return nil
	}
	return g.home.Close()
}

// arm makes writes wait from here on.
func (g *guard) arm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = true
}

// err is why writes wait, or why there will be none any more.
func (g *guard) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

// here is nil while the directory lies where it was opened.
func (g *guard) here() error {
	err := g.atHome()
	if err != nil {
		return fmt.Errorf("%w: the directory %s is not where it was, put it back or restart: %w", eventlog.ErrUnwritable, g.path, err)
	}
	return nil
}

func (g *guard) atHome() error {
	if g.home == nil {
		_, err := g.FS.Stat(g.path)
		return err
	}
	is, err := os.Stat(g.path)
	if err != nil {
		return err
	}
	if was, err := g.home.Stat(); err != nil || !os.SameFile(is, was) {
		return errors.Join(errors.New("another directory is in its place"), err)
	}
	return nil
}

// persist does what changes the disk, until it succeeds.
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
			g.space.logger.Error("volume full: ballast given up", "path", g.path, "bytes", g.space.ballast)
			continue
		}
		time.Sleep(retryEvery)
	}
}

func (g *guard) attempt(do func() error) error {
	if err := g.here(); err != nil {
		return err
	}
	return do()
}

// wait notes that a write waits, and why; mu is held.
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

// goOn ends a wait; mu is held.
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

// lose ends all writing. It does not return: to tell Pebble would end the process.
func (g *guard) lose(err error) {
	g.mu.Lock()
	if !g.isLost() {
		g.why = fmt.Errorf("%w: nothing more is written to %s, see to the disk and restart: %w", eventlog.ErrUnwritable, g.path, err)
		g.space.logger.Error("the data directory is lost for writes until a restart", "path", g.path, "error", err)
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

// Create makes a file, sooner or later.
func (g *guard) Create(name string, category vfs.DiskWriteCategory) (f vfs.File, err error) {
	err = g.persist(func() error { f, err = g.FS.Create(name, category); return err })
	return g.file(f, name), err
}

// OpenReadWrite opens a file for both, sooner or later.
func (g *guard) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (f vfs.File, err error) {
	err = g.persist(func() error { f, err = g.FS.OpenReadWrite(name, category, o...); return err })
	return g.file(f, name), err
}

// ReuseForWrite is Create where the old file is gone.
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

// Link, Rename and MkdirAll succeed sooner or later.
func (g *guard) Link(old, name string) error {
	return g.persist(func() error { return g.FS.Link(old, name) })
}

// Rename is as Link.
func (g *guard) Rename(old, name string) error {
	return g.persist(func() error { return g.FS.Rename(old, name) })
}

// MkdirAll is as Link.
func (g *guard) MkdirAll(dir string, mode os.FileMode) error {
	return g.persist(func() error { return g.FS.MkdirAll(dir, mode) })
}

// Open opens a file for reading, also in a directory that was moved: Pebble would take a file that
// is not there for a corrupt one. Any other error is the reader's, after a moment, since Pebble's
// compactions try again at once.
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

// moved is the path of a file in the directory that was opened, wherever it lies; Linux has one.
func (g *guard) moved(name string) (path string, ok bool) {
	if g.home == nil || g.atHome() == nil {
		return "", false
	}
	return g.FS.PathJoin("/proc/self/fd", strconv.Itoa(int(g.home.Fd())), g.FS.PathBase(name)), true
}

// Unwrap is the file system below.
func (g *guard) Unwrap() vfs.FS { return g.FS }

func (g *guard) file(f vfs.File, name string) vfs.File {
	if f == nil {
		return nil
	}
	return &guardedFile{File: f, guard: g, name: name}
}

// guardedFile is a file that is written.
type guardedFile struct {
	vfs.File
	guard *guard
	name  string
}

// Write writes all of p, sooner or later.
func (f *guardedFile) Write(p []byte) (done int, err error) {
	err = f.guard.persist(func() error {
		n, err := f.File.Write(p[done:])
		done += n
		return err
	})
	return done, err
}

// WriteAt is as Write.
func (f *guardedFile) WriteAt(p []byte, at int64) (done int, err error) {
	err = f.guard.persist(func() error {
		n, err := f.File.WriteAt(p[done:], at+int64(done))
		done += n
		return err
	})
	return done, err
}

// Preallocate succeeds sooner or later.
func (f *guardedFile) Preallocate(at, length int64) error {
	return f.guard.persist(func() error { return f.File.Preallocate(at, length) })
}

// Sync returns when what was written is durable, and where it is found again.
func (f *guardedFile) Sync() error { return f.synced(f.File.Sync()) }

// SyncData is as Sync.
func (f *guardedFile) SyncData() error { return f.synced(f.File.SyncData()) }

// SyncTo is as Sync.
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
	// What was synced to a file that nobody finds any more is not stored.
	return g.persist(func() error {
		if _, err := g.FS.Stat(f.name); errors.Is(err, fs.ErrNotExist) && g.here() == nil {
			g.lose(fmt.Errorf("the write-ahead log %s was removed", f.name))
		} else if err != nil {
			return err
		}
		return nil
	})
}
