// Package gateway is the door: WebSocket sessions, the plain dialect, reading and listing over
// HTTP. It is stateless: all it holds can be rebuilt from a feed.Feed, the only thing it knows of
// owners.
//
//	s, err := gateway.New(gateway.Config{Feed: host, Events: events, Definitions: definitions})
//	go s.Serve(listener)
//	…
//	err = s.Shutdown(ctx) // sessions are closed with 1012 and joined
//
// One upstream subscription per dashboard fills a mirror, however many sessions look at it.
// Sessions that get the same bytes form a cohort, for which an update is encoded once. A session is
// a cursor and a dirty flag: it has no queue, so a slow client is a cursor that moves later and
// costs O(1).
//
// Who asks is a caller. It is made in one place, before a handler runs (routes.go), and every
// handler takes it; a session holds the one that opened it. Every way to a dashboard asks its may.
//
// A cohort keeps the payloads of messages, in the words of its dialect. A transport frames them as
// it writes; a session knows no more of its connection than that.
//
// Locks: a mirror's mu may be held while a session is woken (which takes no lock). A session's mu
// is never held while a mirror's is taken.
package gateway
