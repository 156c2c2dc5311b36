package blob

import (
	"path/filepath"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint/suite"
)

func BenchmarkLoad(b *testing.B) {
	dir, scratch := b.TempDir(), b.TempDir()
	suite.BenchmarkLoad(b, func(node string) checkpoint.Shared {
		s, err := Open(b.Context(), config("file://"+dir, filepath.Join(scratch, node)))
		if err != nil {
			b.Fatal(err)
		}
		return s
	})
}
