package roles

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
)

// openLog connects to Pulsar. If that fails, readyz and the log say why, and it retries until it
// succeeds or the process must stop: a broker that starts later, or whose token is renewed, needs
// no restart of this process.
func (c *Clustered) openLog(ctx context.Context) (log *pulsar.Log, err error) {
	config := pulsar.Default(c.flags.Pulsar, c.flags.PulsarAdmin)
	config.Cluster = c.flags.Cluster
	config.Security, config.Keys = c.security(), c.secrets
	config.ForwardAdded, config.ChecksPolicies = c.flags.Shards, c.isFirst
	followed := &clusterSettings{}
	config.Settings, c.settings = followed.learn, followed
	config.Logger, config.Metrics = c.logger, c.metrics
	if err := config.Validate(); err != nil {
		return nil, usageOf(err)
	}
	err = c.again(ctx, "log", func() error {
		log, err = pulsar.Open(ctx, config)
		return err
	})
	followed.log = log
	return log, err
}

// isFirst reports whether this member's name is the first among the members that are heard. Two
// members may both think so for a while, and so does a process that has not joined.
func (c *Clustered) isFirst() bool {
	members := c.members.Load()
	if members == nil {
		return true
	}
	for _, m := range members.Members() { // sorted by name
		if m.Self || m.Heard {
			return m.Self
		}
	}
	return true
}

// security returns our credentials for the broker, and the authorities that we trust.
func (c *Clustered) security() pulsar.Security {
	return pulsar.Security{
		Token: c.flags.PulsarToken, TokenFile: c.flags.PulsarTokenFile,
		CA: c.flags.PulsarCA, Cert: c.flags.PulsarCert, Key: c.flags.PulsarKey,
	}
}

// makeTenants makes the tenants of --tenants that do not exist yet.
func (c *Clustered) makeTenants(ctx context.Context) error {
	for _, t := range c.tenants {
		tenant := pulsar.Tenant{Name: t.name, Partitions: t.partitions, LogTime: pulsar.BrokerTime}
		if t.ticks {
			tenant.LogTime = pulsar.TickTime
		}
		if err := c.again(ctx, "log", func() error { return c.log.AddTenant(ctx, tenant) }); err != nil {
			return err
		}
	}
	return nil
}

// again repeats do until it succeeds. Meanwhile the part's line of readyz says why it fails.
func (c *Clustered) again(ctx context.Context, part string, do func() error) error {
	const pause, tellEvery = time.Second, time.Minute
	var trouble atomic.Pointer[error]
	trouble.Store(&admin.ErrStarting)
	c.health.Of(part, func() error { return *trouble.Load() })
	var told time.Time
	var said string
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		trouble.Store(&err)
		if err.Error() != said || time.Since(told) > tellEvery {
			said, told = err.Error(), time.Now()
			c.logger.Error("not ready, trying again", "part", part, "error", err)
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("%s: %w", part, ctx.Err())
		}
	}
}

// logHealth returns the trouble of the log for readyz: trouble with the broker, else the problems
// of its topics and policies.
func (c *Clustered) logHealth() error {
	errs := []error{c.log.Err()}
	for _, p := range c.log.Problems() {
		errs = append(errs, errors.New(p.String()))
	}
	return errors.Join(errs...)
}
