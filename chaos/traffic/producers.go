package traffic

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"
)

// producers holds one producer for each form in which a client can send messages.
type producers struct {
	plain      []pulsar.Producer // each compression, in batches, alone and in chunks
	encrypting pulsar.Producer
}

// chunkBytes is so small that an event makes several chunks.
const chunkBytes = 64

// openProducers opens all of them.
func (s *ForeignProducer) openProducers(ctx context.Context, client pulsar.Client) (*producers, error) {
	key, err := newPublicKey()
	if err != nil {
		return nil, err
	}
	p := &producers{}
	for _, set := range []func(*pulsar.ProducerOptions){
		func(*pulsar.ProducerOptions) {},
		func(o *pulsar.ProducerOptions) { o.CompressionType = pulsar.LZ4 },
		func(o *pulsar.ProducerOptions) { o.CompressionType = pulsar.ZLib },
		func(o *pulsar.ProducerOptions) { o.CompressionType = pulsar.ZSTD },
		func(o *pulsar.ProducerOptions) { o.CompressionType = pulsar.SNAPPY },
		func(o *pulsar.ProducerOptions) { o.DisableBatching = true },
		func(o *pulsar.ProducerOptions) {
			o.DisableBatching, o.EnableChunking, o.ChunkMaxMessageSize = true, true, chunkBytes
		},
		func(o *pulsar.ProducerOptions) {
			o.DisableBatching, o.EnableChunking, o.ChunkMaxMessageSize, o.CompressionType = true, true, chunkBytes, pulsar.ZSTD
		},
	} {
		one, err := s.open(ctx, client, set)
		if err != nil {
			p.close()
			return nil, err
		}
		p.plain = append(p.plain, one)
	}
	if p.encrypting, err = s.open(ctx, client, func(o *pulsar.ProducerOptions) {
		o.DisableBatching, o.Encryption = true, &pulsar.ProducerEncryptionInfo{KeyReader: key, Keys: []string{"k"}}
	}); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *producers) close() {
	for _, one := range p.plain {
		one.Close()
	}
	if p.encrypting != nil {
		p.encrypting.Close()
	}
}

// open opens a producer; a broker that has just started may refuse for a moment.
func (s *ForeignProducer) open(ctx context.Context, client pulsar.Client, set func(*pulsar.ProducerOptions)) (pulsar.Producer, error) {
	o := pulsar.ProducerOptions{
		Topic: s.Topic, SendTimeout: 10 * time.Second, MaxPendingMessages: 2 * unsent, BatchingMaxPublishDelay: 5 * time.Millisecond,
		BatcherBuilderType: pulsar.KeyBasedBatchBuilder, MessageRouter: s.route,
	}
	set(&o)
	for {
		p, err := client.CreateProducer(o)
		if err == nil {
			return p, nil
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, fmt.Errorf("open a producer of %s: %w", s.Topic, err)
		}
	}
}

// publicKey is the key of a reader that does not exist here.
type publicKey []byte

func newPublicKey() (publicKey, error) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(&pair.PublicKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

func (k publicKey) PublicKey(name string, _ map[string]string) (*crypto.EncryptionKeyInfo, error) {
	return crypto.NewEncryptionKeyInfo(name, k, nil), nil
}

func (k publicKey) PrivateKey(string, map[string]string) (*crypto.EncryptionKeyInfo, error) {
	return nil, errors.New("a producer has none")
}
