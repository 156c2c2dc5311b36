package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Store makes changes of the settings last, and in force on every gateway.
type Store interface {
	// Change makes a change, whose version it sets. When it returns nil, the change is stored and in
	// force in this process.
	Change(ctx context.Context, c Change) error
	// Board returns the settings in force.
	Board() *Board
}

// File stores the settings of a process that runs alone, in one file.
type File struct {
	path    string
	replace func(path string, b []byte) error

	mu    sync.Mutex // one change at a time
	board Board
}

// Open reads the settings of a file, which need not exist. replace writes a file so that after a
// crash either the old or the new one is there.
func Open(path string, replace func(path string, b []byte) error) (*File, error) {
	f := &File{path: path, replace: replace}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = f.board.load(b)
	}
	if err != nil {
		return nil, fmt.Errorf("read the settings in %s: %w", path, err)
	}
	return f, nil
}

// Board returns the settings in force.
func (f *File) Board() *Board { return &f.board }

// Change writes the settings as the change makes them, and puts them in force. ctx is not looked
// at.
func (f *File) Change(_ context.Context, c Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Version, c.At = f.board.Version()+1, time.Now().UnixMilli()
	next, err := f.board.after(c)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(next.save(), "", "  ")
	if err == nil {
		err = f.replace(f.path, append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("store the settings in %s: %w", f.path, err)
	}
	f.board.take(next)
	return nil
}

func (b *Board) save() document {
	return document{Version: b.version, Revocations: b.Revocations(time.Time{}), Tenants: b.own}
}

// load replaces the settings of a board by a document. It refuses a document that it does not
// understand, because a revocation must not be forgotten.
func (b *Board) load(text []byte) error {
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	b.version, b.own, b.revoked = d.Version, d.Tenants, map[target]Revocation{}
	for _, r := range d.Revocations {
		if err := r.check(0); err != nil {
			return err
		}
		b.revoked[target{r.Kind, r.Name}] = r
	}
	return b.parseAll()
}
