package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/dashfeed/dashfeed/eventlog/pulsar"
)

// alone reports whether the process is a whole cluster and asks nobody to join: so nobody else has
// the cluster's key.
func (f *clusteredFlags) alone() bool { return f.shards && f.public && len(f.Join) == 0 }

// clusterKeys reads the file of --cluster-key: the first key signs what steers, all verify. Where
// there is no such file, whoever is alone makes it; others would make one each, and understand
// nobody.
func clusterKeys(path string, alone bool, logger *slog.Logger) ([][]byte, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !alone {
			return nil, fmt.Errorf("cluster-key: %s is not there: give every process of the cluster the same file; the first time, make it by: dashfeed cluster keys new > %s", path, path)
		}
		if err := makeKey(path); err != nil {
			return nil, fmt.Errorf("cluster-key: %w", err)
		}
		logger.Warn("a cluster key was made, since there was none: keep the file, and give it to every process that joins", "file", path)
	}
	return readKeys("cluster-key", path, func(text string) ([]byte, error) { return parseKey(text, pulsar.KeyBytes) })
}

// makeKey makes a file with a new key, which is durable when it returns: what is signed with a key
// that is lost is understood by nobody. It fails where the file is there.
func makeKey(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	_, err = fmt.Fprintln(f, newKey())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	return nil
}

// newKey is 32 random bytes in base64.
func newKey() string {
	key := make([]byte, pulsar.KeyBytes)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}
