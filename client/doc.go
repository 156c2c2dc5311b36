// Package client is the Go client of Dashfeed: it publishes events, subscribes to dashboards and
// calls the HTTP doors.
//
//	c, err := client.New(client.Options{Server: "http://127.0.0.1:8080"})
//	p := c.Publisher(client.PublisherOptions{})
//	err = p.Publish(ctx, client.Event{Dashboard: "checkout", Metric: "latency", Value: 12.5})
//	err = p.Close(ctx) // nil: the log has stored every event that was not refused
//
//	s := c.Subscribe(client.SubscribeOptions{Dashboard: "checkout"})
//	defer s.Close()
//	for {
//		// *Snapshot, *Update, *Status, *Gap, *Disconnected; reconnects by itself, for ever
//		e, err := s.Next(ctx)
//		…
//	}
//
// Promises:
//
//  1. A Publisher gives every event an id where it has none, and repeats a batch with the same ids
//     until the log has stored it: a dashboard that tells copies by id counts each event once.
//  2. A Publisher holds at most PublisherOptions.Buffer events and 8 MiB; beyond that Publish
//     waits.
//  3. A Subscription resumes from its place after any disconnect. What it holds after an event is
//     what the server had at that version; within an epoch the version never goes back.
//  4. A server that drains is left for the next one (Options.Others) while it still serves: no gap,
//     no update lost or told twice.
//  5. Waiting between attempts grows exponentially with full jitter, from 1 s to 30 s, and begins
//     anew only after a connection that was stable; a slot that the server gave (Retry-After,
//     drain) wins.
//
// It is not a cache: a Subscription holds one dashboard's cells, in memory, for one goroutine.
package client
