package pulsar

import (
	"fmt"
	"math/rand/v2"
)

// name returns the name of a reader at the broker.
func (c Config) name() string { return "dashfeed/" + c.Cluster + "/" + c.Node }

// producerName returns a name that no other producer has, including those of dead processes that
// the broker still knows.
func (c Config) producerName() string { return fmt.Sprintf("%s/%08x", c.name(), rand.Uint32()) }
