// Package entries reads a partition's entries as the broker stores them, by Pulsar's own protocol,
// and makes messages of them. Pulsar's client, which does the same, keeps to itself what it can't
// make messages of (what is encrypted or corrupt, has no payload, or is the tail of a chunked
// message whose head it has not seen), without a word; and an entry whose sizes are not true, which
// any producer can write, ends its process.
//
//	r, err := entries.Open(ctx, entries.Options{URL: "pulsar://broker:6650"}, topic, ledger, entry)
//	e, err := r.Next(ctx)         // the entry itself, then those after it
//	all = e.Messages(all[:0])     // each that it says it has: read, or refused
//
// Cursors ask for the last entries of many partitions over one connection a broker, and tell it
// what may go.
//
// A Reader has a connection of its own and no goroutine: what was not asked for waits in the
// connection, so that it is bounded. What the broker keeps to itself (markers, aborted
// transactions, what lies behind the beginning of an open one) it does not give. Whatever stands in
// an entry, it is read within bounds or said to be corrupt, never a panic.
package entries
