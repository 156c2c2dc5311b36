package traffic

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"
)

// Transactor writes events inside transactions of Pulsar, and commits and aborts them in turn:
// aborted events must not count. The broker must have a transaction coordinator.
//
// Pulsar's Go client tells the coordinator which partitions are part of a transaction, but leaves
// the transaction's id out of the messages, so the broker can't assign them. Write adds the id, as
// Java's client does.
type Transactor struct {
	Name       string
	Broker     string // pulsar://…
	Topic      string // one partition
	Dashboards []string
	Account    *Account

	Write func(least, most uint64, key string, payload []byte) error
}

// perTransaction is how many events a transaction has beside the one that joins the partition to
// it.
const perTransaction = 5

// Run runs count transactions.
func (t *Transactor) Run(ctx context.Context, count int) error {
	client, err := pulsar.NewClient(pulsar.ClientOptions{
		URL: t.Broker, EnableTransaction: true,
		Logger: log.NewLoggerWithSlog(slog.New(slog.NewTextHandler(io.Discard, nil))),
	})
	if err != nil {
		return fmt.Errorf("connect to %s: %w", t.Broker, err)
	}
	defer client.Close()
	joins, err := client.CreateProducer(pulsar.ProducerOptions{Topic: t.Topic, DisableBatching: true})
	if err != nil {
		return fmt.Errorf("open a producer of %s: %w", t.Topic, err)
	}
	defer joins.Close()
	for i := range count {
		if err := t.one(ctx, client, joins, i); err != nil {
			return fmt.Errorf("transaction %d on %s: %w", i, t.Topic, err)
		}
	}
	return nil
}

// one runs the i-th transaction; every second one is aborted.
func (t *Transactor) one(ctx context.Context, client pulsar.Client, joins pulsar.Producer, i int) error {
	tx, err := client.NewTransaction(time.Minute)
	if err != nil {
		return err
	}
	const each = perTransaction + 1
	first := makeEvent(t.Name, i*each, t.Dashboards)
	_, err = joins.Send(ctx, &pulsar.ProducerMessage{Key: first.dashboard, Payload: first.append(nil), Transaction: tx})
	if err != nil {
		return err
	}
	t.Account.add([]event{first}) // it carries no transaction id: it counts in any case
	var inside []event
	for n := range perTransaction {
		e := makeEvent(t.Name, i*each+n+1, t.Dashboards)
		inside = append(inside, e)
		if err := t.Write(tx.GetTxnID().LeastSigBits, tx.GetTxnID().MostSigBits, e.dashboard, e.append(nil)); err != nil {
			return err
		}
	}
	if i%2 == 1 {
		return tx.Abort(ctx)
	}
	if err := tx.Commit(ctx); err != nil {
		return err
	}
	t.Account.add(inside)
	return nil
}
