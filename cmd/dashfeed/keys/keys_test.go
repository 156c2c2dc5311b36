package keys

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGossipKeys(t *testing.T) {
	good := write(t, "keys", "# ours\nAAAAAAAAAAAAAAAAAAAAAA==\n\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	read, err := Gossip(good)
	if err != nil || len(read) != 2 || len(read[0]) != 16 || len(read[1]) != 32 {
		t.Errorf("%v, %v", read, err)
	}
	for text, says := range map[string]string{"": "contains no key", "#\nsecret word\n": "line 2: the key is not base64", "AAAA": "has 3 bytes"} {
		if _, err := Gossip(write(t, "keys", text)); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret word") {
			t.Errorf("%q: %v, want %q and nothing of the key", text, err, says)
		}
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
