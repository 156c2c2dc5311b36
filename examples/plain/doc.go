// Package plain holds the smallest possible clients: connect, listen, parse JSON. Its tests run
// them, under Node and in Chromium, against the built binary.
package plain
