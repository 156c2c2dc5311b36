// Package process runs the built binary as real processes, for tests and measurements that use the
// public interfaces only.
//
//	binary, err := process.Build(ctx, dir)
//	p, err := process.Start(ctx, process.Config{Binary: binary, Data: data, Log: os.Stderr})
//	http.Get(p.URL + "/v1/dashboards")
//	err = p.Kill() // kill -9; p.Start again on the same addresses and data
//	err = p.Stop() // SIGTERM, waits
//
// and whole clusters on a Pulsar of their own:
//
//	c, err := process.StartCluster(ctx, process.ClusterConfig{Binary: binary, Dir: dir, Nodes: 3, Gateways: 2})
//	defer c.Stop()
//	err = c.Nodes[0].Kill()           // or Pause, Resume, Stop; Start again
//	err = c.Pulsar.Kill(ctx)          // and Start
//	http.Get(c.Gateways[0].URL + "/v1/dashboards")
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds how long a process may take to become ready; stopTimeout bounds how long it
// may take to end.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
)

// Config says what to run.
type Config struct {
	Binary  string
	Name    string    // used in errors; "": the command
	Data    string    // data directory; "": none
	Command string    // "": run
	Host    string    // address to listen on; "": 127.0.0.1
	Private bool      // true: no public listener
	Prefix  []string  // command that runs the binary, such as ip netns exec NAME
	Args    []string  // more arguments
	Env     []string  // more environment variables, NAME=value
	Log     io.Writer // gets the process's stdout and stderr; nil: discarded
}

// Process is one server process. It keeps its addresses over restarts. One goroutine uses it.
type Process struct {
	Name  string
	URL   string // http://127.0.0.1:PORT, the public listener; "": none
	Admin string // http://127.0.0.1:PORT, the admin listener

	config Config
	cmd    *exec.Cmd
	// closed by the goroutine that waits for the process; Kill and Stop wait for it
	ended chan struct{}
	err   error // how the process ended; read it after ended is closed
}

// Build compiles cmd/dashfeed of the module that contains the working directory, into dir.
func Build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "dashfeed")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "github.com/dashfeed/dashfeed/cmd/dashfeed")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// Start runs a new process on free loopback ports and returns when it is ready.
func Start(ctx context.Context, c Config) (*Process, error) {
	p, err := New(c)
	if err != nil {
		return nil, err
	}
	return p, p.Start(ctx)
}

// New chooses the addresses of a process and does not start it.
func New(c Config) (*Process, error) {
	if c.Command == "" {
		c.Command = "run"
	}
	if c.Name == "" {
		c.Name = c.Command
	}
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	p := &Process{Name: c.Name, config: c}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	p.Admin = fmt.Sprintf("http://%s:%d", c.Host, ports[0])
	if !c.Private {
		p.URL = fmt.Sprintf("http://%s:%d", c.Host, ports[1])
	}
	return p, nil
}

// Start starts the process again after it has ended, and returns when it is ready.
func (p *Process) Start(ctx context.Context) error {
	if err := p.Launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if p.Ready() {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-p.ended:
			tick.Stop()
			return fmt.Errorf("%s ended before it was ready: %w", p.Name, errors.Join(p.err, errors.New("see its log")))
		case <-ctx.Done():
			tick.Stop()
			return errors.Join(fmt.Errorf("%s is not ready after %s: %s", p.Name, startTimeout, p.Health()), p.Kill())
		}
	}
}

// Launch starts the process and does not wait until it is ready.
func (p *Process) Launch() error {
	args := slices.Concat(p.config.Prefix, []string{p.config.Binary, p.config.Command, "--admin", strings.TrimPrefix(p.Admin, "http://")})
	if p.URL != "" {
		args = append(args, "--listen", strings.TrimPrefix(p.URL, "http://"))
	}
	if ip := net.ParseIP(p.config.Host); ip == nil || !ip.IsLoopback() {
		args = append(args, "--insecure")
	}
	if p.config.Data != "" {
		args = append(args, "--data", p.config.Data)
	}
	args = append(args, p.config.Args...)
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env = append(os.Environ(), p.config.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.config.Log, p.config.Log
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.config.Binary, err)
	}
	p.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		p.err = cmd.Wait()
		close(ended)
	}(p.cmd, p.ended)
	return nil
}

// Ready asks the admin listener whether the process is ready.
func (p *Process) Ready() bool {
	code, _ := p.ask("/readyz")
	return code == http.StatusOK
}

// Health returns the answer of /readyz?verbose, one line per part, or why there is no answer.
func (p *Process) Health() string {
	_, said := p.ask("/readyz?verbose")
	return strings.ReplaceAll(strings.TrimSpace(said), "\n", " | ")
}

func (p *Process) ask(path string) (code int, body string) {
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get(p.Admin + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// Running reports whether the process was launched and has not ended.
func (p *Process) Running() bool {
	if p.ended == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Pause stops the process with SIGSTOP: it keeps its connections and reads nothing.
func (p *Process) Pause() error { return p.Signal(syscall.SIGSTOP) }

// Resume continues a paused process.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process with SIGKILL.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Ended returns a channel that is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// ExitCode returns the exit code; call it after Ended.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Stop ends the process with SIGTERM, as an operator does. It returns an error if the process does
// not end in time or exits with a code other than 0.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s has not ended %s after SIGTERM", p.Name, stopTimeout), p.Kill())
	}
}

// RSS returns the process's resident memory in bytes.
func (p *Process) RSS() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}

// clockTick is the unit of times in /proc: 100 a second on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// CPU returns the processor time that the process has used, in its own code and in the kernel, in
// steps of 10 ms.
func (p *Process) CPU() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut(string(b), ") ") // the name may contain spaces and ends with this
	fields := strings.Fields(after)
	if !ok || len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has no times: %q", pid, b)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, err
}

// given holds the ports that this program has handed out. It hands out each port once, even while
// no process listens on it yet.
var given struct {
	mu    sync.Mutex
	ports map[int]bool
}

// FreeAddress returns a loopback address that nobody listened on a moment ago and that this program
// hands out to nobody else.
func FreeAddress() (string, error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), nil
}

// freePorts returns loopback ports that nobody listened on a moment ago.
func freePorts(n int) (ports []int, err error) {
	// These ports lie below the range from which the kernel gives ports to dialers: a port of that
	// range is sometimes taken before it is used.
	const first, count = 10_000, 10_000
	given.mu.Lock()
	defer given.mu.Unlock()
	if given.ports == nil {
		given.ports = map[int]bool{}
	}
	for len(ports) < n {
		if len(given.ports) == count {
			return nil, fmt.Errorf("no %d free ports from %d to %d", n, first, first+count-1)
		}
		port := first + rand.IntN(count)
		if given.ports[port] {
			continue
		}
		given.ports[port] = true
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			ports = append(ports, port)
			_ = l.Close()
		}
	}
	return ports, nil
}
