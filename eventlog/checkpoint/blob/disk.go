package blob

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// disk makes an object in a directory survive a power cut: the library renames a file without
// syncing it. For an object store there is no file, and disk does nothing.
type disk struct{ file *os.File }

// opened is called with the file before its first byte is written.
func (d *disk) opened(as func(any) bool) error {
	as(&d.file)
	return nil
}

// sync is called after the last byte.
func (d *disk) sync() error {
	if d.file == nil {
		return nil
	}
	return d.file.Sync()
}

// syncDirectory is called after the rename.
func (d *disk) syncDirectory() error {
	if d.file == nil {
		return nil
	}
	dir, err := os.Open(filepath.Dir(d.file.Name()))
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}
