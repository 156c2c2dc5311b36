package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/messages"
)

// ErrCrashes says that the process has ended repeatedly while it read or folded the same records of
// a shard.
var ErrCrashes = errors.New("the process has ended again and again at the same records")

const (
	// mostEnds is how often a process may end at the same records before they are not read again.
	mostEnds = 3
	// endsToSuspect is the number of ends at the same records after which the shard is read with
	// care: one shard at a time, and one record at a time. This identifies the one record to blame,
	// and does not blame other shards that were reading at the same moments.
	endsToSuspect = mostEnds - 1
)

// attempt records in the file of crashes which records the shard is reading or folding. The reader
// and the actor both use it.
type attempt struct {
	mark *crashes.Shard // nil: nothing is recorded

	mu     sync.Mutex
	span   crashes.Span // the records at which earlier processes ended
	ends   int          // how often processes ended there; 0: never
	sent   messages.Position
	folded messages.Position
	// to is the last known position of the log. Until the shard has folded up to there, reading
	// counts as working on records.
	to   messages.Position
	wary bool // until then, it reads only after everything read before is folded
	// how many records are still to be read with care if the span's end is unknown
	care    int
	settled chan struct{} // closed when everything sent is folded; nil: nobody waits
	release func()        // lets another suspected shard continue
}

// from starts behind the position at. If the log is known to have more records, to is the last
// known position: then reading already counts as working on records. batch is the most records in a
// batch.
func (p *attempt) from(at, to messages.Position, batch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent, p.folded, p.to, p.wary, p.care = at, at, to, p.ends > 0, batch
	p.tell()
}

// send notes that records up to through are on their way to the dashboards.
func (p *attempt) send(records int, through messages.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.careful() {
		p.care -= records
	}
	p.sent = through
	p.tell()
}

// fold notes that all records up to folded are folded.
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

// tell updates the mark. Call it with mu held.
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

// careful reports whether the shard is where the process has ended so often that records are read
// one at a time. Call it with mu held.
func (p *attempt) careful() bool { return p.ends >= endsToSuspect && !p.span.After.After(p.folded) }

// passed reports whether the shard has folded the span. Call it with mu held.
func (p *attempt) passed() bool {
	if p.ends >= endsToSuspect && p.span.Through.IsZero() && p.care > 0 && p.to.After(p.folded) {
		return false // any record of the batch that was read may have ended the process
	}
	return p.span.Passed(p.folded)
}

// clear drops the suspicion. Call it with mu held.
func (p *attempt) clear() {
	p.ends = 0
	p.mark.Clear()
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// stop notes that nothing is read any more.
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

// forgive clears the suspicion because an operator asked for it.
func (p *attempt) forgive() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// suspect returns the span to read with care. ok is false if there is none.
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

// settle waits until everything sent is folded, if the shard must not read ahead.
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

// alone waits until no other suspected shard of the host reads. It then blocks the others until
// this shard has folded its span or ends.
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

// crashed returns why a shard at the position is not loaded because of crashes, or nil.
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

// takeCare prepares the shard for reading the records at which the process has ended, and reports
// whether it may read. If any shard must be read with care, all shards at which the process has
// ended take turns: one of them may be to blame and would end the process once more.
func (s *shard) takeCare(ctx context.Context, at messages.Position) bool {
	p := &s.attempt
	if s.host.config.Crashes.MostEnds() >= endsToSuspect && p.blamed() && s.loss.state != lossSkipped {
		if p.alone(ctx, s.host.suspects) != nil {
			return false
		}
	}
	var to messages.Position
	if s.host.config.Crashes.Unclean() {
		// without an answer, the shard counts as working on records once it has read some
		to, _ = s.last(ctx)
	}
	p.from(at, to, s.host.config.BatchRecords)
	return true
}
