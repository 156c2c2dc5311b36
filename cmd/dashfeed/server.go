package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/dashfeed/dashfeed/actors"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	eventlog "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/gateway/page"
)

const (
	readyTimeout = time.Hour        // replaying what came after the last checkpoint
	closeSession = 10 * time.Second // for sessions to be closed
	lastSave     = 30 * time.Second // for the last checkpoint
)

// server is everything in one process: the only place that knows all the rooms. start goes through it from the top to
// the bottom, stop from the bottom to the top.
type server struct {
	flags serverFlags
	talk  func(format string, args ...any)

	logger      *slog.Logger
	metrics     *prometheus.Registry
	log         *eventlog.Log
	checkpoints *checkpoints.Store
	public      net.Listener
	adminDoor   net.Listener
	admin       *admin
	host        *actors.Host
	gateway     *gateway.Server

	serving  atomic.Bool    // between the end of start and the beginning of stop
	failed   chan error     // a listener that failed while serving
	serves   sync.WaitGroup // the listeners' goroutines
	stopOnce sync.Once
	stopErr  error
}

// newServer makes a server that does nothing yet; its log goes to w.
func newServer(p *program, f serverFlags, w io.Writer) *server {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // kong has checked it
	return &server{
		flags: f, talk: p.talk, failed: make(chan error, 2),
		logger: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})),
	}
}

// start starts everything in order. Where it fails, stop ends what was started.
func (s *server) start(ctx context.Context, sources []source) (err error) {
	// Dashboards are many small objects: a heap of half the garbage costs little CPU and saves much memory.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	slog.SetDefault(s.logger)

	// Metrics.
	s.metrics = prometheus.NewRegistry()
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	// The log; its directory is locked from here on.
	if s.log, err = eventlog.Open(s.logConfig()); err != nil {
		return err
	}

	// Checkpoints.
	if s.checkpoints, err = checkpoints.Open(s.checkpointConfig()); err != nil {
		return err
	}

	// Both addresses, so that one in use is known before anything else begins; nobody is served yet.
	if s.public, err = listen("listen", s.flags.Listen); err != nil {
		return err
	}
	if s.adminDoor, err = listen("admin", s.flags.Admin); err != nil {
		return err
	}

	// The admin listener: alive, and not ready while shards replay.
	s.admin = newAdmin(s.metrics, s.checks())
	s.serve(s.admin.serve, s.adminDoor)

	// The host: shards and dashboards.
	table := fold.Builtin()
	if s.host, err = actors.New(s.hostConfig(table)); err != nil {
		return err
	}
	if err = s.host.Start(ctx); err != nil {
		return err
	}
	if err = s.untilReady(ctx); err != nil {
		return err
	}

	// Definitions from files.
	if err = s.apply(ctx, sources, s.appliedFile()); err != nil {
		return err
	}

	// The gateway.
	if s.gateway, err = s.newGateway(table); err != nil {
		return err
	}

	// The public listener.
	s.serve(s.gateway.Serve, s.public)
	s.serving.Store(true)
	s.talk("dashfeed %s", release)
	s.talk("  public  %s", addressOf(s.public))
	s.talk("  admin   %s", addressOf(s.adminDoor))
	return nil
}

// giveUp stops what a failed start has started. To be told to stop meanwhile is no failure.
func (s *server) giveUp(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	return errors.Join(err, s.stop())
}

// stop ends everything that was started: not ready first, then sessions with 1012, then a last checkpoint.
func (s *server) stop() error {
	s.stopOnce.Do(func() { s.stopErr = s.stopAll() })
	return s.stopErr
}

func (s *server) stopAll() error {
	s.serving.Store(false)
	var errs []error
	if s.gateway != nil {
		errs = append(errs, within(closeSession, s.gateway.Shutdown))
	} else if s.public != nil {
		errs = append(errs, s.public.Close())
	}
	if s.host != nil {
		errs = append(errs, within(lastSave, s.host.Stop))
	}
	if s.checkpoints != nil {
		errs = append(errs, s.checkpoints.Close())
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.admin != nil {
		errs = append(errs, within(time.Second, s.admin.shutdown))
	} else if s.adminDoor != nil {
		errs = append(errs, s.adminDoor.Close())
	}
	s.serves.Wait()
	return errors.Join(errs...)
}

func within(d time.Duration, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return stop(ctx)
}

// serve serves a listener in a goroutine that stop joins.
func (s *server) serve(serve func(net.Listener) error, l net.Listener) {
	s.serves.Go(func() {
		if err := serve(l); err != nil {
			s.failed <- err
		}
	})
}

func (s *server) logConfig() eventlog.Config {
	c := eventlog.Default(filepath.Join(s.flags.Data, "log"))
	c.Partitions = s.flags.Partitions
	c.Retention.Age = s.flags.RetentionAge
	c.Retention.Bytes = int64(s.flags.RetentionBytes)
	c.Storage.ReserveBytes = int64(s.flags.Reserve)
	c.Storage.Logger = s.logger
	return c
}

func (s *server) checkpointConfig() checkpoints.Config {
	c := checkpoints.Default(filepath.Join(s.flags.Data, "checkpoints"))
	c.Storage.ReserveBytes = int64(s.flags.Reserve)
	c.Storage.Logger = s.logger
	return c
}

func (s *server) hostConfig(table fold.Table) actors.Config {
	c := actors.Default()
	c.Log, c.Checkpoints, c.Region, c.Table = s.log, s.checkpoints, region, table
	c.CheckpointEvery, c.SleepAfter = s.flags.Checkpoint, s.flags.Sleep
	c.Logger, c.Metrics = s.logger, s.metrics
	return c
}

func (s *server) newGateway(table fold.Table) (*gateway.Server, error) {
	events, err := gateway.NewIngest(gateway.IngestConfig{Log: s.log, Registerer: s.metrics})
	if err != nil {
		return nil, err
	}
	definitions, err := gateway.NewDefinitions(gateway.DefinitionsConfig{Feed: s.host, Log: s.log, Aggregates: table.Names(), Region: region})
	if err != nil {
		return nil, err
	}
	pages, err := page.New()
	if err != nil {
		return nil, err
	}
	flush := s.flags.Flush
	if flush == 0 {
		flush = -1 // the gateway's word for none
	}
	return gateway.New(gateway.Config{
		Feed: s.host, Events: events, Definitions: definitions, Page: pages,
		Flush: flush, Origins: s.flags.Origins, Registerer: s.metrics, Logger: s.logger,
	})
}

// untilReady waits until every shard has replayed its log.
func (s *server) untilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	told := time.Now()
	for {
		err := s.host.Ready()
		if err == nil {
			return nil
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			s.talk("replaying the log: %v", err)
		}
		select {
		case <-tick.C:
		case failed := <-s.failed:
			return failed
		case <-ctx.Done():
			return fmt.Errorf("replay the log: %w", ctx.Err())
		}
	}
}

// appliedFile is where it is kept what was last applied from which file.
func (s *server) appliedFile() string { return filepath.Join(s.flags.Data, "definitions.json") }

// apply applies definitions, a file at a time; those that were applied before, as kept tells, are passed over. kept ""
// remembers nothing.
func (s *server) apply(ctx context.Context, sources []source, kept string) error {
	files := gateway.DefinitionFiles{
		Feed: s.host, Log: s.log, Region: region,
		Load: func() ([]byte, error) {
			b, err := os.ReadFile(kept)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			return b, err
		},
		Save: func(b []byte) error { return replace(kept, b) },
	}
	if kept == "" {
		files.Load = func() ([]byte, error) { return nil, nil }
		files.Save = func([]byte) error { return nil }
	}
	for len(sources) > 0 {
		file := sources[0].file
		var definitions []*definition.Definition
		for len(sources) > 0 && sources[0].file == file {
			definitions = append(definitions, sources[0].definition)
			sources = sources[1:]
		}
		n, err := files.Apply(ctx, file, definitions)
		if err != nil {
			return err
		}
		if n > 0 {
			s.logger.Info("definitions applied", "file", file, "changed", n)
		}
	}
	return nil
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

// listen opens an address; what is wrong with its spelling is an error of usage.
func listen(flag, address string) (net.Listener, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, usage("--%s %q is not an address: want HOST:PORT or :PORT", flag, address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return l, nil
}

// addressOf is the URL at which a listener can be reached from this machine.
func addressOf(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
