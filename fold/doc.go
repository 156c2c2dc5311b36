// Package fold is the engine: the pure function from a dashboard's log to its state.
// docs/SEMANTICS.md says what it answers; its rules are cited by their numbers (S1, S2, …).
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
//  2. Records, counters, lists, cells, groups, ids and samples are bounded by constants of this
//     package and by the definition; what happens at a bound is counted.
//  3. In steady state an event costs no allocation. A row is written when it is read, not when an
//     event touches it.
//
// A Dashboard is used by one goroutine at a time. A Program is immutable and shared. If Event
// panics (an aggregate did), the Dashboard is unusable: load its last state, replay up to the
// record and call SetAside for it; Shard shows how.
//
// Where things are: event.go judges an event and hands it to the panels; tumbling.go, hopping.go,
// session.go, count.go and latest.go are the kinds of window; windows.go makes windows final,
// purges and drops them; birth.go makes cells and decides who overflows; rows.go writes rows;
// define.go changes the definition; codec.go is the state's canonical form.
package fold
