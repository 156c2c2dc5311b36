package pulsar_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	client "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// transactor produces to a partition, inside transactions and outside. The messages of Pulsar's Go
// client do not say which transaction they belong to, so that the broker sends aborted ones, too.
// The messages here are like those of the Java client.
type transactor struct {
	t      *testing.T
	c      *pulsartest.Cluster
	topic  string
	client client.Client
	joins  client.Producer // makes the partition part of a transaction
}

func newTransactor(t *testing.T, c *pulsartest.Cluster, topic string) *transactor {
	t.Helper()
	x := &transactor{t: t, c: c, topic: topic}
	await(t, "a client with transactions", func() bool {
		var err error
		x.client, err = client.NewClient(client.ClientOptions{
			URL: c.BrokerURL, EnableTransaction: true, MetricsRegisterer: prometheus.NewRegistry(), Logger: log.NewLoggerWithSlog(slog.New(slog.DiscardHandler)),
		})
		return err == nil
	})
	t.Cleanup(x.client.Close)
	var err error
	if x.joins, err = x.client.CreateProducer(client.ProducerOptions{Topic: topic, DisableBatching: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.joins.Close)
	return x
}

// begin begins a transaction with a message of the Go client.
func (x *transactor) begin(word string) client.Transaction {
	x.t.Helper()
	tx, err := x.client.NewTransaction(10 * time.Minute)
	if err == nil {
		_, err = x.joins.Send(x.t.Context(), &client.ProducerMessage{Key: "d", Payload: []byte(word), Transaction: tx})
	}
	if err != nil {
		x.t.Fatal(err)
	}
	return tx
}

// send sends the words as messages, or as one batch, inside a transaction or not.
func (x *transactor) send(tx client.Transaction, batch bool, words string) {
	x.t.Helper()
	r, err := x.c.Raw(x.topic)
	if err != nil {
		x.t.Fatal(err)
	}
	defer r.Close()
	put := func(m pulsartest.Message, payload string, n int32) {
		if tx == nil {
			err = r.Send(m, []byte(payload), n)
		} else {
			err = r.SendInside(tx.GetTxnID().LeastSigBits, tx.GetTxnID().MostSigBits, m, []byte(payload), n)
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
	all := strings.Fields(words)
	if !batch {
		for _, word := range all {
			put(r.Metadata().Text(6, "d"), word, 1)
		}
		return
	}
	payload := ""
	for _, word := range all {
		payload += inBatch(word, int64(len(word)), 0)
	}
	put(r.Metadata().Number(11, int64(len(all))), payload, int32(len(all)))
}

// end ends a transaction.
func (x *transactor) end(tx client.Transaction, commit bool) {
	x.t.Helper()
	await(x.t, fmt.Sprintf("transaction %v ends", tx.GetTxnID()), func() bool {
		if commit {
			return tx.Commit(x.t.Context()) == nil
		}
		return tx.Abort(x.t.Context()) == nil
	})
}

// What was sent inside a transaction comes when the transaction is committed, in the order of the
// log, and never if it is aborted. What follows the first message of an open transaction waits
// until that has ended. Neither markers nor aborted messages count as a hole, wherever a reader
// begins, and the time of reading changes nothing.
func TestTransactions(t *testing.T) {
	c := pulsartest.Start(t, pulsartest.Options{Transactions: true})
	l := open(t, c)
	name, shard := tenant(t, l, 1, pulsar.BrokerTime)
	topic := pulsar.PartitionTopic(pulsar.EventsTopic(name), 0)
	x := newTransactor(t, c, topic)
	live := reader(t, l, shard, messages.Position{})
	var all []messages.Record
	come := func(words string) {
		t.Helper()
		before := len(all)
		all = append(all, take(t, live, len(strings.Fields(words)))...)
		var got []string
		for i := range all[before:] {
			got = append(got, string(all[before+i].Payload))
		}
		if strings.Join(got, " ") != words {
			t.Fatalf("got %q, want %q", got, words)
		}
		for i := max(-1, before-2); i < len(all); i++ {
			again(t, l, shard, all, i)
		}
	}
	const alone, together = false, true
	tx := x.begin("a")
	x.send(tx, together, "lost lost lost")
	x.end(tx, false)
	x.send(nil, alone, "b")
	come("a b")

	tx = x.begin("c")
	x.send(tx, alone, "d e")
	x.send(tx, together, "f g")
	x.end(tx, true)
	come("c d e f g")

	tx = x.begin("h")
	x.send(nil, alone, "i")
	x.send(tx, alone, "lost")
	x.send(nil, together, "j k")
	x.send(tx, together, "lost lost lost")
	x.send(nil, alone, "l")
	x.end(tx, false)
	come("h i j k l")

	one := x.begin("m")
	x.send(one, alone, "n")
	other := x.begin("o")
	x.send(other, alone, "lost")
	x.send(nil, alone, "p")
	x.send(one, together, "q r")
	x.end(one, true) // the other transaction holds up what follows its first message
	x.send(nil, alone, "s")
	come("m n")
	restart(t, c, l)
	again(t, l, shard, all, -1)
	x.end(other, false)
	come("o p q r s")

	for i := range 3 {
		tx = x.begin(fmt.Sprint("t", i))
		x.send(tx, together, strings.Repeat("lost ", 10))
		x.end(tx, false)
	}
	come("t0 t1 t2")
	x.send(nil, alone, "u")
	come("u")
	again(t, l, shard, all, -1)
	if _, err := l.Lag(t.Context(), shard, messages.Position{}); err != nil {
		t.Error(err)
	}
}

// restart kills the broker as a power cut would, starts it, and waits until the log reaches it
// again.
func restart(t *testing.T, c *pulsartest.Cluster, l *pulsar.Log) {
	t.Helper()
	if err := errors.Join(c.Kill(), c.Up()); err != nil {
		t.Fatal(err)
	}
	await(t, "the log is reached again", func() bool { return l.Err() == nil })
}
