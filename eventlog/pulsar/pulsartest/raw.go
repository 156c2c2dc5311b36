package pulsartest

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Raw is a producer that writes entries byte by byte, as no client library would, but as anybody
// can who may produce.
type Raw struct {
	conn net.Conn
	sent uint64
}

// The commands of Pulsar's protocol that Raw uses. A command's number is also the number of its
// field.
const (
	cmdConnect         = 2
	cmdConnected       = 3
	cmdProducer        = 5
	cmdSend            = 6
	cmdSendReceipt     = 7
	cmdProducerSuccess = 17
	cmdPing            = 18
	cmdPong            = 19
)

// Message is a protobuf message under construction.
type Message []byte

// Number appends a field. It encodes a negative number as protobuf encodes int32 and int64.
func (m Message) Number(field protowire.Number, n int64) Message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), uint64(n))
}

// Text appends a field.
func (m Message) Text(field protowire.Number, s string) Message {
	return protowire.AppendString(protowire.AppendTag(m, field, protowire.BytesType), s)
}

// Raw calls OpenRaw with the cluster's broker.
func (c *Cluster) Raw(topic string) (*Raw, error) { return OpenRaw(c.BrokerURL, topic) }

// OpenRaw opens a producer of a partition that the broker pulsar://HOST:PORT serves. The broker
// must be open to everybody.
func OpenRaw(broker, topic string) (*Raw, error) {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(broker, "pulsar://"), 5*time.Second)
	if err != nil {
		return nil, err
	}
	r := &Raw{conn: conn}
	if err = r.ask(cmdConnect, Message(nil).Text(1, "raw").Number(4, 20), nil, cmdConnected); err == nil {
		err = r.ask(cmdProducer, Message(nil).Text(1, topic).Number(2, 1).Number(3, 1), nil, cmdProducerSuccess)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("open a raw producer of %s: %w", topic, err)
	}
	return r, nil
}

// Close closes the connection.
func (r *Raw) Close() error { return r.conn.Close() }

// Metadata returns the metadata of an entry with the required fields.
func (r *Raw) Metadata() Message {
	return Message(nil).Text(1, "raw").Number(2, int64(r.sent)).Number(3, time.Now().UnixMilli())
}

// Send stores an entry with that metadata and payload, and announces that it holds that many
// messages.
func (r *Raw) Send(metadata Message, payload []byte, messages int32) error {
	return r.send(bodyOf(metadata, payload), Message(nil).Number(3, int64(messages)))
}

// SendInside stores a message or batch inside a transaction that the partition is part of.
func (r *Raw) SendInside(least, most uint64, metadata Message, payload []byte, messages int32) error {
	metadata = metadata.Number(22, int64(least)).Number(23, int64(most))
	return r.send(bodyOf(metadata, payload), Message(nil).Number(3, int64(messages)).Number(4, int64(least)).Number(5, int64(most)))
}

func bodyOf(metadata Message, payload []byte) []byte {
	body := append(binary.BigEndian.AppendUint32(nil, uint32(len(metadata))), metadata...)
	return append(body, payload...)
}

// SendBody stores an entry, given the bytes behind its checksum.
func (r *Raw) SendBody(body []byte, messages int32) error {
	return r.send(body, Message(nil).Number(3, int64(messages)))
}

func (r *Raw) send(body []byte, how Message) error {
	rest := binary.BigEndian.AppendUint16(nil, 0x0e01)
	rest = binary.BigEndian.AppendUint32(rest, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	send := append(how, Message(nil).Number(1, 1).Number(2, int64(r.sent))...)
	r.sent++
	return r.ask(cmdSend, send, append(rest, body...), cmdSendReceipt)
}

// ask sends a command and waits for its answer.
func (r *Raw) ask(kind int64, body Message, rest []byte, answer int64) error {
	if err := r.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if err := r.write(kind, body, rest); err != nil {
		return err
	}
	for {
		var sizes [8]byte
		if _, err := io.ReadFull(r.conn, sizes[:]); err != nil {
			return err
		}
		command := make([]byte, binary.BigEndian.Uint32(sizes[:])-4)
		if _, err := io.ReadFull(r.conn, command); err != nil {
			return err
		}
		_, _, tag := protowire.ConsumeTag(command)
		switch got, _ := protowire.ConsumeVarint(command[max(0, tag):]); int64(got) {
		case answer:
			return nil
		case cmdPing:
			if err := r.write(cmdPong, nil, nil); err != nil {
				return err
			}
		default:
			return fmt.Errorf("command %d was answered by %d: %q", kind, got, command)
		}
	}
}

func (r *Raw) write(kind int64, body Message, rest []byte) error {
	command := Message(nil).Number(1, kind).Text(protowire.Number(kind), string(body))
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(command)+len(rest)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(command)))
	_, err := r.conn.Write(append(append(b, command...), rest...))
	return err
}
