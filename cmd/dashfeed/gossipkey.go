package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// gossipKeys reads a file of keys: one a line, the first is spoken with. Empty lines and those with
// # are passed over.
func gossipKeys(path string) ([][]byte, error) {
	if path == "" {
		return nil, nil
	}
	return readKeys("gossip-key", path, gossipKey)
}

// readKeys reads a flag's file of keys, one a line.
func readKeys(flag, path string, parse func(text string) ([]byte, error)) ([][]byte, error) {
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
		key, err := parse(line)
		if err != nil {
			return nil, fmt.Errorf("%s: %s line %d: %w", flag, path, i+1, err)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s: %s holds no key: dashfeed cluster keys new prints one", flag, path)
	}
	return keys, nil
}

// gossipKey reads one key; what it is is never told.
func gossipKey(text string) ([]byte, error) { return parseKey(text, 16, 24, 32) }

func parseKey(text string, allowed ...int) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("the key is no base64")
	}
	if slices.Contains(allowed, len(key)) {
		return key, nil
	}
	return nil, fmt.Errorf("the key has %d bytes, allowed are %v", len(key), allowed)
}

// fingerprint tells keys apart without telling them.
func fingerprint(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:6])
}
