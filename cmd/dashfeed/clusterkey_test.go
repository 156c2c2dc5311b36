package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The file of the cluster's keys is made by whoever is alone, once, for its owner only; others ask
// for it.
func TestClusterKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cluster.key")
	quiet := slog.New(slog.DiscardHandler)
	if _, err := clusterKeys(path, false, quiet); err == nil || !strings.Contains(err.Error(), path+" is not there") || !strings.Contains(err.Error(), "dashfeed cluster keys new > "+path) {
		t.Errorf("not there, of a member: got %v", err)
	}
	made, err := clusterKeys(path, true, quiet)
	if err != nil || len(made) != 1 || len(made[0]) != 32 {
		t.Fatalf("not there, and alone: got %d keys, %v", len(made), err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", info.Mode(), err)
	}
	for _, alone := range []bool{true, false} {
		again, err := clusterKeys(path, alone, quiet)
		if err != nil || !bytes.Equal(again[0], made[0]) {
			t.Errorf("there, alone %t: another key, or %v", alone, err)
		}
	}
	for text, says := range map[string]string{
		"":                           "holds no key",
		"# none\n":                   "holds no key",
		"AAAAAAAAAAAAAAAAAAAAAA==\n": "line 1: the key has 16 bytes, allowed are [32]",
		"a secret word\n":            "line 1: the key is no base64",
		newKey() + "\n\n" + "AAAA\n": "line 3: the key has 3 bytes",
	} {
		if _, err := clusterKeys(write(t, "keys", text), true, quiet); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret word") {
			t.Errorf("%q: got %v, want %q", text, err, says)
		}
	}
	if keys, err := clusterKeys(write(t, "keys", newKey()+"\n# old\n"+newKey()+"\n"), false, quiet); err != nil || len(keys) != 2 {
		t.Errorf("two keys: got %d, %v", len(keys), err)
	}
}

// A process that is not alone does not start without the cluster's key, whatever its role, and
// leaves no file.
func TestClusterKeyIsAskedFor(t *testing.T) {
	for _, args := range [][]string{
		{"node"}, {"gateway"}, {"node", "--gateway", "--join", "127.0.0.1:1"},
	} {
		path := filepath.Join(t.TempDir(), "missing.key")
		code, _, stderr := call(t, "", append(args, "--cluster-key", path)...)
		if code != exitUsage || !strings.Contains(stderr, "cluster-key: "+path+" is not there") {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%v: the file was made", args)
		}
	}
	path := filepath.Join(t.TempDir(), "cluster.key")
	for range 2 {
		if code, out, stderr := call(t, "", "cluster", "keys", "new", "--to", path); code != 0 || out != "" {
			t.Errorf("keys new --to: exit %d: %s%s", code, out, stderr)
		}
	}
	if keys, err := clusterKeys(path, false, slog.New(slog.DiscardHandler)); err != nil || len(keys) != 1 {
		t.Errorf("the file has %d keys, %v", len(keys), err)
	}
}
