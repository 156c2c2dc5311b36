// Package client is the Go client of Dashfeed: it publishes events, subscribes to dashboards and
// calls the HTTP API.
//
//	c, err := client.New(client.Options{Server: "http://127.0.0.1:8080"})
//	p := c.Publisher(client.PublisherOptions{})
//	err = p.Publish(ctx, client.Event{Dashboard: "checkout", Metric: "latency", Value: 12.5})
//	err = p.Close(ctx) // nil: the log has stored every event that was not refused
//
//	s := c.Subscribe(client.SubscribeOptions{Dashboard: "checkout"})
//	defer s.Close()
//	for {
//		// *Snapshot, *Update, *Status, *Gap, *Disconnected; it reconnects by itself, for ever
//		e, err := s.Next(ctx)
//		…
//	}
//
// Guarantees:
//
//  1. A Publisher gives an id to every event without one, and repeats a batch with the same ids
//     until the log has stored it: a dashboard that drops copies by id counts each event once.
//  2. A Publisher holds at most PublisherOptions.Buffer events and 8 MiB; when they are full
//     Publish waits.
//  3. A Subscription resumes from its place after any disconnect. After an event it holds what the
//     server had at that version; within an epoch the version never goes back.
//  4. When a server drains, a Subscription moves to the next one (Options.Others) while the first
//     still serves: no gap, and no update is lost or reported twice.
//  5. The wait between attempts grows exponentially with full jitter, from 1 s to 30 s, and starts
//     again from 1 s only after a stable connection; a time that the server gave (Retry-After,
//     drain) wins.
//  6. With Options.TokenFunc a Subscription replaces its token in place before it expires. If the
//     server refuses a token, a Subscription connects once more with another, and a request is
//     repeated once; then they end with an error that says so.
//
// It is not a cache: a Subscription holds one dashboard's cells, in memory, for one goroutine.
package client
