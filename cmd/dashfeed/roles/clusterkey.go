package roles

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
)

// alone reports whether the process is a whole cluster and joins no other, so that no other process
// has the cluster's key.
func (f *ClusteredFlags) alone() bool { return f.Shards && f.Public && len(f.Join) == 0 }

// clusterKeys reads the file of --cluster-key: the first key signs steering records, all verify
// them. If the file does not exist, a process that is alone creates it. Other processes must not:
// each would create another key, and they would refuse each other's records.
func clusterKeys(path string, alone bool, logger *slog.Logger) ([][]byte, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if !alone {
			return nil, fmt.Errorf("cluster-key: %s is not there: give every process of the cluster the same file; the first time, make it by: dashfeed cluster keys new > %s", path, path)
		}
		if err := keys.Make(path); err != nil {
			return nil, fmt.Errorf("cluster-key: %w", err)
		}
		logger.Warn("created the cluster key, since there was none: keep the file, and give it to every process that joins", "file", path)
	}
	return keys.Cluster(path)
}
