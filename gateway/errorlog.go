package gateway

import (
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// repeatTime is how long a repeated error is counted instead of logged. repeatKinds is how many
// kinds of errors are distinguished.
const (
	repeatTime  = time.Minute
	repeatKinds = 100
)

// ErrorLog returns a log for an http.Server, which logs each failure to accept a connection. The
// same error is logged once a minute, with the number of repetitions. Errors are the same if they
// differ in digits only.
func ErrorLog(l *slog.Logger) *log.Logger {
	return log.New(&repeats{log: l, kinds: map[string]*repeat{}}, "", 0)
}

type repeats struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[string]*repeat
}

// repeat is one kind of error.
type repeat struct {
	told time.Time
	more int // repetitions since told
}

// Write takes one line.
func (r *repeats) Write(b []byte) (int, error) {
	line := strings.TrimSpace(string(b))
	kind := strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, line)
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.kinds[kind]
	if k == nil {
		if len(r.kinds) >= repeatKinds {
			clear(r.kinds)
		}
		k = &repeat{}
		r.kinds[kind] = k
	}
	if time.Since(k.told) < repeatTime {
		k.more++
		return len(b), nil
	}
	if k.more > 0 {
		r.log.Warn(line, "repeated", k.more)
	} else {
		r.log.Warn(line)
	}
	*k = repeat{told: time.Now()}
	return len(b), nil
}
