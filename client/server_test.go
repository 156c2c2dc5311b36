package client_test

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/dashfeed/dashfeed/actors"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	eventlog "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/gateway"
)

// startServer runs a whole server in this process, as cmd/dashfeed does, and returns its address.
func startServer() (url string, stop func()) {
	handler, end := newServer(gateway.Config{})
	listener := httptest.NewServer(handler)
	return listener.URL, func() {
		end()
		listener.Close()
	}
}

// newServer starts a whole server but its listener, with a gateway like config.
func newServer(config gateway.Config) (handler http.Handler, stop func()) {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "dashfeed")
	check(err)
	slog.SetLogLoggerLevel(slog.LevelError)
	events, err := eventlog.Open(eventlog.Default(filepath.Join(dir, "log")))
	check(err)
	saved, err := checkpoints.Open(checkpoints.Default(filepath.Join(dir, "checkpoints")))
	check(err)
	owners := actors.Default()
	owners.Log, owners.Checkpoints = events, saved
	host, err := actors.New(owners)
	check(err)
	check(host.Start(context.Background()))
	host.OwnAll()
	for host.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	ingest, err := gateway.NewIngest(gateway.IngestConfig{Log: events})
	check(err)
	definitions, err := gateway.NewDefinitions(gateway.DefinitionsConfig{Feed: host, Log: events, Aggregates: fold.Builtin().Names()})
	check(err)
	config.Feed, config.Events, config.Definitions = host, ingest, definitions
	server, err := gateway.New(config)
	check(err)
	return server.Handler(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		check(server.Shutdown(ctx))
		check(host.Stop(ctx))
		check(saved.Close())
		check(events.Close())
		check(os.RemoveAll(dir))
	}
}
