package pulsar

import (
	"fmt"
	"math/rand/v2"
)

// name is what the broker shows of a reader.
func (c Config) name() string { return "dashfeed/" + c.Cluster + "/" + c.Node }

// producerName is one that no other producer has, also of a process that died and is not yet
// forgotten.
func (c Config) producerName() string { return fmt.Sprintf("%s/%08x", c.name(), rand.Uint32()) }
