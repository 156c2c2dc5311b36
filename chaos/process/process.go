// Package process runs the built binary as real processes, for tests and measurements that use the
// public doors only.
//
//	binary, err := process.Build(ctx, dir)
//	p, err := process.Start(ctx, process.Config{Binary: binary, Data: data, Log: os.Stderr})
//	http.Get(p.URL + "/v1/dashboards")
//	err = p.Kill() // kill -9; p.Start again on the same addresses and data
//	err = p.Stop() // SIGTERM, waits
//
// and whole clusters of them, on a Pulsar of their own:
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

// startTimeout bounds how long a process may take until it is ready; stopTimeout how long it may
// take to end.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
)

// Config says what to run.
type Config struct {
	Binary  string
	Name    string    // in errors; the command where empty
	Data    string    // data directory; "": none is given
	Command string    // run where empty
	Host    string    // address to listen on; 127.0.0.1 where empty
	Private bool      // no public listener
	Prefix  []string  // what runs the binary, such as ip netns exec NAME
	Args    []string  // further arguments
	Env     []string  // further environment, NAME=value
	Log     io.Writer // gets the process's stdout and stderr; nil: nowhere
}

// Process is one running server. Its addresses stay the same over restarts. One goroutine uses it.
type Process struct {
	Name  string
	URL   string // http://127.0.0.1:PORT, the public listener; "" where there is none
	Admin string // http://127.0.0.1:PORT, the admin listener

	config Config
	cmd    *exec.Cmd
	ended  chan struct{} // closed by the goroutine that waits for the process; joined by Kill and Stop
	err    error         // how it ended; read after ended
}

// Build compiles cmd/dashfeed of the module that the caller stands in, into dir.
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

// New chooses the addresses of a process and does not run it yet.
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

// Start runs the process again after it has ended, and returns when it is ready.
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

// Launch runs the process and does not wait for it.
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

// Ready asks the admin listener.
func (p *Process) Ready() bool {
	code, _ := p.ask("/readyz")
	return code == http.StatusOK
}

// Health is /readyz?verbose: a line a part, or why there is no answer.
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

// Running reports whether it has been launched and has not ended.
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

// Pause stops it as SIGSTOP does: it keeps its connections and hears nothing.
func (p *Process) Pause() error { return p.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (p *Process) Resume() error { return p.Signal(syscall.SIGCONT) }

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process as kill -9 does.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// Signal sends a signal.
func (p *Process) Signal(s syscall.Signal) error { return p.cmd.Process.Signal(s) }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// ExitCode is how the process ended; good after Ended.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Stop ends the process as an operator does: SIGTERM. An error where it does not end, or not with
// 0.
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

// RSS is the process's resident memory in bytes.
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

// CPU is how long the process has been running on processors so far, in its own code and in the
// kernel, in steps of 10 ms.
func (p *Process) CPU() (time.Duration, error) { return cpuOf(p.cmd.Process.Pid) }

func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut(string(b), ") ") // the name may have spaces, and ends so
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

// given are the ports that this program has given to processes: each is given once, though nobody
// may listen on it yet.
var given struct {
	mu    sync.Mutex
	ports map[int]bool
}

// FreeAddress is an address of loopback that nobody listened on a moment ago and that this program
// gives nobody else.
func FreeAddress() (string, error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0]), nil
}

// freePorts are ports of loopback that nobody listened on a moment ago.
func freePorts(n int) (ports []int, err error) {
	// Below those that the kernel gives to whoever dials: a port chosen among these is sometimes
	// taken before it is used.
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
