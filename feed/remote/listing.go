package remote

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/dashfeed/dashfeed/cluster/link"
	"github.com/dashfeed/dashfeed/feed"
)

// List implements feed.Feed: it asks the sources of all shards of the tenant and merges their
// answers. A node also lists dashboards of shards for which it is a standby; List takes those only
// from their source.
func (c *Client) List(ctx context.Context, tenant, prefix, after string, limit int) ([]feed.Summary, error) {
	first, n, err := c.cfg.Directory.Tenant(tenant)
	if err != nil {
		return nil, fmt.Errorf("list dashboards of %s: %w", tenant, err)
	}
	var all []feed.Summary
	for {
		more, next, err := c.listOnce(ctx, first, n, limit, appendList([]byte{callList}, tenant, prefix, after, limit))
		if err != nil {
			return nil, fmt.Errorf("list dashboards of %s: %w", tenant, err)
		}
		all = append(all, more...)
		if len(all) >= limit || next == "" {
			return all[:min(len(all), limit)], nil
		}
		after = next
	}
}

func appendList(b []byte, tenant, prefix, after string, limit int) []byte {
	return binary.AppendUvarint(appendText(appendText(appendText(b, tenant), prefix), after), uint64(limit))
}

// listOnce asks every source once. next is the name up to which the answer is complete; "" if the
// answer is all there is.
func (c *Client) listOnce(ctx context.Context, first, n, limit int, body []byte) (all []feed.Summary, next string, err error) {
	shards, err := c.sourcesOf(ctx, first, n)
	if err != nil {
		return nil, "", err
	}
	type answer struct {
		peer  link.Peer
		found []feed.Summary
		err   error
	}
	answers := make(chan answer, len(shards))
	for peer := range shards {
		go func() { // joined below: listOnce waits for every answer
			var found []feed.Summary
			r, err := c.callPeer(ctx, peer, body)
			if err == nil {
				found, err = readSummaries(r)
			}
			answers <- answer{peer, found, err}
		}()
	}
	for range shards {
		a := <-answers
		if a.err != nil {
			err = a.err
			continue
		}
		if n := len(a.found); n >= limit {
			if last := a.found[n-1].Key.Dashboard; next == "" || last < next {
				next = last
			}
		}
		for _, s := range a.found {
			if home, err := c.cfg.Directory.PartitionOf(s.Key); err == nil && slices.Contains(shards[a.peer], home) {
				all = append(all, s)
			}
		}
	}
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(all, func(a, b feed.Summary) int { return a.Key.Compare(b.Key) })
	if next != "" {
		all = slices.DeleteFunc(all, func(s feed.Summary) bool { return s.Key.Dashboard > next })
	}
	return all, next, nil
}

// sourcesOf returns the shards of the range, grouped by source. It waits, as long as a call does,
// until each shard has a source, except those that no node has served for a while. It then leaves
// out shards without a source, unless no shard has one.
func (c *Client) sourcesOf(ctx context.Context, first, n int) (map[link.Peer][]int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Wait)
	defer cancel()
	look := time.NewTicker(beatEvery / 5)
	defer look.Stop()
	for {
		by := map[link.Peer][]int{}
		lacking, last := false, -1
		for shard := first; shard < first+n; shard++ {
			if peer, ok := c.cfg.Directory.Source(shard); ok {
				by[peer] = append(by[peer], shard)
				continue
			}
			last = shard
			lacking = lacking || !c.unservedForLong(shard)
		}
		if !lacking && len(by) > 0 || last < 0 {
			return by, nil
		}
		if lacking {
			select {
			case <-look.C:
				continue
			case <-c.ctx.Done():
				return nil, feed.ErrClosed
			case <-ctx.Done():
			}
		}
		if len(by) > 0 {
			return by, nil
		}
		return nil, c.unserved(last)
	}
}
