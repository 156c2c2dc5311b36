package fold_test

import (
	"testing"

	"pgregory.net/rapid"
)

// The engine answers what the reference answers: after every record of random logs under random definitions.
func TestWindowsAgainstReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := scripts(10, 70).Draw(rt, "log")
		p := newPair(wrap(t, rt), s.first)
		for i := range s.steps {
			p.fold(&s.steps[i])
			p.check()
		}
		p.logTime += 300_000 // whatever idles becomes final
		p.check()
	})
}

// The reader's habits make no difference: here only some records are followed by a reading.
func TestWindowsReadSeldom(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, d := scripts(10, 200).Draw(rt, "log"), chances(rt)
		p := newPair(wrap(t, rt), s.first)
		for i := range s.steps {
			p.fold(&s.steps[i])
			if d.often(3) {
				p.check()
			}
		}
		p.check()
	})
}

// bound lets a rapid.T stand where a testing.TB is asked for: failures are rapid's, so that it shrinks them.
type bound struct {
	testing.TB
	rt *rapid.T
}

func wrap(t *testing.T, rt *rapid.T) testing.TB { return bound{t, rt} }

func (b bound) Helper()                   {}
func (b bound) Fatal(args ...any)         { b.rt.Fatal(args...) }
func (b bound) Fatalf(f string, a ...any) { b.rt.Fatalf(f, a...) }
func (b bound) Errorf(f string, a ...any) { b.rt.Errorf(f, a...) }
func (b bound) Logf(f string, a ...any)   { b.rt.Logf(f, a...) }
