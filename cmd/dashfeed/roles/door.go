package roles

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
)

// startDoor serves the public. When it stops, it sends its sessions to other gateways.
func (c *Clustered) startDoor(table fold.Table) (err error) {
	c.door, err = c.newGateway(c.viewer, c.log, c.flags.DashboardFlags, c.flags.PublicFlags, table, c.cutOff)
	if err != nil {
		return err
	}
	members := c.members.Load()
	ctx, cancel := context.WithCancel(context.Background())
	c.work.Go(func() { c.watch(ctx, members.Draining()) })
	c.work.Go(func() { c.followMoves(ctx, members) })
	if len(c.sources) > 0 {
		c.work.Go(func() { c.define(ctx) })
	}
	c.onStop(func() error {
		cancel()
		c.work.Wait()
		return c.closeDoor()
	})
	if err = c.openDoor(c.door.Serve); err != nil {
		return err
	}
	c.health.Of("gateway", c.doorHealth)
	return nil
}

// closeDoor sends the sessions to other gateways, then closes the rest.
func (c *Clustered) closeDoor() error {
	if c.door.Sessions() > 0 && c.flags.Drain > 0 && !c.door.Draining() {
		c.logger.Info("sending sessions to other gateways", "sessions", c.door.Sessions(), "within", c.flags.Drain)
		c.empty(context.Background())
	}
	return within(closeSession, c.door.Shutdown)
}

// empty sends all sessions to other gateways, within --drain.
func (c *Clustered) empty(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, max(c.flags.Drain, time.Second))
	defer cancel()
	c.members.Load().SetGatewayDraining(true)
	if err := c.door.Drain(ctx); err != nil {
		c.logger.Warn("not every session was sent away in time", "error", err)
	}
}

func (c *Clustered) doorHealth() error {
	if err := c.served(); err != nil {
		return err
	}
	if c.door.Draining() {
		return fmt.Errorf("draining: %d sessions are left", c.door.Sessions())
	}
	return c.viewer.Ready()
}

// drainDoor empties the door for good, when an operator asks for it.
func (c *Clustered) drainDoor() {
	select {
	case c.told <- struct{}{}:
	default: // it was asked already
	}
}

// watch empties the door when it is asked to, or when its node drains, and while no node is heard:
// what the gateway shows becomes stale then, and another gateway may hear more.
func (c *Clustered) watch(ctx context.Context, draining <-chan struct{}) {
	// how long a gateway waits after its start for the first node: as long as for a node that is
	// silent
	const patience = 10 * time.Second
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	began, cutOff := time.Now(), false
	ended := false // the sessions with tokens
	for {
		select {
		case <-tick.C:
		case <-c.told:
			c.empty(ctx)
			return
		case <-draining:
			c.empty(ctx)
			return
		case <-ctx.Done():
			return
		}
		if must := c.tokensMustEnd(); must != ended {
			if ended = must; must {
				c.door.EndTokens()
			}
		}
		err := c.viewer.Ready()
		if errors.Is(err, feed.ErrStarting) && time.Since(began) < patience {
			continue
		}
		switch {
		case err != nil && !cutOff && c.door.Sessions() > 0:
			cutOff = true
			c.logger.Warn("the gateway is cut off and sends its sessions away", "error", err)
			c.empty(ctx)
		case err == nil && cutOff:
			cutOff = false
			c.door.Resume()
			c.members.Load().SetGatewayDraining(false)
			c.logger.Info("nodes are reachable again: the gateway accepts sessions")
		}
	}
}
