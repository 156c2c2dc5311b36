package actors

import (
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog/checkpoint"
	"github.com/dashfeed/dashfeed/messages"
)

// savingJob is a checkpoint under way. Its entries stay awake until it ends.
type savingJob struct {
	marker checkpoint.Marker
	put    []*entry // dashboards changed since the last checkpoint
	// dashboards written in the last checkpoint and not changed since: each slot needs them
	again []messages.Key
	mend  []messages.Key // dashboards whose entry in the last checkpoint is corrupt

	leading bool               // the checkpoint may count for other hosts
	waits   map[*entry][]int64 // log times that the windows of written dashboards wait for

	home chan struct{} // closed when every record up to the marker that had to be forwarded is stored
}

// beginCheckpoint starts a checkpoint. Its marker is the shard's position now: each dashboard
// receives the request for its state after all records up to that position.
func (s *shard) beginCheckpoint(e core.Effect) {
	job := &savingJob{marker: checkpoint.Marker{Position: e.At, State: s.state.Append(nil)}, put: s.dirty, leading: e.Leading, home: make(chan struct{})}
	for _, e := range job.put {
		e.dirty, e.saving = false, true
	}
	for _, k := range s.written {
		if e := s.entries[k]; e == nil || !e.saving {
			job.again = append(job.again, k)
		}
	}
	s.dirty, s.job = nil, job
	logTime := s.state.LogTime()
	s.spawn(&s.work, "the saver", func() { s.tell(&saved{job, s.save(job, logTime)}) })
}

// endCheckpoint completes the checkpoint under way. If it failed, its dashboards are written by the
// next regular checkpoint.
func (s *shard) endCheckpoint(m *saved) {
	s.job = nil
	for _, e := range m.job.put {
		e.saving = false
		if m.err != nil {
			s.mark(e)
		}
	}
	for _, k := range m.job.mend {
		s.mend(k)
	}
	if m.err != nil {
		s.host.tallies.failedCheckpoints.Add(1)
		s.warn("checkpoint", "the checkpoint could not be written, it is tried again", "error", m.err)
	} else {
		s.host.tallies.checkpoints.Add(1)
		s.written = nil
		for _, e := range m.job.put {
			s.written = append(s.written, e.key)
			e.waits = m.job.waits[e]
		}
		marker := m.job.marker // a copy, because the job holds entries
		s.known.base, s.known.saved = &marker, s.host.now()
	}
	s.core.Saved(s.look(), m.err == nil)
}

// mend has a dashboard with a corrupt entry written again. Waking restores it from the entry before
// and the log.
func (s *shard) mend(k messages.Key) {
	s.host.tallies.corrupt.Add(1)
	e := s.entry(k)
	s.wake(e)
	s.mark(e)
}

// save writes the checkpoint on a goroutine of its own. It collects the dashboards' states a few at
// a time: encoded states take memory, and a dashboard does not fold while it encodes.
func (s *shard) save(job *savingJob, logTime int64) (err error) {
	w, err := s.host.config.Checkpoints.Begin(s.number)
	if err != nil {
		return fmt.Errorf("begin checkpoint: %w", err)
	}
	if err := s.write(w, job, logTime); err != nil {
		return errors.Join(err, w.Abort())
	}
	select {
	case <-job.home:
	case <-s.life.Done():
	}
	if err := s.life.Err(); err != nil { // folds may have been cut short
		return errors.Join(err, w.Abort())
	}
	released, err := w.Commit(job.marker)
	if err != nil {
		return fmt.Errorf("commit checkpoint at %s: %w", job.marker.Position, err)
	}
	if released.IsZero() || !job.leading || !s.owned.Load() {
		return nil
	}
	if err := s.host.config.Log.Release(s.number, released); err != nil {
		s.warn("release", "the log was not told what it may drop", "position", released, "error", err)
	}
	return nil
}

func (s *shard) write(w checkpoint.Writer, job *savingJob, logTime int64) error {
	s.writing.Store(true)
	defer s.writing.Store(false)
	job.waits = map[*entry][]int64{}
	const inFlight = 32
	replies := make(chan savingReply, inFlight)
	for asked, written := 0, 0; written < len(job.put); written++ {
		for ; asked < len(job.put) && asked-written < inFlight; asked++ {
			s.host.root.Send(job.put[asked].pid, &saving{job.put[asked], logTime, replies})
		}
		var r savingReply
		select {
		case r = <-replies:
		case <-s.life.Done():
			return s.life.Err()
		}
		if err := putReply(w, r); err != nil {
			return fmt.Errorf("write %s to the checkpoint: %w", r.key, err)
		}
		if len(r.waits) > 0 {
			job.waits[r.saved] = r.waits
		}
		s.progress.Add(1)
	}
	var errs []error
	for _, k := range job.again {
		err := w.Again(k)
		if errors.Is(err, checkpoint.ErrCorrupt) {
			job.mend = append(job.mend, k)
			errs = append(errs, err)
		} else if err != nil {
			return fmt.Errorf("write %s to the checkpoint again: %w", k, err)
		}
	}
	return errors.Join(errs...)
}

func putReply(w checkpoint.Writer, r savingReply) error {
	switch {
	case r.err != nil:
		return r.err
	case r.buffer != nil:
		defer states.Put(r.buffer)
		return w.Put(r.entry)
	case !r.empty:
		return w.Put(r.entry)
	}
	if err := w.Again(r.key); err != nil && !errors.Is(err, checkpoint.ErrNone) && !errors.Is(err, checkpoint.ErrCorrupt) {
		return err
	}
	return nil
}
