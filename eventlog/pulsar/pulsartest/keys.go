package pulsartest

import "bytes"

// Keys returns the keys of a cluster for tests. Processes and logs of one cluster need the same
// keys.
func Keys() [][]byte { return [][]byte{bytes.Repeat([]byte{7}, 32)} }
