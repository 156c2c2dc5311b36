// Package gateway serves clients: WebSocket sessions, the plain dialect, and reading and listing
// over HTTP. It is stateless: all it holds can be rebuilt from a feed.Feed, which is all it knows
// of owners.
//
//	s, err := gateway.New(gateway.Config{Feed: host, Events: events, Definitions: definitions})
//	go s.Serve(listener)
//	…
//	err = s.Shutdown(ctx) // closes the sessions with 1012 and joins them
//
// One upstream subscription per dashboard fills a mirror, however many sessions show it. Sessions
// that get the same bytes form a cohort, for which an update is encoded once. A session is a cursor
// and a dirty flag. It has no queue, so a slow client is a cursor that moves later and costs O(1).
//
// A caller is the client of a request. It is made in one place, before a handler runs (routes.go),
// and every handler takes it. A session keeps the caller that opened it. Every access to a
// dashboard calls its may.
//
// A cohort keeps the payloads of messages, in the form of its dialect. A transport frames them as
// it writes. A session knows its connection only as a transport.
//
// Locks: a mirror's mu may be held while a session is woken (which takes no lock). A session's mu
// is never held while a mirror's mu is taken.
package gateway
