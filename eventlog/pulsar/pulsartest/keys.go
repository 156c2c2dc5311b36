package pulsartest

import "bytes"

// Keys are a cluster's keys for tests: processes and logs that are to understand each other are
// given the same.
func Keys() [][]byte { return [][]byte{bytes.Repeat([]byte{7}, 32)} }
