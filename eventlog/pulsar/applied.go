package pulsar

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

// MaxAppliedBytes bounds what UpdateApplied keeps. A broker with a lower limit of messages bounds
// it further.
const MaxAppliedBytes = 4 << 20

var errTaken = errors.New("another process has its turn")

// UpdateApplied changes what the cluster remembers of definitions that were applied from files:
// bytes that only the caller interprets, at most MaxAppliedBytes, nil if there are none yet. They
// are stored in a topic with this cluster's name, beside the control topic. That topic is never
// trimmed. UpdateApplied creates it if it is missing and an admin URL is configured.
//
// One process of the cluster calls f at a time. Other callers wait until ctx ends, so that one of
// several processes with the same files applies them, and none overwrites what another has
// remembered. What f returns is stored, even if f also returns an error or ctx has ended; unchanged
// bytes are not written. If the process was cut off from the broker and another took its turn
// meanwhile, UpdateApplied stores nothing and returns an error.
//
// Errors: those of f; ErrTooLarge; ErrUnreachable, after which either the new bytes or the old ones
// are stored. UpdateApplied checks ctx between its requests to the broker, each of which takes at
// most the configured timeout.
func (l *Log) UpdateApplied(ctx context.Context, f func(old []byte) ([]byte, error)) error {
	topic := appliedTopic(l.config.Cluster)
	turn, err := l.takeTurn(ctx, topic)
	if err != nil {
		return fmt.Errorf("remember definitions in %s: %w", topic, err)
	}
	defer turn.Close()
	old, err := l.newest(ctx, topic)
	if err != nil {
		return fmt.Errorf("recall definitions from %s: %w", topic, err)
	}
	changed, err := f(bytes.Clone(old))
	if bytes.Equal(changed, old) {
		return err
	}
	if kept := l.keep(context.WithoutCancel(ctx), turn, changed); kept != nil {
		err = errors.Join(err, fmt.Errorf("remember definitions in %s: %w", topic, kept))
	}
	return err
}

// takeTurn takes the topic's Exclusive producer. It retries instead of waiting in the broker's
// queue (WaitForExclusive): there, a process whose caller has given up would still take its turn.
func (l *Log) takeTurn(ctx context.Context, topic string) (pulsar.Producer, error) {
	wait, made := broker.NewBackoff(), false
	for {
		if l.life.Err() != nil {
			return nil, eventlog.ErrClosed
		}
		p, err := l.producing.CreateProducer(pulsar.ProducerOptions{
			Topic: topic, ProducerAccessMode: pulsar.ProducerAccessModeExclusive, DisableBatching: true,
			CompressionType: pulsar.ZSTD, SendTimeout: l.config.Timeout, BackOffPolicyFunc: broker.NewBackoff,
		})
		if err == nil {
			return p, nil
		}
		err = l.explain("write", err)
		switch {
		case broker.IsTaken(err):
			if err = errTaken; !eventlog.Pause(ctx, wait.Next()) {
				return nil, fmt.Errorf("%w: %w", err, cause(ctx))
			}
		case errors.Is(err, errMissing) && !made:
			if err := l.makeApplied(ctx, topic); err != nil {
				return nil, err
			}
			made = true
		default:
			return nil, err
		}
	}
}

// makeApplied creates the topic in the control topic's namespace, whose retention keeps it even if
// no process reads it for a long time.
func (l *Log) makeApplied(ctx context.Context, topic string) error {
	byHand := "make it by: pulsar-admin topics create " + topic
	if l.admin == nil {
		return fmt.Errorf("%w, and no admin URL is configured: %s", errMissing, byHand)
	}
	err := l.admin.Make(ctx, broker.TopicPath(topic), nil)
	if broker.Refused(err) {
		return fmt.Errorf("%w; or %s", err, byHand)
	}
	return err
}

// newest returns the payload of the topic's last message; nil if it never had one.
func (l *Log) newest(ctx context.Context, topic string) ([]byte, error) {
	r, err := l.reading.CreateReader(pulsar.ReaderOptions{
		Topic: topic, Name: "dashfeed-applied", StartMessageID: pulsar.LatestMessageID(), StartMessageIDInclusive: true,
		ReceiverQueueSize: 1, BackoffPolicyFunc: broker.NewBackoff, Decryption: broker.Encrypted(),
	})
	if err != nil {
		return nil, l.explain("read", err)
	}
	defer r.Close()
	last, err := question(l, r.GetLastMessageID)
	if err != nil {
		return nil, l.explain("read", err)
	}
	if last.EntryID() < 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	for {
		m, err := r.Next(ctx)
		if err != nil {
			return nil, cause(ctx)
		}
		if !before(m.ID(), last) {
			return m.Payload(), nil
		}
	}
}

func (l *Log) keep(ctx context.Context, turn pulsar.Producer, b []byte) error {
	if len(b) > MaxAppliedBytes {
		return fmt.Errorf("%w: %d bytes are more than the %d allowed: give fewer definitions by files, or delete the topic to forget files that are no longer given; what is given counts as new then", eventlog.ErrTooLarge, len(b), MaxAppliedBytes)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	_, err := turn.Send(ctx, &pulsar.ProducerMessage{Payload: b})
	switch {
	case err == nil:
		return nil
	case broker.IsLost(err):
		return fmt.Errorf("%w: this one was cut off from the broker: %w", errTaken, err)
	case ctx.Err() != nil:
		return cause(ctx)
	}
	return l.explain("write", err)
}
