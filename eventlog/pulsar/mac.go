package pulsar

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// A message that steers (a definition, a tick, a forwarded record, or a packed message that holds
// one of these) carries a MAC, so that a client that may only produce can't steer. The property
// dashfeed-mac is the base64url of
//
//	key id   8 bytes
//	MAC      16 bytes: the first of HMAC-SHA-256
//
// The MAC covers these fields, with texts and the payload behind their length and numbers as
// varints:
//
//	"dashfeed-mac-1", tenant, creation of the tenant ("" of a tick), partition within its topic, kind, origin, key, event time, payload
//
// Its key is the tenant's: HKDF-SHA-256 of the cluster's key and the tenant's name. So a copy is
// not valid in another tenant, partition or creation of the tenant. A copy in the same partition
// has no effect, since folds ignore a definition or an origin that is behind theirs, and no tick
// moves log time back. A tick is valid in every creation, because the first ticks are written
// before the control topic says which creation counts.
const (
	macProperty = "dashfeed-mac"
	macDomain   = "dashfeed-mac-1"

	macBytes   = 16
	keyIDBytes = 8
)

// KeyBytes is the length of a cluster's key.
const KeyBytes = 32

// maxKeys bounds the number of a cluster's keys, and of the key ids in a tenant's control records.
const maxKeys = 64

// keyID names a key of the cluster without revealing anything of it.
type keyID [keyIDBytes]byte

// String returns 16 hex digits.
func (id keyID) String() string { return hex.EncodeToString(id[:]) }

func parseKeyID(s string) (id keyID, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != keyIDBytes {
		return id, fmt.Errorf("key id %q is not %d hex digits", s, 2*keyIDBytes)
	}
	return keyID(b), nil
}

// KeyID returns the name of a cluster's key for logs and listings.
func KeyID(key []byte) string { return idOf(key).String() }

func idOf(key []byte) keyID { return keyID(derive(key, "dashfeed key id", keyIDBytes)) }

func derive(key []byte, info string, length int) []byte {
	b, err := hkdf.Key(sha256.New, key, nil, info, length)
	if err != nil {
		panic(err) // the length is a constant
	}
	return b
}

// keyring holds the cluster's keys, derived for one tenant. The first signs, all verify.
type keyring []*tenantKey

type tenantKey struct {
	id   keyID
	macs sync.Pool // of *macState
}

// macState holds the buffers of one MAC. Its hash keeps the state that it derives from the key.
type macState struct {
	hash hash.Hash
	head []byte
}

func newKeyring(keys [][]byte, tenant string) keyring {
	var ring keyring
	for _, key := range keys {
		own := derive(key, "dashfeed tenant "+tenant, sha256.Size)
		ring = append(ring, &tenantKey{id: idOf(key), macs: sync.Pool{New: func() any { return &macState{hash: hmac.New(sha256.New, own)} }}})
	}
	return ring
}

func (r keyring) find(id keyID) *tenantKey {
	for _, k := range r {
		if k.id == id {
			return k
		}
	}
	return nil
}

// ids returns the ids of all keys.
func (r keyring) ids() (all []string) {
	for _, k := range r {
		all = append(all, k.id.String())
	}
	return all
}

// signed holds the fields of a message that its MAC covers.
type signed struct {
	kind, origin, key string
	eventTime         int64
	payload           []byte
}

func signedOf(properties map[string]string, key string, eventTime time.Time, payload []byte) signed {
	s := signed{kind: properties[kindProperty], origin: properties[originProperty], key: key, payload: payload}
	if ms := eventTime.UnixMilli(); ms > 0 {
		s.eventTime = ms
	}
	return s
}

// mac returns the MAC of a message in the partition.
func (k *tenantKey) mac(p *partition, s signed) (mac [macBytes]byte) {
	made := p.tenant.Made
	if s.kind == messages.KindTick.String() {
		made = ""
	}
	state := k.macs.Get().(*macState)
	defer k.macs.Put(state)
	b := state.head[:0]
	for _, text := range []string{macDomain, p.tenant.Name, made} {
		b = appendText(b, text)
	}
	b = binary.AppendUvarint(b, uint64(p.number))
	for _, text := range []string{s.kind, s.origin, s.key} {
		b = appendText(b, text)
	}
	b = binary.AppendUvarint(b, uint64(s.eventTime))
	b = binary.AppendUvarint(b, uint64(len(s.payload)))
	state.hash.Reset()
	state.hash.Write(b)
	state.hash.Write(s.payload)
	state.head = state.hash.Sum(b[:0])
	copy(mac[:], state.head)
	return mac
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

// sign adds the MAC to a steering message. The tenant has a key: it was announced.
func (p *partition) sign(m *pulsar.ProducerMessage) {
	k := p.tenant.keys[0]
	mac := k.mac(p, signedOf(m.Properties, m.Key, m.EventTime, m.Payload))
	m.Properties[macProperty] = base64.RawURLEncoding.EncodeToString(slices.Concat(k.id[:], mac[:]))
}

// parseMAC decodes the property.
func parseMAC(text string) (id keyID, mac []byte, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != keyIDBytes+macBytes {
		return id, nil, false
	}
	return keyID(b[:keyIDBytes]), b[keyIDBytes:], true
}

// isSteeringEntry reports whether the entry is more than an event where its producer put it.
func isSteeringEntry(e *eventlog.Entry) bool {
	return e.Kind != messages.KindEvent || e.Origin != (messages.Origin{})
}
