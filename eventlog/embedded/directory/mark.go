package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markFile is beside Pebble's files.
const markFile = "ACKNOWLEDGED"

// Mark is a number beside the store that says how many records were acknowledged. It is written
// after every synced write, and not synced itself: it costs a write of a few bytes to the page
// cache. It survives the end of the process; a loss of power may leave an older number, never one
// that the store had not reached.
//
// Pebble takes a damaged end of its newest log for a torn write, and drops it. The mark
// distinguishes the two.
type Mark struct {
	file vfs.File
	path string
}

const markBytes = 8 + 4 // number, checksum

var markTable = crc32.MakeTable(crc32.Castagnoli)

// OpenMark opens or creates the mark; the directory's Close closes it.
func (d *Directory) OpenMark() (*Mark, error) {
	path := d.MarkPath()
	f, err := d.guard.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d.mark = &Mark{file: f, path: path}
	return d.mark, nil
}

// Marked returns the mark's number, or 0 if there is none. If its bytes are damaged it logs that
// and returns 0, since a damaged mark proves nothing.
func (d *Directory) Marked() (number uint64, err error) {
	path := d.MarkPath()
	f, err := d.inner.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("open %s: %w", path, err)
	}
	defer f.Close()
	var b [markBytes]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	if n != markBytes || binary.BigEndian.Uint32(b[8:]) != crc32.Checksum(b[:8], markTable) {
		if n > 0 {
			d.Logger.Warn("the count of acknowledged records is damaged: missing records would not be noticed", "file", path)
		}
		return 0, nil
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// MarkPath returns the path of the mark.
func (d *Directory) MarkPath() string { return d.inner.PathJoin(d.path, markFile) }

// Set writes the number.
func (m *Mark) Set(number uint64) error {
	var b [markBytes]byte
	binary.BigEndian.PutUint64(b[:], number)
	binary.BigEndian.PutUint32(b[8:], crc32.Checksum(b[:8], markTable))
	if _, err := m.file.WriteAt(b[:], 0); err != nil {
		return fmt.Errorf("write %s: %w", m.path, err)
	}
	return nil
}

func (m *Mark) close() error {
	if m == nil {
		return nil
	}
	return m.file.Close()
}
