package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
)

// A process that is not alone does not start without the cluster's key, whatever its role, and
// creates no file.
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
	if made, err := keys.Cluster(path); err != nil || len(made) != 1 {
		t.Errorf("the file has %d keys, %v", len(made), err)
	}
}
