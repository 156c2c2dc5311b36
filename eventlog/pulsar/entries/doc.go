// Package entries reads a partition's entries as the broker stores them, by Pulsar's own protocol,
// and decodes their messages. Pulsar's client does the same, but it drops without a word what it
// can't decode: messages that are encrypted or corrupt or have no payload, and the last chunk of a
// message whose first chunk it has not seen. And it panics, which ends the process, on an entry
// with wrong sizes, which any producer can write.
//
//	r, err := entries.Open(ctx, entries.Options{URL: "pulsar://broker:6650"}, topic, ledger, entry)
//	e, err := r.Next(ctx)         // the entry itself, then those after it
//	all = e.Messages(all[:0])     // each message that the entry announces: decoded, or refused
//
// Cursors ask for the last entries of many partitions over one connection per broker, and tell the
// broker which entries it may drop.
//
// A Reader has its own connection and no goroutine: what was not asked for yet waits in the
// connection, so that it is bounded. A Reader does not return what the broker does not send to
// anybody: markers, aborted transactions, and what follows the beginning of an open transaction.
// Whatever an entry holds, reading it stays within bounds and either succeeds or finds it corrupt;
// it never panics.
package entries
