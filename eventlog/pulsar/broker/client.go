package broker

import (
	"log/slog"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"
)

const keepAlive = 5 * time.Second // a broker that says nothing twice as long is gone

// Options say how a client speaks to a broker.
type Options struct {
	URL      string // pulsar://host:port[,host:port] or pulsar+ssl://…
	Security Security
	Connect  time.Duration // patience of one connection
	Answer   time.Duration // patience of one question
	// bytes of payloads that wait for the broker's answer; beyond, sending blocks
	Memory int64
	Words  *Words
}

// NewClient makes a client; it connects when it is used. Producers and readers want one each: the
// bound on a client's memory, shared by both, can deadlock.
func NewClient(o Options) (pulsar.Client, error) {
	options := pulsar.ClientOptions{
		URL:               o.URL,
		ConnectionTimeout: o.Connect,
		OperationTimeout:  o.Answer,
		KeepAliveInterval: keepAlive,
		MemoryLimitBytes:  o.Memory,
		MetricsRegisterer: prometheus.NewRegistry(), // its own, and not shown: ours say what matters
		Logger:            log.NewLoggerWithSlog(slog.New(o.Words)),

		TLSTrustCertsFilePath: o.Security.CA,
		TLSCertificateFile:    o.Security.Cert,
		TLSKeyFilePath:        o.Security.Key,
		TLSValidateHostname:   true,
	}
	switch s := o.Security; {
	case s.Token != "" || s.TokenFile != "":
		options.Authentication = pulsar.NewAuthenticationTokenFromSupplier(s.ReadToken)
	case s.Cert != "":
		options.Authentication = pulsar.NewAuthenticationTLS(s.Cert, s.Key)
	}
	return pulsar.NewClient(options)
}
