package blob

import (
	"path/filepath"
	"testing"

	"gocloud.dev/blob/memblob"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/checkpointtest"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/shared"
)

// meeting is a bucket that outlives the stores on it.
type meeting struct{ *place }

func (meeting) Close() error { return nil }

// TestMemory: a bucket that is not a directory, as object stores are.
func TestMemory(t *testing.T) {
	checkpointtest.RunShared(t, checkpointtest.Nodes{Place: func(t *testing.T) checkpointtest.Place {
		scratch := t.TempDir()
		p := &place{bucket: memblob.OpenBucket(nil), prefix: prefix}
		t.Cleanup(func() { _ = p.Close() })
		return checkpointtest.Place{
			Start: func(t *testing.T, node string) checkpoint.Store {
				s, err := shared.Open(shared.Default(filepath.Join(scratch, node)), meeting{p})
				if err != nil {
					t.Fatal(err)
				}
				return s
			},
			Damage: func(t *testing.T, shard int) {
				name, _ := prefix(shard)
				l, err := p.list(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				name = objectName(name, l.checkpoints[len(l.checkpoints)-1])
				b, err := p.bucket.ReadAll(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				b[len(b)/2] ^= 4
				if err := p.bucket.WriteAll(t.Context(), name, b, nil); err != nil {
					t.Fatal(err)
				}
			},
		}
	}})
}
