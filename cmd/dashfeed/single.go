package main

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/dashfeed/dashfeed/actors"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	eventlog "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/gateway"
)

const (
	readyTimeout = time.Hour        // replaying what came after the last checkpoint
	closeSession = 10 * time.Second // for sessions to be closed
	lastSave     = 30 * time.Second // for the last checkpoint
)

// single is everything in one process, with the embedded log: the role of run and demo.
type single struct {
	*server
	flags   serverFlags
	sources []source

	log  *eventlog.Log
	host *actors.Host
}

func newSingle(p *program, f serverFlags, sources []source, w io.Writer) *single {
	return &single{server: newServer(p, f.LogLevel, w), flags: f, sources: sources}
}

// start starts everything in order. Where it fails, stop ends what was started.
func (s *single) start(ctx context.Context) (err error) {
	// The addresses; nobody but the admin is served yet.
	if err = s.open(s.flags.publicFlags, true, s.flags.Admin, "log", "checkpoints", "shards", "gateway"); err != nil {
		return err
	}

	// The log; its directory is locked from here on.
	if s.log, err = eventlog.Open(s.logConfig()); err != nil {
		return err
	}
	s.onStop(s.log.Close)
	s.health.minor("log", s.log.Err)

	// Checkpoints.
	store, err := checkpoints.Open(s.checkpointConfig())
	if err != nil {
		return err
	}
	s.onStop(store.Close)
	s.health.minor("checkpoints", store.Err)

	// The host: shards and dashboards.
	table := fold.Builtin()
	c := s.flags.hostConfig(s.server, table)
	c.Log, c.Checkpoints = s.log, store
	if s.host, err = actors.New(c); err != nil {
		return err
	}
	s.onStop(func() error { return within(lastSave, s.host.Stop) })
	if err = s.host.Start(ctx); err != nil {
		return err
	}
	s.host.OwnAll()
	s.health.of("shards", s.host.Ready)
	replay, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err = s.until(replay, "replaying the log", s.host.Ready); err != nil {
		return err
	}

	// Definitions from files.
	if err = s.apply(ctx); err != nil {
		return err
	}

	// The gateway, and with it the public listener.
	door, err := s.newGateway(s.host, s.log, s.flags.dashboardFlags, s.flags.publicFlags, table)
	if err != nil {
		return err
	}
	s.onStop(func() error { return within(closeSession, door.Shutdown) })
	s.serve(door.Serve, s.public)
	s.health.of("gateway", s.served)
	s.opened()
	return nil
}

// apply applies the definitions of files, and remembers them in the data directory.
func (s *single) apply(ctx context.Context) error {
	files := gateway.DefinitionFiles{Feed: s.host, Log: s.log, Region: region}
	files.Load, files.Save = keptIn(filepath.Join(s.flags.Data, "definitions.json"))
	return s.applyFiles(ctx, files, s.sources)
}

func (s *single) logConfig() eventlog.Config {
	c := eventlog.Default(filepath.Join(s.flags.Data, "log"))
	c.Partitions = s.flags.Partitions
	c.Retention.Age = s.flags.RetentionAge
	c.Retention.Bytes = int64(s.flags.RetentionBytes)
	c.Storage.ReserveBytes = int64(s.flags.Reserve)
	c.Storage.Logger = s.logger
	return c
}

func (s *single) checkpointConfig() checkpoints.Config {
	c := checkpoints.Default(filepath.Join(s.flags.Data, "checkpoints"))
	c.Storage.ReserveBytes = int64(s.flags.Reserve)
	c.Storage.Logger = s.logger
	return c
}
