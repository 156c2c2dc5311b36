// Package dashfeed is the root of the module. It has no code, only the tests that check the layers
// and the comments. docs/ARCHITECTURE.md describes the path of an event, messages/doc.go the terms.
package dashfeed
