// Package fold is the engine: the pure function from a dashboard's log to its state.
package fold
