package actors

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// written holds what a logger wrote.
type written struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

// count returns how many lines contain all these words.
func (w *written) count(words ...string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(w.b.String()) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			n++
		}
	}
	return n
}

// An unreachable log causes one warning of the host, however many shards notice it and how often.
// Each shard's own failures are logged at the debug level.
func TestOneWarningWhenTheLogIsAway(t *testing.T) {
	t.Parallel()
	log, said := &mute{}, &written{}
	n := newNode(t, func(c *Config) {
		log.Log, c.Log = c.Log, log
		c.Logger = slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	log.on.Store(true)
	n.until("both shards ask and are not answered", func() bool {
		const what = "does not say where its last record is"
		return said.count(what, "shard=0") > 0 && said.count(what, "shard=1") > 0
	})
	if got := said.count("level=WARN"); got != 1 || said.count("level=WARN", "can't be reached", "shard=", "mute") != 1 {
		t.Errorf("%d warnings, want one that says so:\n%s", got, &said.b)
	}
	log.on.Store(false)
}
