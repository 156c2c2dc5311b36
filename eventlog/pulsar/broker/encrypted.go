package broker

import (
	"errors"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/crypto"
)

// Encrypted has a consumer or reader return encrypted messages as they are. Every consumer and
// reader needs it: without it, the client asks the broker to send the message again, which a Reader
// of v0.21.0 can't do, and the client ends the process.
func Encrypted() *pulsar.MessageDecryptionInfo {
	return &pulsar.MessageDecryptionInfo{MessageCrypto: noKey{}, ConsumerCryptoFailureAction: crypto.ConsumerCryptoFailureActionConsume}
}

// noKey decrypts nothing.
type noKey struct{}

var errNoKey = errors.New("it is encrypted: nobody here has a key")

func (noKey) AddPublicKeyCipher([]string, crypto.KeyReader) error { return errNoKey }

func (noKey) RemoveKeyCipher(string) bool { return false }

func (noKey) Encrypt([]string, crypto.KeyReader, crypto.MessageMetadataSupplier, []byte) ([]byte, error) {
	return nil, errNoKey
}

func (noKey) Decrypt(crypto.MessageMetadataSupplier, []byte, crypto.KeyReader) ([]byte, error) {
	return nil, errNoKey
}
