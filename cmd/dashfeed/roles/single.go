package roles

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	eventlog "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/gateway"
)

const (
	readyTimeout = time.Hour        // for replaying what came after the last checkpoint
	closeSession = 10 * time.Second // for closing the sessions
	lastSave     = 30 * time.Second // for the last checkpoint
)

// Single runs everything in one process, with the embedded log: the role of run and demo.
type Single struct {
	*server
	flags   ServerFlags
	sources []source.Item

	log  *eventlog.Log
	host *actors.Host
	door *gateway.Server
}

// NewSingle returns the role. It does nothing before Start.
func NewSingle(p Process, f ServerFlags, sources []source.Item) *Single {
	return &Single{server: newServer(p, f.LogLevel), flags: f, sources: sources}
}

// Start starts all parts in order. If it fails, Stop ends what was started.
func (s *Single) Start(ctx context.Context) (err error) {
	// The addresses. Only the admin listener serves yet.
	parts := []string{"log", "checkpoints", "shards", "gateway"}
	if len(s.flags.Auth.Keys) > 0 {
		parts = append(parts, "auth")
	}
	if len(s.sources) > 0 {
		parts = append(parts, "definitions")
	}
	if err = s.open(s.flags.PublicFlags, true, s.flags.AdminFlags, parts...); err != nil {
		return err
	}

	// The log, which locks its directory from here on.
	if s.log, err = eventlog.Open(s.logConfig()); err != nil {
		return err
	}
	s.onStop(s.log.Close)
	s.health.Minor("log", s.log.Err)
	if err = s.openSettings(); err != nil {
		return err
	}

	// Checkpoints.
	store, err := checkpoints.Open(s.checkpointConfig())
	if err != nil {
		return err
	}
	s.onStop(store.Close)
	s.health.Minor("checkpoints", store.Err)

	if err = s.openCrashes(s.flags.Data, func(shard int) (string, error) { return strconv.Itoa(shard), nil }); err != nil {
		return err
	}

	// The host: shards and dashboards.
	table := fold.Builtin()
	c := s.flags.hostConfig(s.server, table)
	c.Log, c.Checkpoints, c.Crashes = s.log, store, s.crashes
	if s.host, err = actors.New(c); err != nil {
		return err
	}
	s.onStop(func() error { return within(lastSave, s.host.Stop) })
	if err = s.host.Start(ctx); err != nil {
		return err
	}
	s.host.OwnAll()
	s.health.Of("shards", s.shardsHealth)

	// The gateway, and with it the public listener: it serves dashboards as soon as their shards are
	// live.
	if s.door, err = s.newGateway(s.host, s.log, s.flags.DashboardFlags, s.flags.PublicFlags, table, nil); err != nil {
		return err
	}
	s.onStop(func() error { return within(closeSession, s.door.Shutdown) })
	if err = s.openDoor(s.door.Serve); err != nil {
		return err
	}
	s.admin.Offer(s.operations())

	// Wait for all shards that can become live.
	replay, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err = s.until(replay, "replaying the log", s.host.Ready); err != nil {
		return err
	}

	// Definitions from files.
	if err = s.define(ctx); err != nil {
		return err
	}
	s.health.Of("gateway", s.served)
	s.opened()
	return nil
}

// shardsHealth makes the process unready until each shard is live or has failed. From then on it
// only reports which have failed or are in trouble.
func (s *Single) shardsHealth() error {
	if err := s.host.Ready(); err != nil {
		return err
	}
	return admin.NoticeOf(s.host.Troubles())
}

// operations returns what the admin listener can do for shards that have stopped.
func (s *Single) operations() admin.Operations {
	known := func(do func(context.Context, int) error) func(context.Context, int) error {
		return func(ctx context.Context, shard int) error {
			if n := s.log.Partitions(); shard < 0 || shard >= n {
				return fmt.Errorf("%w shard %d: there are %d", admin.ErrNoSuch, shard, n)
			}
			return do(ctx, shard)
		}
	}
	refused := func(ctx context.Context, shard int) (r actors.Refused, err error) {
		err = known(func(ctx context.Context, n int) error {
			r, err = s.host.Refused(ctx, n)
			return err
		})(ctx, shard)
		return r, err
	}
	return admin.Operations{AcceptLoss: known(s.host.AcceptLoss), RetryShard: known(s.host.Retry), Refused: refused, Settings: s.settings}
}

// define applies the definitions of files, and remembers them in the data directory. Definitions of
// a failed shard are applied when the shard works again; Start does not wait for them.
func (s *Single) define(ctx context.Context) error {
	if len(s.sources) == 0 {
		return nil
	}
	files := gateway.DefinitionFiles{Feed: s.host, Log: s.log, Region: Region}
	files.Load, files.Save = keptIn(filepath.Join(s.flags.Data, "definitions.json"))
	apply := func(ctx context.Context) error { return s.applyFiles(ctx, files, s.sources) }
	err := apply(ctx)
	if err == nil || !errors.Is(err, feed.ErrUnserved) {
		s.health.Minor("definitions", func() error { return err })
		return err
	}
	life, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { s.keepDefining(life, err, apply) })
	s.onStop(func() error { cancel(); work.Wait(); return nil })
	return nil
}

func (s *Single) logConfig() eventlog.Config {
	c := eventlog.Default(filepath.Join(s.flags.Data, "log"))
	c.Partitions = s.flags.Partitions
	c.Retention.Age = s.flags.RetentionAge
	c.Retention.Bytes = int64(s.flags.RetentionBytes)
	c.Storage.ReserveBytes = int64(s.flags.Reserve)
	c.Storage.Logger = s.logger
	return c
}

func (s *Single) checkpointConfig() checkpoints.Config {
	c := checkpoints.Default(filepath.Join(s.flags.Data, "checkpoints"))
	c.Storage.ReserveBytes = int64(s.flags.Reserve)
	c.Storage.Logger = s.logger
	return c
}
