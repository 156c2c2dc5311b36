// Package keys reads and creates files of keys: the gossip's, and the cluster's.
package keys

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/dashfeed/dashfeed/eventlog/pulsar"
)

// Gossip reads a file with one key per line. The first key encrypts, all decrypt. Empty lines and
// those that begin with # are skipped.
func Gossip(path string) ([][]byte, error) {
	if path == "" {
		return nil, nil
	}
	return read("gossip-key", path, ParseGossip)
}

// Cluster reads the file of the cluster's keys: the first signs, all verify.
func Cluster(path string) ([][]byte, error) {
	return read("cluster-key", path, func(text string) ([]byte, error) { return parse(text, pulsar.KeyBytes) })
}

// read reads a flag's file of keys, one per line.
func read(flag, path string, each func(text string) ([]byte, error)) ([][]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	var keys [][]byte
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := each(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %s line %d: %w", flag, path, i+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: %s contains no key: dashfeed cluster keys new prints one", flag, path)
	}
	return keys, nil
}

// ParseGossip decodes one key. Its errors never show the text.
func ParseGossip(text string) ([]byte, error) { return parse(text, 16, 24, 32) }

func parse(text string, allowed ...int) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("the key is not base64")
	}
	if slices.Contains(allowed, len(key)) {
		return key, nil
	}
	return nil, fmt.Errorf("the key has %d bytes, allowed are %v", len(key), allowed)
}

// Fingerprint returns a text that identifies a key without revealing it.
func Fingerprint(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:6])
}

// Make creates a file with a new key, which is durable when Make returns: if a key is lost, nobody
// can verify what it signed. It fails if the file exists.
func Make(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	_, err = fmt.Fprintln(f, New())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	return nil
}

// New returns 32 random bytes in base64.
func New() string {
	key := make([]byte, pulsar.KeyBytes)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}
