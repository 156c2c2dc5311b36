package directory

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/dashfeed/dashfeed/eventlog"
)

const (
	ballastFile    = "BALLAST"
	maxBallast     = 32 << 20
	defaultReserve = 256 << 20
	defaultShare   = 20 // 1/20 of the volume
)

// space keeps free space on the volume. It has three lines of defence: room refuses new work below
// the reserve; the ballast gives Pebble's own files (flushes, compactions) some room when others
// filled the volume; then writes wait (guard).
type space struct {
	fs      vfs.FS // the operating system's
	path    string
	reserve int64
	ballast int64
	logger  *slog.Logger

	mu     sync.Mutex
	held   bool
	closed bool
}

func newSpace(fs vfs.FS, path string, s Storage) *space {
	sp := &space{fs: fs, path: path, reserve: s.ReserveBytes, logger: s.logger()}
	if sp.reserve == 0 {
		sp.reserve = reserveOf(fs, path, s.MemTableBytes)
	}
	if s.LastToStop {
		sp.reserve /= 2
	}
	sp.ballast = min(sp.reserve/4, maxBallast)
	_ = fs.Remove(sp.ballastName()) // left by a crash
	sp.holdBallast()
	return sp
}

// reserveOf returns the default reserve of a volume: at least four memtables, since their flush
// needs room even on a small volume.
func reserveOf(fs vfs.FS, path string, memTable int64) int64 {
	usage, err := fs.GetDiskUsage(path)
	if err != nil {
		return defaultReserve
	}
	total := int64(usage.TotalBytes)
	return min(defaultReserve, max(total/defaultShare, min(memTables*memTable, total/4)))
}

func (s *space) ballastName() string { return s.fs.PathJoin(s.path, ballastFile) }

// free returns the volume's free bytes for this user; ok is false if the file system does not
// report them.
func (s *space) free() (n int64, ok bool) {
	usage, err := s.fs.GetDiskUsage(s.path)
	if err != nil {
		return 0, false
	}
	return int64(usage.AvailBytes), true
}

// room returns an error below the reserve. It costs one statfs, about a microsecond.
func (s *space) room() error {
	free, ok := s.free()
	if !ok || free >= s.reserve {
		return nil
	}
	return fmt.Errorf("%w: %s has %d KiB free, %d KiB are kept in reserve", eventlog.ErrFull, s.path, free>>10, s.reserve>>10)
}

// holdBallast creates the ballast file if it is missing and there is space for it and the reserve.
func (s *space) holdBallast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	free, ok := s.free()
	if s.held || s.closed || !ok || free < s.reserve+2*s.ballast {
		return
	}
	if err := s.makeBallast(); err != nil {
		_ = s.fs.Remove(s.ballastName())
		s.logger.Warn("no ballast against a full volume", "path", s.ballastName(), "err", err)
		return
	}
	s.held = true
}

func (s *space) makeBallast() error {
	file, err := s.fs.Create(s.ballastName(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return errors.Join(file.Preallocate(0, s.ballast), file.Close())
}

func (s *space) dropBallast() (dropped bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.held {
		return false
	}
	s.held = false
	return s.fs.Remove(s.ballastName()) == nil
}

// close deletes the ballast, so that Pebble has room to finish.
func (s *space) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.dropBallast()
}
