package actors

import (
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// tick appends a tick to the shard's partition.
func (s *shard) tick() {
	s.spawn(&s.work, "the append of a tick", func() {
		s.tell(&ticked{s.appendTick()})
	})
}

func (s *shard) appendTick() error {
	_, err := s.host.config.Log.Append(s.life, []eventlog.Entry{{Kind: messages.KindTick, Partition: s.number}})
	return err
}

func (s *shard) endTick(m *ticked) {
	s.core.Ticked()
	if m.err != nil && s.life.Err() == nil {
		s.warn("tick", "a tick could not be appended, open windows wait", "error", m.err)
	}
}
