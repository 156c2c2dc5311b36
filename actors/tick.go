package actors

import (
	"github.com/dashfeed/dashfeed/actors/core"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/messages"
)

// tick appends a tick to the shard's partition.
func (s *shard) tick() {
	s.spawn(&s.work, "the append of a tick", func() {
		if err := s.appendTick(); err != nil && s.life.Err() == nil {
			s.warn("tick", "a tick could not be appended, open windows wait", "error", err)
		}
		s.tell(core.Ticked{})
	})
}

func (s *shard) appendTick() error {
	_, err := s.host.config.Log.Append(s.life, []eventlog.Entry{{Kind: messages.KindTick, Partition: s.number}})
	return err
}
