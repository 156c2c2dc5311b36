package pulsar

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

// producer writes to one partition.
type producer struct {
	client pulsar.Producer
}

func (w *producer) close() { w.client.Close() }

// producerOf opens the partition's producer, or waits for another caller who opens it.
func (l *Log) producerOf(ctx context.Context, p *partition) (*producer, error) {
	w, err := p.producer.get(ctx, l, func() (*producer, error) {
		c, err := l.producing.CreateProducer(pulsar.ProducerOptions{
			Topic: p.topic,
			// Append packs what comes together; what comes alone does not wait for a batch
			DisableBatching:                 true,
			SendTimeout:                     l.config.Timeout,
			MaxPendingMessages:              maxPendingPerTask,
			BackOffPolicyFunc:               broker.NewBackoff,
			PartitionsAutoDiscoveryInterval: 24 * time.Hour, // the topic is one partition already
		})
		if err != nil {
			return nil, classify(err)
		}
		return &producer{c}, nil
	})
	if err != nil {
		return nil, fmt.Errorf("produce to %s: %w", p.topic, err)
	}
	return w, nil
}

// lose forgets a producer that the client has given up, so that the next append opens another.
func (p *partition) lose(w *producer) {
	if p.producer.lose(w) {
		w.close()
	}
}
