package blob

import (
	"path/filepath"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/checkpointtest"
)

func BenchmarkLoad(b *testing.B) {
	dir, scratch := b.TempDir(), b.TempDir()
	checkpointtest.BenchmarkLoad(b, func(node string) checkpoint.Store {
		s, err := Open(b.Context(), config("file://"+dir, filepath.Join(scratch, node)))
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
}
