// Package directory is a data directory on the local disk: its lock, its format, the free space it
// leaves on its volume, and the Pebble store inside it. The embedded log and the embedded
// checkpoints each own one.
//
// What it promises:
//
//  1. One process at a time: the second gets eventlog.ErrInUse, naming the directory.
//  2. A directory of another kind, or of a newer format than this binary knows, is refused before a
//     byte is touched.
//  3. A full volume never ends the process. Err refuses work while less than the reserve is free;
//     should something else eat the reserve too, a ballast file is given up, and then Pebble's
//     writes wait until space is back.
//  4. A directory that can't be written, or was moved or removed, never ends the process either:
//     Err refuses work, Pebble's writes wait until they succeed, and what is there is read. Where a
//     sync failed, or the write-ahead log was removed, they wait for a restart.
//
// It is no cache and knows neither records nor checkpoints.
package directory

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
)

// Directory is an open data directory. Its owner closes it; Pebble's goroutines end in Close.
type Directory struct {
	DB     *pebble.DB
	Format Format // as stored
	Logger *slog.Logger

	path     string
	inner    vfs.FS
	mark     *Mark // nil: not opened
	lock     *pebble.Lock
	space    *space
	guard    *guard
	unlogged bool
}

// Open locks the directory at path, making it where there is none, checks that it holds what want
// says (the zero Partitions of want accepts any number) and opens its Pebble store. check, where it
// is given, looks at a store that is there before anything of it is changed, since Pebble replaces
// its write-ahead logs when it opens them: where it fails, all is as it was.
func Open(path string, want Format, s Storage, check func(*Directory) error) (*Directory, error) {
	inner := s.fs()
	if s.FS == nil {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("open directory %s: %w", path, err)
		}
		path = absolute
	}
	if err := makeDirectory(inner, path); err != nil {
		return nil, err
	}
	lock, err := pebble.LockDirectory(path, inner)
	if err != nil {
		return nil, lockError(path, err)
	}
	d := &Directory{Logger: s.logger(), path: path, inner: inner, lock: lock, unlogged: s.Unlogged}
	if err := d.open(inner, want, s, check); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return d, nil
}

func (d *Directory) open(inner vfs.FS, want Format, s Storage, check func(*Directory) error) error {
	format, err := loadFormat(inner, d.path, want)
	if err != nil {
		return err
	}
	d.Format = format
	if err := d.look(s, check); err != nil {
		return fmt.Errorf("open %s in %s: %w", want.Kind, d.path, corrupt(err))
	}
	d.space = newSpace(inner, d.path, s)
	if d.guard, err = newGuard(inner, d.path, s, d.space); err != nil {
		d.space.close()
		return fmt.Errorf("open %s in %s: %w", want.Kind, d.path, err)
	}
	d.DB, err = pebble.Open(d.path, s.options(d.guard, d.lock))
	if err != nil {
		d.space.close()
		_ = d.guard.close()
		return fmt.Errorf("open %s in %s: %w", want.Kind, d.path, corrupt(err))
	}
	d.guard.arm()
	return nil
}

// look opens the store for reading alone, where there is one, and has it checked.
func (d *Directory) look(s Storage, check func(*Directory) error) (err error) {
	if check == nil {
		return nil
	}
	o := s.options(d.inner, d.lock)
	o.ReadOnly = true
	d.DB, err = pebble.Open(d.path, o)
	if errors.Is(err, pebble.ErrDBDoesNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(check(d), d.DB.Close())
}

// NewestLog is the path of the newest write-ahead log; empty where there is none.
func (d *Directory) NewestLog() string {
	names, _ := d.inner.List(d.path)
	newest, number := "", -1
	for _, name := range names {
		if n, err := strconv.Atoi(strings.TrimSuffix(name, ".log")); err == nil && strings.HasSuffix(name, ".log") && n > number {
			newest, number = d.inner.PathJoin(d.path, name), n
		}
	}
	return newest
}

func corrupt(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", eventlog.ErrCorrupt, err)
	}
	return err
}

// Path is where the directory lies, absolute.
func (d *Directory) Path() string { return d.path }

// Err is why nothing should be written now, or nil: ErrFull while less than the reserve is free on
// the volume, ErrUnwritable where the directory can't be written or is not where it was.
func (d *Directory) Err() error {
	if err := d.Stalled(); err != nil {
		return err
	}
	if err := d.guard.here(); err != nil {
		return err
	}
	return d.space.room()
}

// Stalled is why writes wait, or nil. It costs nothing.
func (d *Directory) Stalled() error { return d.guard.err() }

// Commit applies the batch and closes it, whatever comes of it. Where nothing can be written any
// more it returns, and whether the batch is stored, only the next start tells.
func (d *Directory) Commit(b *pebble.Batch, o *pebble.WriteOptions) error {
	done := make(chan error, 1)
	go func() { done <- errors.Join(b.Commit(o), b.Close()) }()
	select {
	case err := <-done:
		return err
	case <-d.guard.lost:
		return d.guard.err()
	}
}

// Tend puts the ballast back once there is space for it again. The owner calls it now and then.
func (d *Directory) Tend() { d.space.holdBallast() }

// closeWait is how long Close waits for writes that wait themselves.
const closeWait = 5 * time.Second

// Close calls quiesce, which returns when nobody uses Pebble any more, closes Pebble, gives up the
// lock and calls closed. Where writes wait so that this does not end, it returns after five seconds
// why, and where nothing can be written any more at once: what was synced is safe, and the lock
// ends with the process.
func (d *Directory) Close(quiesce, closed func()) error {
	d.space.close()
	done := make(chan error, 1)
	go func() {
		quiesce()
		err := errors.Join(d.flush(), d.DB.Close(), d.mark.close(), d.guard.close(), d.lock.Close())
		closed()
		done <- err
	}()
	limit := time.NewTimer(closeWait)
	defer limit.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("close %s: %w", d.path, err)
			}
			return nil
		case <-d.guard.lost:
			return fmt.Errorf("close %s: %w", d.path, d.Stalled())
		case <-limit.C:
			if err := d.Stalled(); err != nil {
				return fmt.Errorf("close %s: %w", d.path, err)
			}
			limit.Reset(closeWait)
		}
	}
}

// flush writes what no log holds.
func (d *Directory) flush() error {
	if !d.unlogged {
		return nil
	}
	return d.DB.Flush()
}

// makeDirectory makes the directory and its entry in its parent durable.
func makeDirectory(inner vfs.FS, path string) error {
	if err := inner.MkdirAll(path, 0o750); err != nil {
		return fmt.Errorf("make directory %s: %w", path, err)
	}
	parent, err := inner.OpenDir(inner.PathDir(path))
	if err != nil {
		return nil //nolint:nilerr // a parent that may not be read cannot be synced; the directory itself is there
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// lockError tells a directory in use from one that cannot be written: only opening the lock file
// gives a path.
func lockError(path string, err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return fmt.Errorf("lock directory %s: %w", path, err)
	}
	return fmt.Errorf("lock directory %s: %w (%w)", path, eventlog.ErrInUse, err)
}

// Free is what the volume has left, in bytes; ok is false where the file system does not say.
func (d *Directory) Free() (sizeBytes int64, ok bool) { return d.space.free() }
