// Package crashes remembers, beyond the end of a process, which records each of its shards was at
// when it ended, so that a batch which ends the process again and again is not read for ever.
//
//	file, err := crashes.Open("scratch/crashes", name)
//	mark := file.Shard(3)
//	span, ends := mark.Suspect() // three ends or more: do not load it
//	mark.At(crashes.Span{After: p, Through: q}, false) // these records are being folded
//	mark.Idle()                                        // they are folded, and nothing else waits
//	file.Ending() // the process was told to end: what it is at is no suspect
//
// An end counts for a shard that was at records, of a process that nobody had told to end. The
// spans of two ends are the same batch where they have records in common, since batches are cut
// anew at each start; what they have in common is kept, so that the suspicion narrows. Another span
// begins to count anew.
//
// The file outlives the process and not the machine: it is mapped into memory, a mark costs less
// than a microsecond, and nothing is synced. It begins with a header and has one block for each
// shard:
//
//	block   crc32c[4] flags[4] name[16] at[32] suspect[32] ends[4] unused[4]    96 bytes
//	header  the same, with the format's name in the place of a shard's, and whether the process was told to end
//
// Numbers are little-endian; a span is four of 8 bytes; a name is the first half of a SHA-256. A
// block whose checksum is wrong, as after a crash of the machine, knows nothing.
package crashes
