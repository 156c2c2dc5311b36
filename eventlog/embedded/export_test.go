package embedded

// Settle flushes, so that a benchmark of reads does not include earlier writes.
func (l *Log) Settle() error { return l.dir.DB.Flush() }
