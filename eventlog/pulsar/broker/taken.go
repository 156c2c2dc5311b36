package broker

import (
	"errors"
	"strings"

	"github.com/apache/pulsar-client-go/pulsar"
)

// IsTaken reports whether err says that another holds the Exclusive producer that was asked for.
// The broker's refusal comes as text.
func IsTaken(err error) bool {
	return errors.Is(err, pulsar.ErrProducerFenced) || says(err, "ProducerFenced") || says(err, "ProducerBusy")
}

// IsLost reports whether a write failed because another has taken the Exclusive producer meanwhile.
// The client closes its producer if the broker refuses it at a reconnect.
func IsLost(err error) bool {
	return IsTaken(err) || errors.Is(err, pulsar.ErrProducerClosed) || says(err, "ProducerClosed")
}

func says(err error, word string) bool { return err != nil && strings.Contains(err.Error(), word) }
