package embedded

// Settle flushes, so that a benchmark of reading does not pay for what was written before.
func (l *Log) Settle() error { return l.dir.DB.Flush() }
