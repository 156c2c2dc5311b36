package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// The reasons why gossip with others fails; Err wraps them.
var (
	// ErrWrongKey means that one side cannot decrypt what the other encrypts.
	ErrWrongKey = errors.New("gossip keys differ: give all members the same keys, or add the new key on every member before any member uses it")
	// ErrOtherCluster means that the other side closed the connection without an answer, as a
	// member of a cluster with another name does.
	ErrOtherCluster = errors.New("no answer: the other side probably belongs to a cluster with another name; compare the cluster names and the seeds")
)

// whyNot finds the reason in memberlist's error about a join; nil if the others are simply not
// there.
func whyNot(err error) error {
	switch s := err.Error(); {
	case strings.Contains(s, "decrypt"), strings.Contains(s, "encrypt"):
		return ErrWrongKey
	case strings.Contains(s, "EOF"), strings.Contains(s, "closed pipe"), strings.Contains(s, "reset by peer"):
		return ErrOtherCluster
	}
	return nil
}

// gossipLog is an io.Writer for memberlist's log, one line per call. It picks out what an operator
// should know.
type gossipLog struct {
	logger  *slog.Logger
	cluster string

	mu   sync.Mutex
	last map[string]time.Time // when each message was last logged
}

// Write implements io.Writer.
func (e *gossipLog) Write(line []byte) (int, error) {
	s := strings.TrimSpace(string(line))
	switch {
	case strings.Contains(s, "unacceptable label"), strings.Contains(s, "label header"):
		e.warn(fmt.Sprintf("refused gossip of another cluster; this one is %q", e.cluster))
	case strings.Contains(s, "decrypt"), strings.Contains(s, "Decrypt"), strings.Contains(s, "not encrypted"), strings.Contains(s, "encryption is not configured"):
		e.warn("refused gossip that cannot be decrypted: " + ErrWrongKey.Error())
	default:
		e.logger.Debug("gossip", "line", s)
	}
	return len(line), nil
}

// warn logs a message at most every half minute; the addresses are in the debug log.
func (e *gossipLog) warn(message string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last, ok := e.last[message]; ok && time.Since(last) < 30*time.Second {
		return
	}
	if e.last == nil || len(e.last) > 100 {
		e.last = map[string]time.Time{}
	}
	e.last[message] = time.Now()
	e.logger.Warn(message)
}
