package pulsar

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/dashfeed/dashfeed/eventlog"
)

// A record of the control topic may carry a change of the cluster's settings: bytes that only
// Config.Settings interprets. It is signed with the cluster's key, since everybody who may write to
// the control topic could otherwise take revocations back. A copy is not told from the original:
// Config.Settings has to ignore it.
const settingsDomain = "dashfeed settings 1"

// MaxSettingBytes bounds one change of the settings.
const MaxSettingBytes = 64 << 10

// setting is a change of the settings in a control record.
type setting struct {
	ID     string `json:"id"` // drawn by the process that made the change
	Change []byte `json:"change"`
	Key    string `json:"key"` // id of the cluster's key
	MAC    string `json:"mac"`
}

func (s *setting) mac(key []byte) string {
	m := hmac.New(sha256.New, derive(key, settingsDomain, sha256.Size))
	m.Write(appendText(appendText(nil, s.ID), string(s.Change)))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// verify returns an error unless one of the keys has signed the change.
func (s *setting) verify(keys [][]byte) error {
	for _, key := range keys {
		if KeyID(key) == s.Key {
			if hmac.Equal([]byte(s.mac(key)), []byte(s.MAC)) {
				return nil
			}
			return errors.New("a change of the settings has a wrong signature")
		}
	}
	return fmt.Errorf("a change of the settings is signed with the key %.40q, which this process has not got", s.Key)
}

// awaited are the changes that this process has written and not read yet. Config.Settings' error of
// each goes to its channel.
type awaited map[string]chan error

// AppendSetting stores a change of the cluster's settings, and returns Config.Settings' error when
// this log has learnt the change. Every other log of the cluster learns it too. ErrUnreachable: it
// is stored, or not.
func (l *Log) AppendSetting(ctx context.Context, change []byte) error {
	if len(l.config.Keys) == 0 {
		return errNoKey
	}
	if len(change) > MaxSettingBytes {
		return fmt.Errorf("%w: a change of the settings of %d bytes is more than the %d allowed", eventlog.ErrTooLarge, len(change), MaxSettingBytes)
	}
	s := &setting{ID: rand.Text(), Change: change, Key: KeyID(l.config.Keys[0])}
	s.MAC = s.mac(l.config.Keys[0])
	learnt := make(chan error, 1)
	l.await(s.ID, learnt)
	defer l.await(s.ID, nil)
	ctx, cancel := context.WithTimeoutCause(ctx, l.config.Timeout, errTimeout)
	defer cancel()
	if err := l.announce(ctx, controlRecord{Version: controlVersion, Settings: s}); err != nil {
		return err
	}
	select {
	case err := <-learnt:
		return err
	case <-ctx.Done():
		return unreachable(context.Cause(ctx))
	case <-l.life.Done():
		return eventlog.ErrClosed
	}
}

// FollowsSettings returns why this log learns no more changes of the settings; nil: it does.
func (l *Log) FollowsSettings() error {
	if failed := l.control.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

func (l *Log) await(id string, learnt chan error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if learnt == nil {
		delete(l.awaited, id)
		return
	}
	if l.awaited == nil {
		l.awaited = awaited{}
	}
	l.awaited[id] = learnt
}

// learnSetting takes a change from the control topic. Only the learner calls it.
func (l *Log) learnSetting(s *setting) error {
	if l.config.Settings == nil {
		return nil
	}
	if err := s.verify(l.config.Keys); err != nil {
		return err
	}
	err := l.config.Settings(slices.Clone(s.Change))
	l.mu.Lock()
	defer l.mu.Unlock()
	if learnt := l.awaited[s.ID]; learnt != nil {
		delete(l.awaited, s.ID)
		learnt <- err
	}
	return nil
}
