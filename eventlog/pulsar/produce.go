package pulsar

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/klauspost/compress/zstd"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// The properties of messages that are not plain events.
const (
	kindProperty   = "dashfeed"
	originProperty = "dashfeed-origin"

	kindPacked = "packed"
)

// single returns the message of one entry. The payload of a tick is the time. Payload and key are
// copied.
func single(e *eventlog.Entry) *pulsar.ProducerMessage {
	m := &pulsar.ProducerMessage{Key: strings.Clone(e.Key.Dashboard), Payload: bytes.Clone(e.Payload), DisableReplication: local(e)}
	if e.EventTime > 0 {
		m.EventTime = time.UnixMilli(e.EventTime)
	}
	if e.Kind == messages.KindEvent && e.Origin == (messages.Origin{}) {
		return m
	}
	m.Properties = map[string]string{kindProperty: e.Kind.String()}
	if e.Origin != (messages.Origin{}) {
		m.Properties[originProperty] = formatOrigin(e.Origin)
	}
	if e.Kind == messages.KindTick {
		m.Key, m.Payload = "", tickPayload(time.Now())
	}
	return m
}

// tickPayload encodes the time of the node that ticks, ms: it becomes log time if the broker gives
// no time. The MAC covers it; it does not cover the publish time of a message.
func tickPayload(now time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(now.UnixMilli()))
}

func tickTime(payload []byte) (ms int64, ok bool) {
	if len(payload) != 8 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(payload)), true
}

// local reports whether the entry makes sense in its own region only.
func local(e *eventlog.Entry) bool {
	return e.Kind == messages.KindTick || e.Origin != (messages.Origin{})
}

func formatOrigin(o messages.Origin) string {
	return strconv.Itoa(o.Partition) + ":" + o.Position.String()
}

func parseOrigin(s string) (messages.Origin, error) {
	partition, position, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(partition, 10, 32)
	if !ok || err != nil || n >= maxOrigin {
		return messages.Origin{}, fmt.Errorf("origin %q is not of the form PARTITION:POSITION, with a partition below %d", s, maxOrigin)
	}
	p, err := messages.ParsePosition(position)
	return messages.Origin{Partition: int(n), Position: p}, err
}

// packer encodes packed messages. Any number of goroutines may use it.
type packer struct {
	compressBytes int
	zstd          *zstd.Encoder
}

func newPacker(compressBytes int) *packer {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2))
	if err != nil {
		panic(err) // the options are constants
	}
	return &packer{compressBytes, e}
}

// pack returns the entries as one message.
func (k *packer) pack(entries []*eventlog.Entry) *pulsar.ProducerMessage {
	size := 1
	for _, e := range entries {
		size += sizeOf(e)
	}
	b := append(make([]byte, 0, size), packedPlain)
	for _, e := range entries {
		b = appendPacked(b, e)
	}
	if k.compressBytes > 0 && len(b) >= k.compressBytes {
		b = k.zstd.EncodeAll(b[1:], append(make([]byte, 0, len(b)/4), packedZstd))
	}
	return &pulsar.ProducerMessage{Payload: b, Properties: map[string]string{kindProperty: kindPacked}, DisableReplication: local(entries[0])}
}

// sizeOf bounds the size of an entry in a packed message.
func sizeOf(e *eventlog.Entry) int { return len(e.Payload) + len(e.Key.Dashboard) + 48 }
