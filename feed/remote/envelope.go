package remote

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"
)

// Version is of the messages. It changes only where an older end could not understand.
const Version = 1

// What a message, a payload and what is in flight may hold.
const (
	MaxMessageBytes = 256 << 10
	MaxPayloadBytes = 32 << 20
	Window          = 1 << 20
)

const (
	beatEvery   = 250 * time.Millisecond
	silentBeats = 12 // so many beats without a word from the other end, and its interests end
)

// A message's first byte says whom it is for.
const (
	forOwner   = 'o'
	forGateway = 'g'

	headBytes = 2
)

// roomBytes is what payloads may take of a message: the rest is for the head, counters, lags and what else a beat says.
const roomBytes = MaxMessageBytes - 16<<10

// errVersion is what both ends say of a message of another version.
var errVersion = errors.New("feed message of another version")

// seal makes the message's bytes, a slice of its own.
func seal(to byte, m proto.Message) []byte {
	b := make([]byte, headBytes, headBytes+proto.Size(m))
	b[0], b[1] = to, Version
	b, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(b, m)
	if err != nil { // only a string that is not UTF-8 can do that: names and texts come from checked places
		return nil
	}
	return b
}

// open reads a message that is for this end into m; false and no error where it is for the other one.
func open(to byte, b []byte, m proto.Message) (bool, error) {
	if len(b) < headBytes || b[0] != to {
		return false, nil
	}
	if b[1] != Version {
		return false, fmt.Errorf("%w: %d, this end speaks %d; upgrade the older end", errVersion, b[1], Version)
	}
	if err := proto.Unmarshal(b[headBytes:], m); err != nil {
		return false, fmt.Errorf("feed message of %d bytes: %w", len(b), err)
	}
	return true, nil
}
