package roles

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
)

// A process that is alone creates the file of the cluster's keys, once, and readable by its owner
// only. Other processes ask for the file.
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
		"":                             "contains no key",
		"# none\n":                     "contains no key",
		"AAAAAAAAAAAAAAAAAAAAAA==\n":   "line 1: the key has 16 bytes, allowed are [32]",
		"a secret word\n":              "line 1: the key is not base64",
		keys.New() + "\n\n" + "AAAA\n": "line 3: the key has 3 bytes",
	} {
		if _, err := clusterKeys(write(t, "keys", text), true, quiet); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret word") {
			t.Errorf("%q: got %v, want %q", text, err, says)
		}
	}
	if keys, err := clusterKeys(write(t, "keys", keys.New()+"\n# old\n"+keys.New()+"\n"), false, quiet); err != nil || len(keys) != 2 {
		t.Errorf("two keys: got %d, %v", len(keys), err)
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
