package broker

import (
	"errors"
	"strings"

	"github.com/apache/pulsar-client-go/pulsar"
)

// IsTaken tells that another has the Exclusive producer that was asked for. The broker's refusal
// comes as text.
func IsTaken(err error) bool {
	return errors.Is(err, pulsar.ErrProducerFenced) || says(err, "ProducerFenced") || says(err, "ProducerBusy")
}

// IsLost tells of a failed write that another has taken the Exclusive producer meanwhile. A client
// that was refused when it connected again has closed it.
func IsLost(err error) bool {
	return IsTaken(err) || errors.Is(err, pulsar.ErrProducerClosed) || says(err, "ProducerClosed")
}

func says(err error, word string) bool { return err != nil && strings.Contains(err.Error(), word) }
