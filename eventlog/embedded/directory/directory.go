// Package directory is a data directory on the local disk: its lock, its format, the free space
// that it leaves on its volume, and the Pebble store inside it. The embedded log and the embedded
// checkpoints each own one.
//
// Guarantees:
//
//  1. One process at a time: the second one gets eventlog.ErrInUse with the directory's name.
//  2. A directory of another kind, or of a newer format than this binary knows, is refused before
//     anything is changed.
//  3. A full volume never ends the process. Err refuses work while less than the reserve is free.
//     If other programs fill the reserve too, a ballast file is deleted, and then Pebble's writes
//     wait until there is space.
//  4. A directory that can't be written, or was moved or removed, never ends the process either:
//     Err refuses work, Pebble's writes wait until they succeed, and the data is readable. After a
//     failed sync, or a removed write-ahead log, they wait for a restart.
//
// It is not a cache and knows neither records nor checkpoints.
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
	mark     *Mark // nil: not open
	lock     *pebble.Lock
	space    *space
	guard    *guard
	unlogged bool
}

// Open locks the directory at path, creating it if it is missing, checks that it holds what want
// says (the zero Partitions of want accepts any number) and opens its Pebble store. If check is not
// nil, it inspects an existing store before anything is changed, since Pebble replaces its
// write-ahead logs when it opens them: if check fails, the directory is unchanged.
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
	if err := d.inspect(s, check); err != nil {
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

// inspect opens an existing store read-only and runs check on it.
func (d *Directory) inspect(s Storage, check func(*Directory) error) (err error) {
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

// NewestLog returns the path of the newest write-ahead log; "" if there is none.
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

// Path returns the absolute path of the directory.
func (d *Directory) Path() string { return d.path }

// Err returns why nothing should be written now, or nil: ErrFull while less than the reserve is
// free on the volume, ErrUnwritable while the directory can't be written or has moved.
func (d *Directory) Err() error {
	if err := d.Stalled(); err != nil {
		return err
	}
	if err := d.guard.inPlace(); err != nil {
		return err
	}
	return d.space.room()
}

// Stalled returns why writes wait, or nil. It costs nothing.
func (d *Directory) Stalled() error { return d.guard.err() }

// Commit applies the batch and closes it in any case. If nothing can be written any more, Commit
// returns, and only the next start shows whether the batch is stored.
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

// RestoreBallast creates the ballast again once there is space for it. The owner calls it
// regularly.
func (d *Directory) RestoreBallast() { d.space.holdBallast() }

// closeWait bounds how long Close waits for writes that wait.
const closeWait = 5 * time.Second

// Close calls quiesce, which returns when Pebble is no longer used, closes Pebble, releases the
// lock and calls closed. If waiting writes prevent that, it returns the reason after five seconds,
// and at once if nothing can be written any more: synced data is safe, and the lock ends with the
// process.
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

// flush writes what no write-ahead log holds.
func (d *Directory) flush() error {
	if !d.unlogged {
		return nil
	}
	return d.DB.Flush()
}

// makeDirectory creates the directory and makes its entry in its parent durable.
func makeDirectory(inner vfs.FS, path string) error {
	if err := inner.MkdirAll(path, 0o750); err != nil {
		return fmt.Errorf("make directory %s: %w", path, err)
	}
	parent, err := inner.OpenDir(inner.PathDir(path))
	if err != nil {
		return nil //nolint:nilerr // a parent without read permission cannot be synced; the directory itself exists
	}
	return errors.Join(parent.Sync(), parent.Close())
}

// lockError distinguishes a directory in use from one that can't be written: only opening the lock
// file gives an error with a path.
func lockError(path string, err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return fmt.Errorf("lock directory %s: %w", path, err)
	}
	return fmt.Errorf("lock directory %s: %w (%w)", path, eventlog.ErrInUse, err)
}

// Free returns the free bytes of the volume; ok is false if the file system does not report them.
func (d *Directory) Free() (sizeBytes int64, ok bool) { return d.space.free() }
