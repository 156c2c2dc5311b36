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

// markFile lies beside Pebble's files.
const markFile = "ACKNOWLEDGED"

// Mark is a number beside the store that says how far its owner's promises go. It is written behind
// every write that was synced, and not synced itself: it costs a write of a few bytes to the page
// cache. The end of a process leaves it as it was; a loss of power may leave an older one, never
// one that the store had not reached.
//
// Pebble takes a damaged end of its newest log for a write that was torn, and drops it. The mark
// tells the two apart.
type Mark struct {
	file vfs.File
	path string
}

const markBytes = 8 + 4 // number, checksum

var markTable = crc32.MakeTable(crc32.Castagnoli)

// OpenMark opens the mark, or makes it; the directory's Close closes it.
func (d *Directory) OpenMark() (*Mark, error) {
	path := d.MarkPath()
	f, err := d.guard.OpenReadWrite(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	d.mark = &Mark{file: f, path: path}
	return d.mark, nil
}

// Marked is the mark's number. It is 0 where there is none; where its bytes are damaged that is
// said in the logger, since then it can vouch for nothing.
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
			d.Logger.Warn("the mark of what was acknowledged is damaged: whether all of it is here is not known", "file", path)
		}
		return 0, nil
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// MarkPath is where the mark lies.
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
