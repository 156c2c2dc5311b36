// Package fold is the engine: the pure function from a dashboard's log to its state.
// docs/SEMANTICS.md specifies it; comments cite its rules by number (S1, S2, …).
//
//	p, err := fold.Compile(definition.Default("acme"), fold.Builtin())
//	d := fold.New(messages.Key{Tenant: "acme", Dashboard: "checkout"}, "local", p)
//	d.Event(fold.At{Position: pos, LogTime: now, Append: now}, &e) // one step
//	d.Advance(now)                                                // deadlines up to a log time
//	u, ok := d.Since(0)                                           // what changed
//	b := d.Append(nil) // the state; fold.Decode reads it
//
// Promises:
//
//  1. The same records give the same bytes of Append and the same version, whatever the batches,
//     restarts, reads and the moments at which Advance is called. No clock, lock, goroutine, random
//     number or map order takes part.
//  2. Constants of this package and the definition bound records, counters, lists, cells, groups,
//     ids and samples. What happens at a bound is counted.
//  3. In steady state an event allocates nothing. A row is written when it is read, not when an
//     event touches it.
//
// One goroutine at a time may use a Dashboard. A Program is immutable and shared. If Event panics
// (an aggregate did), the Dashboard is unusable: load its last state, replay up to the record and
// call SetAside for the record; Shard shows how.
//
// Where to find things: event.go judges an event and hands it to the panels; kind.go lists the
// kinds of window, and tumbling.go, hopping.go, session.go, count.go and latest.go implement them;
// windows.go makes windows final, purges and drops them; newcell.go creates cells and decides what
// overflows; rows.go writes rows; define.go changes the definition; codec.go is the canonical form
// of the state.
package fold
