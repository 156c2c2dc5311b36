package embedded

import (
	"errors"
	"fmt"
)

// Wipe drops everything of the shard. It returns an error while a Writer of the shard is open.
func (s *Store) Wipe(number int) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.using.RUnlock()
	sh, err := s.shard(number)
	if err != nil {
		return err
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.writing {
		return fmt.Errorf("wipe shard %d: a checkpoint of it is neither committed nor aborted", number)
	}
	sh.current, sh.carry, sh.marks = none, true, [2]*mark{}
	b := s.dir.DB.NewBatch()
	for _, space := range []byte{markerSpace, headSpace, bodySpace} {
		err = errors.Join(err, b.DeleteRange(shardKey(space, number), shardKey(space, number+1), nil))
	}
	if err == nil {
		err = s.dir.Commit(b, s.writing)
	}
	if err != nil {
		return fmt.Errorf("wipe shard %d: %w", number, err)
	}
	return nil
}
