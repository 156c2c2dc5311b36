// Package pulsar is the log on Apache Pulsar.
package pulsar

import (
	_ "github.com/apache/pulsar-client-go/pulsar"
	_ "github.com/apache/pulsar-client-go/pulsaradmin"
	_ "github.com/apache/pulsar-client-go/pulsaradmin/pkg/admin"
)
