// Package broker holds what both the log and its checkpoints need of a Pulsar broker: credentials
// and trusted authorities, a client that logs little and does not wait long, and the admin API.
//
//	client, err := broker.NewClient(broker.Options{URL: "pulsar://broker:6650", Words: broker.NewWords(logger), …})
//	admin, err := broker.NewAdmin("http://broker:8080", broker.Security{}, 10*time.Second)
//	err = admin.Get(ctx, broker.TopicPath(topic)+"/stats", &stats)
package broker
