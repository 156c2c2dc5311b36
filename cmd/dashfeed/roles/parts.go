package roles

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/source"
	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/feed/remote"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/gateway/page"
	"github.com/dashfeed/dashfeed/gateway/token"
)

// Region is the region of a cluster that names none. It is part of every epoch.
const Region = "local"

// The parts that the roles build in the same way.

// hostConfig returns a host's configuration without its log and checkpoints.
func (f *DashboardFlags) hostConfig(s *server, table fold.Table) actors.Config {
	c := actors.Default()
	c.Region, c.Table = Region, table
	c.CheckpointEvery, c.SleepAfter = f.Checkpoint, f.Sleep
	c.Logger, c.Metrics = s.logger, s.metrics
	return c
}

// newGateway returns the public door of a feed and a log. cutOff is gateway.Config's.
func (s *server) newGateway(from feed.Feed, log eventlog.Appender, d DashboardFlags, p PublicFlags, table fold.Table, cutOff func() error) (_ *gateway.Server, err error) {
	proxies, _ := gateway.ParseProxies(p.TrustedProxies) // the flags are checked
	var room gateway.Room
	switch f := from.(type) {
	case *actors.Host:
		room = f.Room
	case *remote.Client:
		room = roomAt(f)
	}
	if s.limits, err = newLimits(p.Limit, openFiles(), s.metrics); err != nil {
		return nil, err
	}
	s.limits.Override(s.settings.Board())
	events, err := gateway.NewIngest(gateway.IngestConfig{Log: log, Room: room, Limits: s.limits, Registerer: s.metrics})
	if err != nil {
		return nil, err
	}
	definitions, err := gateway.NewDefinitions(gateway.DefinitionsConfig{Feed: from, Log: log, Aggregates: table.Names(), Limits: s.limits, Room: room, Region: Region})
	if err != nil {
		return nil, err
	}
	ancestors, _ := gateway.ParseOrigins(p.FrameAncestors)
	pages, err := page.New(ancestors.List()...)
	if err != nil {
		return nil, err
	}
	tokens, err := s.newVerifier(p.Auth)
	if err != nil {
		return nil, err
	}
	flush := d.Flush
	if flush == 0 {
		flush = -1 // the gateway's value for none
	}
	return gateway.New(gateway.Config{
		Feed: from, Events: events, Definitions: definitions, Page: pages,
		Flush: flush, Origins: p.Origins, Hosts: p.Hosts, Registerer: s.metrics, Logger: s.logger,
		Limits: s.limits, Proxies: proxies, Tokens: tokens, Revoked: s.settings.Board().Revoked, CutOff: cutOff,
		TLS: s.secure.public.config(),
	})
}

// newVerifier returns the verifier of tokens; nil if no keys are configured. It is closed after the
// gateway has stopped.
func (s *server) newVerifier(c token.Config) (*token.Verifier, error) {
	if len(c.Keys) == 0 {
		return nil, nil
	}
	c.Registerer, c.Logger = s.metrics, s.logger
	v, err := token.NewVerifier(c)
	if err != nil {
		return nil, fmt.Errorf("auth: %w", err)
	}
	s.onStop(func() error { v.Close(); return nil })
	s.health.Minor("auth", v.Trouble)
	return v, nil
}

// keptIn returns functions that load and save what a single process last applied from which file of
// definitions.
func keptIn(file string) (load func() ([]byte, error), save func([]byte) error) {
	load = func() ([]byte, error) {
		b, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return b, err
	}
	return load, func(b []byte) error { return replace(file, b) }
}

// keepDefining applies definitions until all are applied or ctx ends. Meanwhile readyz says why
// they are not: why, until the first try has ended.
func (s *server) keepDefining(ctx context.Context, why error, apply func(context.Context) error) {
	var trouble atomic.Pointer[error]
	trouble.Store(&why)
	s.health.Minor("definitions", func() error { return *trouble.Load() })
	for {
		err := apply(ctx)
		trouble.Store(&err)
		if err == nil {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return
		}
	}
}

// applyFiles applies definitions, one file at a time. It skips those that were applied before from
// the same file. A definition that fails does not hold up the others.
func (s *server) applyFiles(ctx context.Context, files gateway.DefinitionFiles, sources []source.Item) error {
	var errs []error
	for len(sources) > 0 {
		file := sources[0].File
		var definitions []*definition.Definition
		for len(sources) > 0 && sources[0].File == file {
			definitions = append(definitions, sources[0].Definition)
			sources = sources[1:]
		}
		n, err := files.Apply(ctx, file, definitions)
		errs = append(errs, err)
		if n > 0 {
			s.logger.Info("definitions applied", "file", file, "changed", n)
		}
	}
	return errors.Join(errs...)
}

// replace writes a file so that after a crash either the old or the new one is there.
func replace(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
