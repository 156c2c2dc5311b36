// Package process runs the built binary as a real process, for tests and measurements that use the public doors only.
//
//	binary, err := process.Build(ctx, dir)
//	p, err := process.Start(ctx, process.Config{Binary: binary, Data: data, Log: os.Stderr})
//	http.Get(p.URL + "/v1/dashboards")
//	err = p.Kill() // kill -9; p.Start again on the same addresses and data
//	err = p.Stop() // SIGTERM, waits
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTimeout bounds how long a process may take until it is ready; stopTimeout how long it may take to end.
const (
	startTimeout = 60 * time.Second
	stopTimeout  = 60 * time.Second
)

// Config says what to run.
type Config struct {
	Binary  string
	Data    string    // data directory
	Command string    // run where empty
	Args    []string  // further arguments
	Env     []string  // further environment, NAME=value
	Log     io.Writer // gets the process's stdout and stderr; nil: nowhere
}

// Process is one running server. Its addresses stay the same over restarts. One goroutine uses it.
type Process struct {
	URL   string // http://127.0.0.1:PORT, the public listener
	Admin string // http://127.0.0.1:PORT, the admin listener

	config Config
	cmd    *exec.Cmd
	ended  chan struct{} // closed by the goroutine that waits for the process; joined by Kill and Stop
	err    error         // how it ended; read after ended
}

// Build compiles cmd/dashfeed of the module that the caller stands in, into dir.
func Build(ctx context.Context, dir string) (binary string, err error) {
	binary = filepath.Join(dir, "dashfeed")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "github.com/dashfeed/dashfeed/cmd/dashfeed")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as make build does
	out, err := build.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// Start runs a new process on free loopback ports and returns when it is ready.
func Start(ctx context.Context, c Config) (*Process, error) {
	public, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &Process{URL: "http://" + public, Admin: "http://" + admin, config: c}
	return p, p.Start(ctx)
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
			return fmt.Errorf("%s ended before it was ready: %w", p.cmd, errors.Join(p.err, errors.New("see its log")))
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s is not ready after %s", p.cmd, startTimeout), p.Kill())
		}
	}
}

// Launch runs the process and does not wait for it.
func (p *Process) Launch() error {
	command := p.config.Command
	if command == "" {
		command = "run"
	}
	args := append([]string{
		command, "--listen", strings.TrimPrefix(p.URL, "http://"),
		"--admin", strings.TrimPrefix(p.Admin, "http://"), "--data", p.config.Data,
	}, p.config.Args...)
	p.cmd = exec.Command(p.config.Binary, args...)
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
	client := http.Client{Timeout: time.Second}
	resp, err := client.Get(p.Admin + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

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

// Stop ends the process as an operator does: SIGTERM. An error where it does not end, or not with 0.
func (p *Process) Stop() error {
	if err := p.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return p.err
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s has not ended %s after SIGTERM", p.cmd, stopTimeout), p.Kill())
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

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
