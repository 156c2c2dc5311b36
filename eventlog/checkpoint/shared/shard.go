package shared

import (
	"context"
	"sync"
)

// shard is what the store knows of one shard. Lock io before mu.
type shard struct {
	number int

	io     sync.Mutex // one load, publish or release at a time
	leader Leader     // nil: not taken yet, or released

	mu      sync.Mutex
	settled bool // half is known
	half    int  // 0 or 1: the one of its two scratch shards to read from
	writing bool
	leads   bool
	stop    context.CancelFunc // of the running publish
	err     error              // why the last checkpoint was not published
}

// scratchNumber returns the shard's number in the scratch store.
func scratchNumber(number, half int) int { return 2*number + half }

// lead stores whether this process leads and reports whether that changed. If it no longer leads,
// lead cancels a running publish.
func (sh *shard) lead(lead bool) (changed bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	changed, sh.leads = sh.leads != lead, lead
	if !lead {
		sh.err = nil
		if sh.stop != nil {
			sh.stop()
		}
	}
	return changed
}

// publishing begins a publish; ok is false if this process does not lead.
func (sh *shard) publishing(stop context.CancelFunc) (ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.leads {
		sh.stop = stop
	}
	return sh.leads
}

// published ends a publish. known is the error logged before; an error due to releasing the shard
// counts as none.
func (sh *shard) published(err error) (known, told error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.stop = nil
	known = sh.err
	if !sh.leads {
		err = nil
	}
	sh.err = err
	return known, err
}

func (sh *shard) trouble() error {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.err
}

// release releases the place's leader; the caller holds sh.io.
func (sh *shard) release() error {
	if sh.leader == nil {
		return nil
	}
	l := sh.leader
	sh.leader = nil
	return l.Close()
}
