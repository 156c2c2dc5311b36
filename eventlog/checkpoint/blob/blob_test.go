package blob

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	gocloud "gocloud.dev/blob"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/checkpointtest"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
)

func prefix(shard int) (string, error) { return fmt.Sprintf("tenant/%d", shard), nil }

func config(url, scratch string) Config {
	return Config{URL: url, Prefix: prefix, Shared: shared.Default(scratch)}
}

func open(t *testing.T, c Config) *shared.Store {
	t.Helper()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// damage flips a bit of the shard's newest object in a directory.
func damage(t *testing.T, dir string, shard int) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "tenant", fmt.Sprint(shard), "*"+suffix))
	if err != nil || len(names) == 0 {
		t.Fatalf("nothing to damage in %s: %v", dir, err)
	}
	newest := names[len(names)-1]
	b, err := os.ReadFile(newest)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 4
	if err := os.WriteFile(newest, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestShared(t *testing.T) { checkpointtest.RunShared(t, nodes()) }

func nodes() checkpointtest.Nodes {
	return checkpointtest.Nodes{Place: func(t *testing.T) checkpointtest.Place {
		dir, scratch := t.TempDir(), t.TempDir()
		return checkpointtest.Place{
			Start: func(t *testing.T, node string) checkpoint.Store {
				return open(t, config("file://"+dir, filepath.Join(scratch, node)))
			},
			Damage: func(t *testing.T, shard int) { damage(t, dir, shard) },
		}
	}}
}

func TestRandom(t *testing.T) { checkpointtest.RunRandom(t, nodes(), 40) }

// bucketOf returns the directory as a place, without a scratch store.
func bucketOf(t *testing.T, dir string) *place {
	t.Helper()
	address, err := bucketURL("file://" + dir)
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := gocloud.OpenBucket(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	p := &place{bucket: bucket, prefix: prefix}
	t.Cleanup(func() { _ = p.Close() })
	return p
}
