package entries

import (
	"errors"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

var errProto = errors.New("not a message of Pulsar's protocol")

// field is one field of a protobuf message: n if it is a number, b if it is bytes.
type field struct {
	number protowire.Number
	n      uint64
	b      []byte
}

func (f field) text() string { return string(f.b) }

// own returns the text without a copy; it aliases b.
func (f field) own() string { return unsafe.String(unsafe.SliceData(f.b), len(f.b)) }

// fields calls do with each field of a protobuf message; b aliases the message.
func fields(message []byte, do func(f field) error) error {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return errProto
		}
		message = message[size:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.n, size = protowire.ConsumeVarint(message)
		case protowire.BytesType:
			f.b, size = protowire.ConsumeBytes(message)
		default:
			size = protowire.ConsumeFieldValue(number, kind, message)
		}
		if size < 0 {
			return errProto
		}
		message = message[size:]
		if err := do(f); err != nil {
			return err
		}
	}
	return nil
}

// pack is a protobuf message under construction.
type pack []byte

func (p pack) number(field protowire.Number, n uint64) pack {
	return protowire.AppendVarint(protowire.AppendTag(p, field, protowire.VarintType), n)
}

func (p pack) bytes(field protowire.Number, b []byte) pack {
	return protowire.AppendBytes(protowire.AppendTag(p, field, protowire.BytesType), b)
}

func (p pack) text(field protowire.Number, s string) pack { return p.bytes(field, []byte(s)) }

// The commands of Pulsar's protocol that we use. A command's number is also the number of its
// field.
const (
	cmdConnect       = 2
	cmdConnected     = 3
	cmdSubscribe     = 4
	cmdMessage       = 9
	cmdAck           = 10
	cmdFlow          = 11
	cmdSuccess       = 13
	cmdError         = 14
	cmdCloseConsumer = 16
	cmdPing          = 18
	cmdPong          = 19
	cmdLookup        = 23
	cmdLookupAnswer  = 24
	cmdLast          = 29
	cmdLastAnswer    = 30
	cmdAuthChallenge = 36
	cmdAuthResponse  = 37
	cmdAckAnswer     = 38
)

// command returns a BaseCommand that holds the one command.
func command(kind int, body pack) pack {
	return pack(nil).number(1, uint64(kind)).bytes(protowire.Number(kind), body)
}
