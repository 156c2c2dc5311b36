package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/gateway"
)

// define applies the definitions of --definitions, as soon as the shards that they belong to are served. What is in force
// already is passed over: any number of gateways may be given the same files. It ends when all are applied.
func (c *clustered) define(ctx context.Context) {
	var trouble atomic.Pointer[error]
	trouble.Store(&errStarting)
	c.health.minor("definitions", func() error { return *trouble.Load() })
	for {
		err := c.defineOnce(ctx)
		if err == nil {
			c.health.minor("definitions", func() error { return nil })
			return
		}
		trouble.Store(&err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

func (c *clustered) defineOnce(ctx context.Context) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return c.applyFiles(ctx, gateway.DefinitionFiles{Feed: c.viewer, Log: c.log, Region: region}, c.sources, "")
}
