package pulsar_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"

	client "github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"

	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
	"github.com/dashfeed/dashfeed/messages"
)

// keys holds the keys of a producer that encrypts.
type keys struct{ public []byte }

func newKeys(t *testing.T) keys {
	t.Helper()
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return keys{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})}
}

func (k keys) PublicKey(name string, _ map[string]string) (*crypto.EncryptionKeyInfo, error) {
	return crypto.NewEncryptionKeyInfo(name, k.public, nil), nil
}

func (k keys) PrivateKey(string, map[string]string) (*crypto.EncryptionKeyInfo, error) {
	return nil, fmt.Errorf("a producer has none")
}

// shown formats a record for a test: dashboard=payload, or dashboard!reason.
func shown(r *messages.Record) string {
	if r.Refused != "" {
		return r.Key.Dashboard + "!" + r.Refused
	}
	if r.Kind == messages.KindTick {
		return "tick"
	}
	return r.Key.Dashboard + "=" + string(r.Payload[:min(len(r.Payload), 12)])
}

func allShown(all []messages.Record) string {
	words := make([]string, len(all))
	for i := range all {
		words[i] = shown(&all[i])
	}
	return strings.Join(words, " ")
}

// odd sends what Pulsar's client drops or returns in part, and other messages that do not hold one
// event.
type odd struct {
	t     *testing.T
	c     *pulsartest.Cluster
	topic string
	keys  keys
	plain client.Producer
}

func (o *odd) producer(set func(*client.ProducerOptions)) client.Producer {
	options := client.ProducerOptions{Topic: o.topic, DisableBatching: true}
	set(&options)
	return foreignProducer(o.t, o.c, options)
}

func (o *odd) send(p client.Producer, key string, payloads ...[]byte) {
	o.t.Helper()
	for _, payload := range payloads {
		if _, err := p.Send(o.t.Context(), &client.ProducerMessage{Key: key, Payload: payload}); err != nil {
			o.t.Fatal(err)
		}
	}
}

// batch sends n messages in one batch.
func (o *odd) batch(p client.Producer, key string, n int) {
	o.t.Helper()
	for i := range n {
		p.SendAsync(o.t.Context(), &client.ProducerMessage{Key: key, Payload: fmt.Appendf(nil, "%d", i)}, func(_ client.MessageID, _ *client.ProducerMessage, err error) {
			if err != nil {
				o.t.Error(err)
			}
		})
	}
	if err := p.FlushWithCtx(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *odd) encrypting(set func(*client.ProducerOptions)) client.Producer {
	return o.producer(func(p *client.ProducerOptions) {
		p.Encryption = &client.ProducerEncryptionInfo{KeyReader: o.keys, Keys: []string{"k"}}
		set(p)
	})
}

func inBatches(p *client.ProducerOptions) { p.DisableBatching, p.BatchingMaxMessages = false, 2000 }

func inChunks(p *client.ProducerOptions) { p.EnableChunking, p.ChunkMaxMessageSize = true, 300 }

// Whatever anybody sends arrives, either as what it is or as refused: each message once, and the
// same from any record on. Nothing stops a reader or is skipped, even if it is the first or the
// last record, or the only one in the partition.
func TestOddMessages(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	noise := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		for i := range b {
			b[i] = b[i]&0x3f + 0x30 // so that it does not compress well
		}
		return b
	}
	encrypted5 := strings.TrimSpace(strings.Repeat("!encrypted ", 5))
	cases := []struct {
		what string
		send func(o *odd)
		want string
	}{
		{"encrypted", func(o *odd) { o.send(o.encrypting(func(*client.ProducerOptions) {}), "d", []byte("secret")) }, "d!encrypted"},
		{"encrypted and compressed", func(o *odd) {
			o.send(o.encrypting(func(p *client.ProducerOptions) { p.CompressionType = client.LZ4 }), "d", bytes.Repeat([]byte("x"), 1000))
		}, "d!encrypted"},
		{"an encrypted batch", func(o *odd) { o.batch(o.encrypting(inBatches), "d", 5) }, encrypted5},
		{"a greater one than the client asks the broker for at once", func(o *odd) { o.batch(o.encrypting(inBatches), "d", 600) }, strings.TrimSpace(strings.Repeat("!encrypted ", 600))},
		{"encrypted chunks", func(o *odd) { o.send(o.encrypting(inChunks), "d", noise(1000)) }, "d!encrypted"},
		{"no payload", func(o *odd) { o.send(o.plain, "d", []byte{}, []byte{}) }, "d= d="},
		{"null", func(o *odd) { o.send(o.plain, "d", nil) }, "d="},
		{"chunks", func(o *odd) { o.send(o.producer(inChunks), "d", append([]byte("in-chunks---"), noise(1000)...)) }, "d=in-chunks---"},
		{"compressed chunks", func(o *odd) {
			o.send(o.producer(func(p *client.ProducerOptions) { inChunks(p); p.CompressionType = client.ZSTD }), "d", append([]byte("in-chunks---"), noise(3000)...))
		}, "d=in-chunks---"},
		{"chunks of two producers at once", func(o *odd) {
			var both sync.WaitGroup
			for range 2 { // a hundred chunks each: they interleave
				p := o.producer(inChunks)
				both.Go(func() { o.send(p, "d", append([]byte("in-chunks---"), noise(20_000)...)) })
			}
			both.Wait()
		}, "d=in-chunks--- d=in-chunks---"},
		{"12 MB", func(o *odd) {
			o.send(o.producer(func(p *client.ProducerOptions) { p.EnableChunking = true }), "d", noise(12<<20))
		}, "d!too_large"},
		{"12 MB of zstd", func(o *odd) {
			o.send(o.producer(func(p *client.ProducerOptions) { p.EnableChunking, p.CompressionType = true, client.ZSTD }), "d", noise(12<<20))
		}, "d!too_large"},
		{"12 MB that shrink", func(o *odd) {
			o.send(o.producer(func(p *client.ProducerOptions) { p.CompressionType = client.ZSTD }), "d", bytes.Repeat([]byte("x"), 12<<20))
		}, "d!too_large"},
		{"compressions", func(o *odd) {
			for _, kind := range []client.CompressionType{client.LZ4, client.ZLib, client.ZSTD, client.SNAPPY} {
				o.send(o.producer(func(p *client.ProducerOptions) { p.CompressionType = kind }), "d", bytes.Repeat([]byte("x"), 1000))
			}
		}, strings.TrimSpace(strings.Repeat("d=xxxxxxxxxxxx ", 4))},
		{"a schema", func(o *odd) {
			p := o.producer(func(p *client.ProducerOptions) {
				p.Schema = client.NewJSONSchema(`{"type":"record","name":"E","fields":[{"name":"metric","type":"string"}]}`, nil)
			})
			if _, err := p.Send(o.t.Context(), &client.ProducerMessage{Key: "d", Value: map[string]string{"metric": "m"}}); err != nil {
				o.t.Fatal(err)
			}
		}, `d={"metric":"m`},
		{"an array", func(o *odd) { o.send(o.plain, "d", []byte(`[{"n":1}, {"n":2},3]`)) }, `d={"n":1} d={"n":2} d=3`},
		{"an array without a key", func(o *odd) {
			o.send(o.plain, "", []byte(`[{"dashboard":"e","metric":"m","value":1},{"dashboard":"f","metric":"m","value":1},{"n":2}]`))
		}, `e={"dashboard" f={"dashboard" !no_dashboard`},
		{"NDJSON", func(o *odd) { o.send(o.plain, "d", []byte("{\"n\":1}\n\n{\"n\":2}\nrubbish\n")) }, `d={"n":1} d={"n":2} d=rubbish`},
		{"MessagePack", func(o *odd) { o.send(o.plain, "d", []byte("\x81\xa1n\x01\x91\x81\xa1n\x02"), []byte("\x81\xa1n\x03")) }, `d={"n":1} d={"n":2} d={"n":3}`},
		{"broken MessagePack", func(o *odd) { o.send(o.plain, "d", []byte("\x81\xa1n\x01\x93\x81")) }, `d!malformed`},
		{"a broken array", func(o *odd) { o.send(o.plain, "d", []byte(`[{"n":1},`)) }, `d!malformed`},
		{"an empty array", func(o *odd) { o.send(o.plain, "d", []byte(`[]`)) }, `d!malformed`},
		{"more than there are places for", func(o *odd) { o.send(o.plain, "d", []byte("["+strings.Repeat("1,", 1<<16)+"1]")) }, `d!too_large`},
		{"another tenant's", func(o *odd) { o.send(o.plain, "other/d", []byte(`[{"n":1}]`), []byte("x")) }, `!wrong_tenant !wrong_tenant`},
		{"nonsense", func(o *odd) { o.send(o.plain, "", []byte("\x00\xff"), []byte("hello")) }, `!no_dashboard !no_dashboard`},
	}
	for _, logTime := range []pulsar.LogTime{pulsar.BrokerTime, pulsar.TickTime} {
		t.Run(string(logTime), func(t *testing.T) {
			keys := newKeys(t)
			var begin string
			if logTime == pulsar.TickTime {
				begin = "tick " // the tenant's first
			}
			name, shard := tenant(t, l, 1, logTime)
			o := &odd{t: t, c: c, topic: pulsar.PartitionTopic(pulsar.EventsTopic(name), 0), keys: keys}
			o.plain = o.producer(func(*client.ProducerOptions) {})
			live := reader(t, l, shard, messages.Position{})
			var all []messages.Record
			if begin != "" {
				all = take(t, live, 1)
			}
			for i, x := range cases {
				before := len(all)
				x.send(o)
				n := len(strings.Fields(x.want))
				all = append(all, take(t, live, n)...)
				if got := allShown(all[before:]); got != x.want {
					t.Fatalf("%s: got %.300s, want %.300s", x.what, got, x.want)
				}
				last, err := l.Last(t.Context(), shard)
				if err != nil || last != all[len(all)-1].Position {
					t.Errorf("%s: the last record is at %s, %v; want %s", x.what, last, err, all[len(all)-1].Position)
				}
				again(t, l, shard, all, max(0, before-1))
				if i%2 == 0 {
					o.send(o.plain, "d", []byte("between"))
					all = append(all, take(t, live, 1)...)
					again(t, l, shard, all, before)
				}
			}
			again(t, l, shard, all, -1)
			if lag, err := l.Lag(t.Context(), shard, messages.Position{}); err != nil || logTime == pulsar.BrokerTime && lag < uint64(len(cases)) {
				if logTime == pulsar.BrokerTime {
					t.Errorf("lag %d, %v", lag, err)
				}
			}
		})
	}
}

// TestSchemas: what a producer with its own schema writes arrives unchanged. An Avro record is no
// event, and its dashboard lists it as refused.
func TestSchemas(t *testing.T) {
	c := pulsartest.Shared(t)
	l := open(t, c)
	avro, err := client.NewAvroSchemaWithValidation(`{"type":"record","name":"E","fields":[{"name":"metric","type":"string"}]}`, nil)
	if err != nil {
		t.Fatal(err)
	}
	for what, x := range map[string]struct {
		schema client.Schema
		value  any
		want   string
	}{
		"avro":   {avro, map[string]any{"metric": "m"}, "d=\x02m"},
		"bytes":  {client.NewBytesSchema(nil), []byte(`{"n":1}`), `d={"n":1}`},
		"string": {client.NewStringSchema(nil), `{"n":2}`, `d={"n":2}`},
	} {
		t.Run(what, func(t *testing.T) {
			name, shard := tenant(t, l, 1, pulsar.BrokerTime)
			o := &odd{t: t, c: c, topic: pulsar.PartitionTopic(pulsar.EventsTopic(name), 0)}
			p := o.producer(func(p *client.ProducerOptions) { p.Schema = x.schema })
			if _, err := p.Send(t.Context(), &client.ProducerMessage{Key: "d", Value: x.value}); err != nil {
				t.Fatal(err)
			}
			all := take(t, reader(t, l, shard, messages.Position{}), 1)
			if got := allShown(all); got != x.want {
				t.Errorf("got %q, want %q", got, x.want)
			}
		})
	}
}

// again reads what comes after record i, and compares it with what came before.
func again(t *testing.T, l *pulsar.Log, shard int, all []messages.Record, i int) {
	t.Helper()
	var after messages.Position
	if i >= 0 && i < len(all) {
		after = all[i].Position
	}
	want := all[min(len(all), i+1):]
	if len(want) == 0 {
		return
	}
	r, err := l.Read(shard, after)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := take(t, r, len(want))
	for j := range want {
		a, b := want[j], got[j]
		if a.Position != b.Position || a.Append != b.Append || a.Producer != b.Producer || a.EventTime != b.EventTime || shown(&a) != shown(&b) {
			t.Fatalf("after %s record %d is %s at %s (%d, %s), it was %s at %s (%d, %s)", after, j, shown(&b), b.Position, b.Append, b.Producer, shown(&a), a.Position, a.Append, a.Producer)
		}
	}
}
