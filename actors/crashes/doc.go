// Package crashes records, beyond the end of a process, which log records each of its shards was
// working on when the process ended. So a batch that ends the process repeatedly is not read
// forever.
//
//	file, err := crashes.Open("scratch/crashes", name)
//	mark := file.Shard(3)
//	span, ends := mark.Suspect() // three ends or more: do not load the shard
//	mark.At(crashes.Span{After: p, Through: q}, false) // these records are being folded
//	mark.Idle()                                        // they are folded, and nothing else waits
//	file.Ending() // the process was told to end: its shards are not suspected
//
// An end counts for a shard if the shard was working on records and nobody had told the process to
// end. Two ends belong to the same batch if their spans overlap, since batches are cut anew at each
// start. Only the overlap is kept, so that the suspicion narrows. A span without overlap starts a
// new count.
//
// The file outlives the process, but not the machine: it is mapped into memory, a mark costs less
// than a microsecond, and nothing is synced. It begins with a header and has one block for each
// shard:
//
//	block   crc32c[4] flags[4] name[16] at[32] suspect[32] ends[4] unused[4]    96 bytes
//	header  the same, with the format's name in the place of a shard's, and whether the process was told to end
//
// Numbers are little-endian; a span is four numbers of 8 bytes; a name is the first half of a
// SHA-256. A block whose checksum is wrong, as after a crash of the machine, is ignored.
package crashes
