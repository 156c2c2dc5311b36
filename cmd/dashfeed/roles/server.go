package roles

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/gateway/settings"
)

// server is the part that every role has: the log's lines, metrics, the two addresses, health, and
// the order of the stop. A role starts its parts from the top to the bottom and registers how each
// ends; Stop goes in the reverse order.
type server struct {
	release string
	talk    func(format string, args ...any)
	logger  *slog.Logger
	metrics *prometheus.Registry
	health  admin.Health

	public      net.Listener // nil if the role has no public door
	placeholder *placeholder // serves on public until the door does; nil afterwards
	adminDoor   net.Listener
	admin       *admin.Listener
	secure      secure
	limits      *limits.Limits // of the public door; nil if there is none, or none yet
	settings    settings.Store // what changes while the role runs
	crashes     *crashes.File  // nil if the role has no shards, or none yet

	serving  atomic.Bool    // true from the end of Start to the beginning of Stop
	failed   chan error     // a listener or part that failed while serving
	serves   sync.WaitGroup // the listeners' goroutines
	ends     []func() error
	stopOnce sync.Once
	stopErr  error
}

// Process describes the program that a role runs in.
type Process struct {
	Release string                           // of the binary
	Talk    func(format string, args ...any) // writes a line for people
	Log     io.Writer
}

// Role is a server that a command runs.
type Role interface {
	// Start returns when the role serves. If it fails, Stop ends what was started.
	Start(ctx context.Context) error
	// Stop ends all parts in order. A second call waits for the first.
	Stop() error
	// Failed reports a part that failed while the role serves.
	Failed() <-chan error
}

// Serve starts a role, serves until ctx ends or a part fails, and stops in order.
func Serve(ctx context.Context, r Role) error {
	err := r.Start(ctx)
	if err != nil {
		return GiveUp(ctx, r, err)
	}
	select {
	case <-ctx.Done():
	case err = <-r.Failed():
	}
	return errors.Join(err, r.Stop())
}

// GiveUp stops what a failed start has started. It is no failure if the start failed because ctx
// ended.
func GiveUp(ctx context.Context, r Role, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	return errors.Join(err, r.Stop())
}

// newServer returns a server that does nothing yet.
func newServer(p Process, level string) *server {
	var least slog.Level
	_ = least.UnmarshalText([]byte(level)) // kong has checked it
	// if the reader of stdout or stderr goes away, its lines are lost, but the server stays up
	signal.Ignore(syscall.SIGPIPE)
	return &server{
		release: p.Release, talk: p.Talk, failed: make(chan error, 4),
		logger: slog.New(newRepeats(slog.NewTextHandler(p.Log, &slog.HandlerOptions{Level: least}))),
	}
}

// open opens the addresses, so that an address in use is noticed before anything else begins. The
// admin address serves from here on: the process is alive, and not ready. The public address
// answers that the server is starting. A role without a public door opens the admin address only.
func (s *server) open(f PublicFlags, public bool, a AdminFlags, parts ...string) (err error) {
	// Dashboards are many small objects: to collect garbage when it is half the live heap costs
	// little CPU and saves much memory.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	slog.SetDefault(s.logger)
	files := openFiles()
	if few, err := checkFiles(files); err != nil {
		return err
	} else if few != "" {
		s.logger.Warn(few)
	}
	s.metrics = prometheus.NewRegistry()
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.health.Expect(parts...)

	if err = s.loadCerts(f, public, a); err != nil {
		return err
	}
	if public {
		if s.public, err = listen("listen", f.Listen); err != nil {
			return err
		}
	}
	if s.adminDoor, err = listen("admin", a.Admin); err != nil {
		return errors.Join(err, s.closePublic())
	}
	origins, _ := gateway.ParseOrigins(f.Origins) // the flags are checked
	hosts, _ := gateway.ParseHosts(f.Hosts, origins)
	s.admin = admin.New(s.metrics, &s.health, hosts, gateway.MaxConnections(files), s.secure.admin.config())
	s.serve(s.admin.Serve, s.adminDoor)
	s.onStop(func() error { return within(time.Second, s.admin.Shutdown) })
	if s.public != nil {
		s.onStop(s.closePublic) // harmless if a gateway has closed it
		s.placeholder = newPlaceholder(s.public, s.secure.public.config())
		s.serve(s.placeholder.serve, s.public)
		s.onStop(s.closeLobby)
	}
	return nil
}

// openDoor makes the role's door serve the public address from here on.
func (s *server) openDoor(serve func(net.Listener) error) error {
	if err := s.closeLobby(); err != nil {
		return err
	}
	s.serve(serve, s.public)
	return nil
}

func (s *server) closeLobby() error {
	b := s.placeholder
	s.placeholder = nil
	if b == nil {
		return nil
	}
	return b.close()
}

// opened ends a start: from here on the server itself is ready.
func (s *server) opened() {
	s.serving.Store(true)
	s.talk("dashfeed %s", s.release)
	if s.public != nil {
		s.talk("  public  %s", s.URL())
	}
	s.talk("  admin   %s", addressOf(s.adminDoor, s.secure.admin))
}

// served returns the health of a role's door.
func (s *server) served() error {
	if !s.serving.Load() {
		return errors.New("starting or stopping")
	}
	return nil
}

// Failed reports a listener or a part that failed while the role serves.
func (s *server) Failed() <-chan error { return s.failed }

// URL returns the public address as this machine reaches it.
func (s *server) URL() string { return addressOf(s.public, s.secure.public) }

// onStop registers how a part that has started ends.
func (s *server) onStop(end func() error) { s.ends = append(s.ends, end) }

// Stop makes the role unready, then ends everything that was started, the last part first. A second
// call waits for the first.
func (s *server) Stop() error {
	s.stopOnce.Do(func() {
		s.serving.Store(false)
		s.crashes.Ending() // even if the rest of the stop fails
		var errs []error
		for i := len(s.ends) - 1; i >= 0; i-- {
			errs = append(errs, s.ends[i]())
		}
		s.serves.Wait()
		s.stopErr = errors.Join(errs...)
	})
	return s.stopErr
}

// openCrashes opens the file that tells the next process what this one was doing when it crashed.
// The directory exists and belongs to this process alone.
func (s *server) openCrashes(directory string, name func(shard int) (string, error)) (err error) {
	if s.crashes, err = crashes.Open(filepath.Join(directory, "crashes"), name); err == nil {
		s.onStop(s.crashes.Close)
	}
	return err
}

func (s *server) closePublic() error {
	if s.public == nil {
		return nil
	}
	if err := s.public.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func within(d time.Duration, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return stop(ctx)
}

// serve serves a listener in a goroutine that Stop joins.
func (s *server) serve(serve func(net.Listener) error, l net.Listener) {
	s.serves.Go(func() {
		if err := serve(l); err != nil {
			s.failed <- err
		}
	})
}

// until waits until ready returns nil, and reports every few seconds what it waits for.
func (s *server) until(ctx context.Context, doing string, ready func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	told := time.Now()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			s.talk("%s: %s", doing, admin.ToldOf(err))
		}
		select {
		case <-tick.C:
		case failed := <-s.failed:
			return failed
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", doing, ctx.Err())
		}
	}
}

// listen opens an address. A malformed address is a usage error.
func listen(flag, address string) (net.Listener, error) {
	if err := wrongAddress(flag, address); err != nil {
		return nil, usageOf(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w", flag, err)
	}
	return l, nil
}
