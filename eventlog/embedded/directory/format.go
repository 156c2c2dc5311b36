package directory

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatFile is beside Pebble's files and written before them, so that another format is noticed
// before Pebble reads a file that it may not understand.
const formatFile = "FORMAT.json"

// Format says what a directory holds.
type Format struct {
	Kind       string `json:"kind"`                 // log, checkpoints
	Version    int    `json:"version"`              // of the keys and values in it
	Partitions int    `json:"partitions,omitempty"` // of a log; fixed when it is created
}

// loadFormat reads the directory's format and compares it with want, or writes want to a new
// directory.
func loadFormat(fs vfs.FS, path string, want Format) (Format, error) {
	names, err := fs.List(path)
	if err != nil {
		return Format{}, fmt.Errorf("list directory %s: %w", path, err)
	}
	used := false
	for _, name := range names {
		if name == formatFile {
			got, err := readFormat(fs, fs.PathJoin(path, formatFile))
			if err != nil {
				return Format{}, err
			}
			return got, got.check(path, want)
		}
		used = used || strings.HasPrefix(name, "MANIFEST")
	}
	if used {
		return Format{}, fmt.Errorf("directory %s holds a store but no %s: not created by Dashfeed", path, formatFile)
	}
	return want, writeFormat(fs, path, want)
}

func (f Format) check(path string, want Format) error {
	switch {
	case f.Kind != want.Kind:
		return fmt.Errorf("directory %s holds %q, want %q", path, f.Kind, want.Kind)
	case f.Version > want.Version:
		return fmt.Errorf("directory %s has format %d, newer than %d, the newest that this binary knows: start it with a newer binary", path, f.Version, want.Version)
	case f.Version < 1:
		return fmt.Errorf("directory %s has format %d, want 1 to %d", path, f.Version, want.Version)
	}
	return nil
}

func readFormat(fs vfs.FS, name string) (Format, error) {
	file, err := fs.Open(name)
	if err != nil {
		return Format{}, fmt.Errorf("open %s: %w", name, err)
	}
	const limit = 4096
	b, err := io.ReadAll(io.LimitReader(file, limit))
	if err := errors.Join(err, file.Close()); err != nil {
		return Format{}, fmt.Errorf("read %s: %w", name, err)
	}
	var f Format
	if err := json.Unmarshal(b, &f); err != nil {
		return Format{}, fmt.Errorf("read %s: %w", name, err)
	}
	return f, nil
}

// writeFormat is durable when it returns: a crash leaves the whole file or none.
func writeFormat(fs vfs.FS, path string, f Format) error {
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write format of %s: %w", path, err)
	}
	name := fs.PathJoin(path, formatFile)
	if err := writeWhole(fs, path, name, append(b, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func writeWhole(fs vfs.FS, path, name string, b []byte) error {
	file, err := fs.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(b)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := fs.Rename(name+".new", name); err != nil {
		return err
	}
	dir, err := fs.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
