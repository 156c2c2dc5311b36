package pulsar_test

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/pulsar"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

// followed collects the changes of settings that one log learns.
type followed struct {
	mu  sync.Mutex
	all []string
	got chan string
}

var errOdd = errors.New("an odd change")

func (f *followed) learn(b []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, string(b))
	select {
	case f.got <- string(b):
	default:
	}
	if string(b) == "odd" {
		return errOdd
	}
	return nil
}

func follows(f *followed) func(*pulsar.Config) {
	return func(c *pulsar.Config) { c.Settings = f.learn }
}

// Every process of the cluster learns each change once and in the same order, a later one when it
// starts. A process with another key learns none of them, and its own changes are not theirs.
func TestSettings(t *testing.T) {
	c := pulsartest.Start(t, pulsartest.Options{})
	one, two := &followed{}, &followed{got: make(chan string, 8)}
	a := open(t, c, follows(one))
	open(t, c, follows(two))
	for _, change := range []string{"first", "odd", "last"} {
		err := a.AppendSetting(t.Context(), []byte(change))
		if change == "odd" != errors.Is(err, errOdd) || change != "odd" && err != nil {
			t.Fatalf("%s: %v", change, err)
		}
	}
	if err := a.AppendSetting(t.Context(), bytes.Repeat([]byte("x"), pulsar.MaxSettingBytes+1)); !errors.Is(err, eventlog.ErrTooLarge) {
		t.Errorf("too large: %v", err)
	}
	stranger := &followed{}
	forger := open(t, c, follows(stranger), func(c *pulsar.Config) { c.Keys = [][]byte{bytes.Repeat([]byte{8}, pulsar.KeyBytes)} })
	if err := forger.AppendSetting(t.Context(), []byte("forged")); err != nil {
		t.Fatal(err)
	}
	if err := a.AppendSetting(t.Context(), []byte("after")); err != nil {
		t.Fatal(err)
	}
	const want = "first odd last after"
	for range 4 {
		<-two.got
	}
	late := &followed{}
	open(t, c, follows(late))
	for name, f := range map[string]*followed{"the writer": one, "the other": two, "a later one": late} {
		if f.mu.Lock(); strings.Join(f.all, " ") != want {
			t.Errorf("%s learnt %q, want %s", name, f.all, want)
		}
		f.mu.Unlock()
	}
	if stranger.mu.Lock(); strings.Join(stranger.all, " ") != "forged" {
		t.Errorf("a process with another key learnt %q", stranger.all)
	}
	stranger.mu.Unlock()
}
