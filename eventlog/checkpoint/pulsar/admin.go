package pulsar

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

// admin calls the broker's admin API.
type admin struct{ *broker.Admin }

// holder describes who holds the partition's producer, as far as the broker knows.
func (a admin) holder(ctx context.Context, topic, cluster string) string {
	var stats struct {
		Publishers []struct {
			ProducerName string            `json:"producerName"`
			Address      string            `json:"address"`
			Since        string            `json:"connectedSince"`
			Metadata     map[string]string `json:"metadata"`
		} `json:"publishers"`
	}
	if err := a.Get(ctx, broker.TopicPath(topic)+"/stats", &stats); err != nil {
		return fmt.Sprintf("%s is held by another producer, which the broker does not name: %v", topic, err)
	}
	if len(stats.Publishers) == 0 {
		return topic + " was held until a moment ago"
	}
	p := stats.Publishers[0]
	said := fmt.Sprintf("%s is held by %s at %s since %s", topic, p.ProducerName, p.Address, p.Since)
	switch other := p.Metadata["cluster"]; other {
	case cluster:
		return fmt.Sprintf("%s: node %s of a cluster with the name %s leads the shard now. If `dashfeed cluster members` lists that node, nothing has to be done: "+
			"this process was frozen or cut off meanwhile. If not, two clusters have the same name: rename one of them, and give it topics of its own",
			said, p.Metadata["node"], cluster)
	case "":
		return said + ": it is not a producer of Dashfeed: stop it"
	default:
		return fmt.Sprintf("%s: node %s of the cluster %s, which uses the same topic: give each cluster topics of its own", said, p.Metadata["node"], other)
	}
}

// internal is the broker's internal state of a partition.
type internal struct {
	Entries   int64 `json:"numberOfEntries"`
	Compacted struct {
		Ledger  int64 `json:"ledgerId"`
		Entries int64 `json:"entries"`
	} `json:"compactedLedger"`
	Cursors map[string]json.RawMessage `json:"cursors"`
}

const compactionCursor = "__compaction"

func (i internal) compacted() bool {
	_, there := i.Cursors[compactionCursor]
	return there && i.Compacted.Ledger >= 0
}

func (a admin) internal(ctx context.Context, topic string) (i internal, err error) {
	return i, a.Get(ctx, broker.TopicPath(topic)+"/internalStats", &i)
}

// present detects a partition that was deleted and created again under the leader: a producer that
// reconnects creates an empty one.
func (l *leader) present(ctx context.Context) error {
	if !l.published {
		return nil
	}
	i, err := l.place.admin.internal(ctx, l.topic)
	gone := broker.Status(err) == http.StatusNotFound
	if err != nil && !gone {
		return fmt.Errorf("look at %s: %w", l.topic, err)
	}
	if gone || i.Entries == 0 && i.Compacted.Ledger < 0 {
		return fmt.Errorf("%s was deleted: its checkpoints are gone, and the next one writes them again; until then only the nodes' own copies exist: "+
			"set brokerDeleteInactiveTopicsEnabled to false, and remove policies that delete topics of %s", l.topic, broker.NamespaceOf(l.topic))
	}
	return nil
}

// settle compacts the partition once: before that, only retention keeps its messages, which is 0 on
// a stock broker. After that the broker's own cursor keeps them, and the guard's cursor may move.
func (l *leader) settle(ctx context.Context) error {
	if !l.settled {
		if err := l.compact(ctx); err != nil {
			return fmt.Errorf("compact %s: %w", l.topic, err)
		}
		l.settled = true
	}
	const pause = time.Minute
	if l.place.config.Guard == "" || time.Since(l.movedAt) < pause {
		return nil
	}
	l.movedAt = time.Now()
	err := l.place.admin.Do(ctx, http.MethodPost, broker.TopicPath(l.topic)+"/subscription/"+url.PathEscape(l.place.config.Guard)+"/skip_all", nil, nil)
	if broker.Status(err) == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("move the guard %s of %s: %w", l.place.config.Guard, l.topic, err)
	}
	return nil
}

func (l *leader) compact(ctx context.Context) error {
	a := l.place.admin
	i, err := a.internal(ctx, l.topic)
	if err != nil || i.compacted() {
		return err
	}
	if err := a.threshold(ctx, broker.NamespaceOf(l.topic), l.place.config.CompactionBytes); err != nil {
		return err
	}
	path := broker.TopicPath(l.topic) + "/compaction"
	// a compaction is already running
	if err := a.Do(ctx, http.MethodPut, path, nil, nil); err != nil && broker.Status(err) != http.StatusConflict {
		return err
	}
	return l.await(ctx)
}

// await waits until the running compaction has ended.
func (l *leader) await(ctx context.Context) error {
	path := broker.TopicPath(l.topic) + "/compaction"
	b := broker.NewBackoff()
	for {
		var status struct {
			Status string `json:"status"`
			Error  string `json:"lastError"`
		}
		if err := l.place.admin.Get(ctx, path, &status); err != nil {
			return err
		}
		switch status.Status {
		case "SUCCESS":
			return nil
		case "ERROR":
			return fmt.Errorf("the broker answered: %s", status.Error)
		}
		select {
		case <-time.After(b.Next()):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// threshold makes the broker compact the namespace's topics by itself, unless a threshold is set.
func (a admin) threshold(ctx context.Context, namespace string, bytes int64) error {
	path := broker.NamespacePath(namespace) + "/compactionThreshold"
	var there *int64
	if err := a.Get(ctx, path, &there); err == nil && there != nil && *there > 0 {
		return nil
	}
	if err := a.Do(ctx, http.MethodPut, path, bytes, nil); err != nil {
		return fmt.Errorf("set the namespace's compaction threshold, as with pulsar-admin namespaces set-compaction-threshold -t %d %s: %w", bytes, namespace, err)
	}
	return nil
}

// remake returns the command that creates a missing topic. A partition can be created only as part
// of its topic; if that exists, the partition appears by itself.
func remake(topic string) string {
	if i := strings.LastIndex(topic, "-partition-"); i >= 0 {
		return "create it with: pulsar-admin topics create-partitioned-topic -p N " + topic[:i] + ", where N is the tenant's number of partitions in dashfeed tenant list"
	}
	return "create it with: pulsar-admin topics create " + topic
}
