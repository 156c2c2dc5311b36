// Package dashfeed is the root of the house: it holds no code, only the test that keeps the floors.
// Read docs/ARCHITECTURE.md for the way of an event and messages/doc.go for the words.
package dashfeed
