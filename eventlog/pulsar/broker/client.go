package broker

import (
	"log/slog"
	"time"

	"github.com/apache/pulsar-client-go/pulsar"
	"github.com/apache/pulsar-client-go/pulsar/log"
	"github.com/prometheus/client_golang/prometheus"
)

const keepAlive = 5 * time.Second // a broker that sends nothing for twice as long is given up

// Options say how a client connects to a broker.
type Options struct {
	URL      string // pulsar://host:port[,host:port] or pulsar+ssl://…
	Security Security
	Connect  time.Duration // timeout of one connection
	Answer   time.Duration // timeout of one question
	// bytes of payloads that wait for the broker's answer; sending blocks beyond that
	Memory int64
	Words  *Words
}

// NewClient returns a client; it connects when it is first used. Give producers and readers one
// client each: they can deadlock if they share one client's memory limit.
func NewClient(o Options) (pulsar.Client, error) {
	options := pulsar.ClientOptions{
		URL:               o.URL,
		ConnectionTimeout: o.Connect,
		OperationTimeout:  o.Answer,
		KeepAliveInterval: keepAlive,
		MemoryLimitBytes:  o.Memory,
		MetricsRegisterer: prometheus.NewRegistry(), // not exported: our own metrics say what matters
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
