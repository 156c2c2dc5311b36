// Package entries reads a partition's entries as the broker stores them, by Pulsar's own protocol. Pulsar's client makes messages of
// them and keeps to itself what it can't: what is encrypted or corrupt, has no payload, or is the tail of a chunked message whose head
// it has not seen; it does not even say that something was there. A log needs to know.
//
//	r, err := entries.Open(ctx, entries.Options{URL: "pulsar://broker:6650"}, topic, ledger, entry)
//	e, err := r.Next(ctx)         // the entry itself, then those after it
//	for _, m := range e.Messages() { … }
//
// It is for a look at some entries, not for speed: a Reader has a connection of its own, and no goroutine. What the broker keeps
// to itself (markers, aborted transactions) it does not give. Whatever stands in an entry, it is read within bounds or said to
// be corrupt, never a panic.
package entries
