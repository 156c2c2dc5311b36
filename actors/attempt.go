package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/messages"
)

// ErrCrashes says that the process has ended again and again while it read or folded the same
// records of a shard.
var ErrCrashes = errors.New("the process has ended again and again at the same records")

const (
	// mostEnds is how often a process may end at the same records before they are not read again.
	mostEnds = 3
	// endsToSuspect is how often it has ended there when the shard is read with care: alone, and a
	// record at a time, so that the shards that were at records at the same moments are not blamed,
	// and one record is.
	endsToSuspect = mostEnds - 1
)

// attempt tells the file of crashes what the shard is at. The reader and the actor both use it.
type attempt struct {
	mark *crashes.Shard // nil: nobody is told

	mu     sync.Mutex
	span   crashes.Span // what earlier processes ended at
	ends   int          // how often; 0: never
	sent   messages.Position
	folded messages.Position
	// the log goes as far as this: until then the shard is at records while it reads
	to   messages.Position
	wary bool // until then it reads nothing before all that it has read is folded
	// records that are still to be read with care, where the span's end is not known
	care    int
	settled chan struct{} // closed when all that was sent is folded; nil: nobody waits
	release func()        // lets another suspect go on
}

// from begins behind the position. Where the log is known to go on, to is how far: then the shard
// is at records already while it reads. A batch is so many records at most.
func (p *attempt) from(at, to messages.Position, batch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.folded, p.to, p.wary, p.care = at, at, to, p.ends > 0, batch
	p.tell()
}

// send says that so many records up to there are on their way to the dashboards.
func (p *attempt) send(records int, through messages.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.careful() {
		p.care -= records
	}
	p.sent = through
	p.tell()
}

// fold says that all records up to there are folded.
func (p *attempt) fold(folded messages.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.folded = folded
	if p.ends > 0 && p.passed() {
		p.clear()
	}
	p.tell()
	if p.settled != nil && !p.sent.After(p.folded) {
		close(p.settled)
		p.settled = nil
	}
}

// tell is called with mu held.
func (p *attempt) tell() {
	switch {
	case p.sent.After(p.folded):
		p.mark.At(crashes.Span{After: p.folded, Through: p.sent}, p.careful())
	case p.to.After(p.folded):
		p.mark.At(crashes.Span{After: p.folded}, p.careful())
	default:
		p.mark.Idle()
	}
}

// careful reports whether the shard is where the process has ended so often that a record is read
// at a time. It is called with mu held.
func (p *attempt) careful() bool { return p.ends >= endsToSuspect && !p.span.After.After(p.folded) }

// passed reports whether the shard has come behind the span. It is called with mu held.
func (p *attempt) passed() bool {
	if p.ends >= endsToSuspect && p.span.Through.IsZero() && p.care > 0 && p.to.After(p.folded) {
		return false // what ended the process may be any record of the batch that was read
	}
	return p.span.Passed(p.folded)
}

// clear lets go of the suspicion. It is called with mu held.
func (p *attempt) clear() {
	p.ends = 0
	p.mark.Clear()
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// stop says that nothing is read any more.
func (p *attempt) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.to = p.folded, p.folded
	p.tell()
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// forgive has the shard begin without a suspicion: an operator says so.
func (p *attempt) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// suspect is what has to be read with care; ok is false where nothing has.
func (p *attempt) suspect() (span crashes.Span, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.span, p.ends >= endsToSuspect
}

// blamed reports whether the process has ended at records that the shard has not folded.
func (p *attempt) blamed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ends > 0
}

// settle waits until all that was sent is folded, where the shard does not read ahead.
func (p *attempt) settle(ctx context.Context) error {
	p.mu.Lock()
	p.wary = p.wary && p.to.After(p.sent)
	if !p.wary || !p.sent.After(p.folded) {
		p.mu.Unlock()
		return nil
	}
	if p.settled == nil {
		p.settled = make(chan struct{})
	}
	settled := p.settled
	p.mu.Unlock()
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// alone waits until no other shard of the host that is under suspicion reads, and holds the others
// up until this one has come behind its span or ends.
func (p *attempt) alone(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release = func() { <-turn }
	return nil
}

// crashed is why a shard is not loaded that stands at the position, or nil.
func (s *shard) crashed(at messages.Position) error {
	p := &s.attempt
	p.mu.Lock()
	defer p.mu.Unlock()
	p.span, p.ends = p.mark.Suspect()
	if p.ends > 0 && p.span.Passed(at) {
		p.clear()
	}
	if p.ends < mostEnds || s.loss.state == lossSkipped {
		return nil
	}
	which := "these records"
	if p.span.Through.IsZero() {
		which = "all that the log has behind there, since it is not known which record it was,"
	}
	return fmt.Errorf("stopped at position %s: %w: %d times %s; it is not read again until `dashfeed shard retry %d`, "+
		"which helps where the process had another reason to end, or accept the loss of %s to go on as a new epoch",
		p.span.After, ErrCrashes, p.ends, p.span, s.number, which)
}

// takeCare has the shard read what the process has ended at while no other shard does so. It
// reports whether it may read. Where a shard is to be read with care, those that the process has
// ended at once take turns with it: one of them may be to blame, and would end it once more.
func (s *shard) takeCare(ctx context.Context, at messages.Position) bool {
	p := &s.attempt
	if s.host.config.Crashes.MostEnds() >= endsToSuspect && p.blamed() && s.loss.state != lossSkipped {
		if p.alone(ctx, s.host.suspects) != nil {
			return false
		}
	}
	var to messages.Position
	if s.host.config.Crashes.Unclean() {
		to, _ = s.last(ctx) // where it can't be told, the shard is at records when it has some
	}
	p.from(at, to, s.host.config.BatchRecords)
	return true
}
