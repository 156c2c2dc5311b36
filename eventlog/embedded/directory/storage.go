package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Storage says how a directory uses memory and disk.
type Storage struct {
	// free space to leave on the volume; 0: 256 MiB, or 5 % of a smaller volume (at least four
	// memtables, at most a quarter)
	ReserveBytes int64
	LastToStop   bool // reserve half of that: for a store that must continue when others refuse
	Sequential   bool // keys come almost in order
	// no write-ahead log: a crash loses the newest writes, some memtables of them, and never one
	// without those after it
	Unlogged      bool
	MemTableBytes int64        // one memtable; at most four are in memory
	CacheBytes    int64        // blocks read from disk
	FS            vfs.FS       // nil: the operating system's
	Logger        *slog.Logger // nil: slog.Default()
}

// DefaultStorage needs some 10 MiB of memory.
func DefaultStorage() Storage {
	return Storage{MemTableBytes: 2 << 20, CacheBytes: 4 << 20}
}

// Validate reports every field that is out of its range.
func (s Storage) Validate() error {
	var errs []error
	if s.ReserveBytes < 0 {
		errs = append(errs, fmt.Errorf("reserve of %d bytes is not allowed: 0 or more", s.ReserveBytes))
	}
	if s.MemTableBytes < 64<<10 || s.MemTableBytes > 1<<30 {
		errs = append(errs, fmt.Errorf("memtable of %d bytes is not allowed: 64 KiB to 1 GiB", s.MemTableBytes))
	}
	if s.CacheBytes < 0 {
		errs = append(errs, fmt.Errorf("cache of %d bytes is not allowed: 0 or more", s.CacheBytes))
	}
	return errors.Join(errs...)
}

func (s Storage) fs() vfs.FS {
	if s.FS == nil {
		return vfs.Default
	}
	return s.FS
}

func (s Storage) logger() *slog.Logger {
	if s.Logger == nil {
		return slog.Default()
	}
	return s.Logger
}

// memTables is how many memtables may wait for their flush before writes stop.
const memTables = 4

// options returns Pebble's options. The format is pinned, so that a newer Pebble does not rewrite a
// directory in a format that an older binary cannot open.
func (s Storage) options(fs vfs.FS, lock *pebble.Lock) *pebble.Options {
	logger := s.logger()
	o := &pebble.Options{
		FS:   fs,
		Lock: lock,
		// Pebble takes memtables out of the cache's size
		CacheSize:                   s.CacheBytes + 2*s.MemTableBytes,
		MemTableSize:                uint64(s.MemTableBytes),
		MemTableStopWritesThreshold: memTables,
		FormatMajorVersion:          pebble.FormatValueSeparation,
		FlushDelayDeleteRange:       flushDelay,
		MaxOpenFiles:                256,
		MaxManifestFileSize:         1 << 20,
		Logger:                      pebbleLogger{logger},
		EventListener: &pebble.EventListener{
			BackgroundError: func(err error) { logger.Error("pebble in the background", "err", err) },
			// The default ends the process. A corrupt block is an error of the read that finds it.
			DataCorruption: func(i pebble.DataCorruptionInfo) { logger.Error("corrupt block", "path", i.Path, "err", i.Details) },
		},
	}
	if s.Unlogged {
		unlogged(o)
	}
	if s.Sequential {
		sequential(o)
		return o
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.TargetFileSizes[i] = s.MemTableBytes
	}
	return o
}

// sequential makes small files and one level below the first: new files overlap only the newest
// file there, so that little is merged again. It sets no filters, since no missing key is looked
// up.
func sequential(o *pebble.Options) {
	o.L0CompactionThreshold = 8
	o.LBaseMaxBytes = 1 << 50
	for i := range o.Levels {
		o.Levels[i].BlockSize = 32 << 10
		o.TargetFileSizes[i] = 1 << 20
	}
}

// unlogged is for stores that are filled at once, at a start: flushed files are merged later, many
// at a time.
func unlogged(o *pebble.Options) {
	o.DisableWAL = true
	o.L0CompactionThreshold = 16
	o.L0StopWritesThreshold = 64
}

// flushDelay is how soon a range delete is flushed, so that its files are deleted.
const flushDelay = 5e9

// pebbleLogger logs Pebble's messages: the informational ones at debug level.
type pebbleLogger struct{ *slog.Logger }

func (l pebbleLogger) Infof(format string, args ...any) {
	if l.Enabled(context.Background(), slog.LevelDebug) {
		l.Debug("pebble: " + fmt.Sprintf(format, args...))
	}
}

func (l pebbleLogger) Errorf(format string, args ...any) {
	l.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return. No disk failure leads here (see guard): the cause is a fault of Pebble or
// of Dashfeed.
func (l pebbleLogger) Fatalf(format string, args ...any) {
	l.Error("pebble can't continue, the process ends: " + fmt.Sprintf(format, args...))
	os.Exit(1)
}
