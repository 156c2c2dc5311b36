// Package broker is what the log and its checkpoints both need of a Pulsar broker: whom it is to
// believe and be believed by, a client of it that says little and does not wait long, and its admin
// API.
//
//	client, err := broker.NewClient(broker.Options{URL: "pulsar://broker:6650", Words: broker.NewWords(logger), …})
//	admin, err := broker.NewAdmin("http://broker:8080", broker.Security{}, 10*time.Second)
//	err = admin.Get(ctx, broker.TopicPath(topic)+"/stats", &stats)
package broker
