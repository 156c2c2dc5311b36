package shared

import (
	"context"
	"sync"
)

// shard is what the store knows of one shard. io is locked before mu.
type shard struct {
	number int

	io     sync.Mutex // one load, publish or letting go at a time
	leader Leader     // nil: not taken yet, or given up

	mu      sync.Mutex
	settled bool // half is known
	half    int  // 0 or 1: which of its two shards in the scratch store is read
	writing bool
	leads   bool
	stop    context.CancelFunc // of the publish under way
	err     error              // why the last checkpoint was not published
}

// scratchNumber is the shard's number in the scratch store.
func scratchNumber(number, half int) int { return 2*number + half }

// lead notes who leads and reports whether that is news. Where it leads no more, a publish under
// way is given up.
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

// publishing begins a publish; ok is false where this process does not lead.
func (sh *shard) publishing(stop context.CancelFunc) (ok bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.leads {
		sh.stop = stop
	}
	return sh.leads
}

// published ends it. known is the error told before; one that came of giving the shard up is none.
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

// letGo is called with sh.io held.
func (sh *shard) letGo() error {
	if sh.leader == nil {
		return nil
	}
	l := sh.leader
	sh.leader = nil
	return l.Close()
}
