package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Why gossip can't be had with others; Err wraps them.
var (
	// ErrWrongKey: the other side can't read what this one encrypts, or the other way round.
	ErrWrongKey = errors.New("gossip keys differ: give all members the same keys, or add the new key everywhere before one uses it")
	// ErrOtherCluster: the other side closed without a word, as one does that belongs to a cluster
	// of another name.
	ErrOtherCluster = errors.New("no answer: probably a cluster of another name is there; compare the cluster names, and the seeds")
)

// whyNot finds the reason in what memberlist says of a join; nil where the others simply aren't
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

// ears listen to memberlist's chat for what an operator should know. It is an io.Writer, one line a
// call.
type ears struct {
	logger  *slog.Logger
	cluster string

	mu   sync.Mutex
	last map[string]time.Time // by message: when it was last said
}

// Write implements io.Writer.
func (e *ears) Write(line []byte) (int, error) {
	s := strings.TrimSpace(string(line))
	switch {
	case strings.Contains(s, "unacceptable label"), strings.Contains(s, "label header"):
		e.warn(fmt.Sprintf("gossip of another cluster is refused; this one is %q", e.cluster))
	case strings.Contains(s, "decrypt"), strings.Contains(s, "Decrypt"), strings.Contains(s, "not encrypted"), strings.Contains(s, "encryption is not configured"):
		e.warn("gossip that can't be decrypted is refused: " + ErrWrongKey.Error())
	default:
		e.logger.Debug("gossip", "line", s)
	}
	return len(line), nil
}

// warn says a thing at most every half minute; the addresses are in the debug log.
func (e *ears) warn(message string) {
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
