package embedded_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/eventlog/eventlogtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// storage maps each open log to its configuration, so that the suite can reopen it.
type storage map[eventlog.Log]embedded.Config

func (s storage) open(t *testing.T, c embedded.Config) eventlog.Log {
	t.Helper()
	l, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	s[l] = c
	return l
}

func (s storage) reopen(t *testing.T, l eventlog.Log) eventlog.Log {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return s.open(t, s[l])
}

func TestSuite(t *testing.T) {
	s := storage{}
	eventlogtest.Run(t, eventlogtest.Subject{
		Open: func(t *testing.T) eventlog.Log {
			c := embedded.Default(t.TempDir())
			c.Partitions = 3
			return s.open(t, c)
		},
		Reopen: s.reopen,
	})
}
