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

// admin asks the broker's admin API.
type admin struct{ *broker.Admin }

// holder says who has the partition's producer, as well as it can be told.
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
		return fmt.Sprintf("%s is held, by whom can't be told: %v", topic, err)
	}
	if len(stats.Publishers) == 0 {
		return topic + " was held until just now"
	}
	p := stats.Publishers[0]
	said := fmt.Sprintf("%s is held by %s at %s since %s", topic, p.ProducerName, p.Address, p.Since)
	switch other := p.Metadata["cluster"]; other {
	case cluster:
		return fmt.Sprintf("%s: node %s of a cluster that is called %s leads the shard now. Where `dashfeed cluster members` lists that node nothing has to be done: "+
			"this process was frozen or cut off meanwhile. Where it does not, two clusters have one name: give one of them another, and topics of its own",
			said, p.Metadata["node"], cluster)
	case "":
		return said + ": no producer of ours: end it"
	default:
		return fmt.Sprintf("%s: node %s of the cluster %s, which uses the same topic: give one of them topics of its own", said, p.Metadata["node"], other)
	}
}

// internal is what the broker keeps of a partition.
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

// present finds a partition that was deleted and made anew under the leader: a producer that
// connects again makes one, empty.
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
		return fmt.Errorf("%s was deleted: its checkpoints are gone, and written anew with the next one; until then each node has its own alone: "+
			"see that brokerDeleteInactiveTopicsEnabled is false, or that no policy deletes topics of %s", l.topic, broker.NamespaceOf(l.topic))
	}
	return nil
}

// settle has the partition compacted, once: until then nothing but retention keeps it, which is 0
// on a stock broker. From then on the broker's own cursor does, and the guard's may follow.
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
	// it runs already
	if err := a.Do(ctx, http.MethodPut, path, nil, nil); err != nil && broker.Status(err) != http.StatusConflict {
		return err
	}
	return l.await(ctx)
}

// await waits until the compaction under way has ended.
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
			return fmt.Errorf("the broker says: %s", status.Error)
		}
		select {
		case <-time.After(b.Next()):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// threshold has the broker compact the namespace's topics by itself, where nobody has said when.
func (a admin) threshold(ctx context.Context, namespace string, bytes int64) error {
	path := broker.NamespacePath(namespace) + "/compactionThreshold"
	var there *int64
	if err := a.Get(ctx, path, &there); err == nil && there != nil && *there > 0 {
		return nil
	}
	if err := a.Do(ctx, http.MethodPut, path, bytes, nil); err != nil {
		return fmt.Errorf("set the namespace's compaction threshold, as by pulsar-admin namespaces set-compaction-threshold -t %d %s: %w", bytes, namespace, err)
	}
	return nil
}

// remake is what makes a topic that is gone. A partition can be made only where the topic that it
// is part of is there; where that is so, it appears by itself.
func remake(topic string) string {
	if i := strings.LastIndex(topic, "-partition-"); i >= 0 {
		return "make it with: pulsar-admin topics create-partitioned-topic -p N " + topic[:i] + ", where N is what dashfeed tenant list says of the tenant"
	}
	return "make it with: pulsar-admin topics create " + topic
}
