package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// pulsarName is the name of a test's Pulsar cluster.
const pulsarName = "pulsar"

// Pulsar is a real Pulsar that scripts/pulsar runs for one test. Its data is deleted when it is
// stopped, or when the process that started it ends in any way. One goroutine uses it.
type Pulsar struct {
	URL   string // pulsar://127.0.0.1:PORT
	Admin string // http://127.0.0.1:PORT

	config PulsarConfig
	script string
	hold   *exec.Cmd // keeps Pulsar running as long as its standard input is open
	open   io.Closer
}

// PulsarConfig says how to run a Pulsar.
type PulsarConfig struct {
	Dir    string    // directory of its data
	Env    []string  // more environment variables of scripts/pulsar, such as PULSAR_CONF=…
	Host   string    // address to listen on; "": 127.0.0.1
	Prefix []string  // command that runs the script, such as ip netns exec NAME
	Log    io.Writer // gets the script's output
}

// StartPulsar starts a Pulsar and returns when it is healthy.
func StartPulsar(ctx context.Context, c PulsarConfig) (*Pulsar, error) {
	if c.Host == "" {
		c.Host = "127.0.0.1"
	}
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	port, err := freeRun(4)
	if err != nil {
		return nil, err
	}
	p := &Pulsar{
		URL: fmt.Sprintf("pulsar://%s:%d", c.Host, port), Admin: fmt.Sprintf("http://%s:%d", c.Host, port+1),
		script: filepath.Join(root, "scripts", "pulsar"), config: c,
	}
	p.hold = p.command(context.Background(), "hold", fmt.Sprintf("%s:%d", pulsarName, port))
	// the holder learns of the caller's Ctrl-C by the end of its input
	p.hold.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.hold.Stderr = c.Log
	if p.open, err = p.hold.StdinPipe(); err != nil {
		return nil, err
	}
	said, err := p.hold.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.hold.Start(); err != nil {
		return nil, fmt.Errorf("start Pulsar: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { p.open.Close() })
	defer stop()
	one := make([]byte, 1)
	if _, err := said.Read(one); err != nil { // the line with its addresses
		return nil, errors.Join(fmt.Errorf("start Pulsar by %s: %w", p.script, errors.Join(err, ctx.Err())), p.Stop())
	}
	go io.Copy(io.Discard, said) // ends with the holder, which Stop waits for
	return p, nil
}

func (p *Pulsar) command(ctx context.Context, args ...string) *exec.Cmd {
	line := slices.Concat(p.config.Prefix, []string{p.script}, args)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Env = slices.Concat(os.Environ(), []string{"PULSAR_RUN=" + p.config.Dir, "PULSAR_HOST=" + p.config.Host}, p.config.Env)
	return cmd
}

func (p *Pulsar) run(ctx context.Context, args ...string) error {
	out, err := p.command(ctx, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", p.script, strings.Join(args, " "), err, out)
	}
	return nil
}

// Kill ends the broker, its bookie and its metadata store as a power cut does.
func (p *Pulsar) Kill(ctx context.Context) error { return p.run(ctx, "kill", pulsarName) }

// Start starts Pulsar again after Kill, on the same port and data, and returns when it is healthy.
func (p *Pulsar) Start(ctx context.Context) error { return p.run(ctx, "up", pulsarName) }

// Signal sends the broker a signal, such as SIGSTOP and SIGCONT.
func (p *Pulsar) Signal(s syscall.Signal) error {
	pid, err := p.pid()
	if err != nil {
		return err
	}
	return syscall.Kill(pid, s)
}

// CPU returns the processor time that the broker has used, in steps of 10 ms.
func (p *Pulsar) CPU() (time.Duration, error) {
	pid, err := p.pid()
	if err != nil {
		return 0, err
	}
	return cpuOf(pid)
}

func (p *Pulsar) pid() (pid int, err error) {
	b, err := os.ReadFile(filepath.Join(p.config.Dir, pulsarName, "pid"))
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscan(string(b), &pid); err != nil {
		return 0, fmt.Errorf("read the broker's process id: %w", err)
	}
	return pid, nil
}

// AdminCommand runs pulsar-admin and returns its output.
func (p *Pulsar) AdminCommand(ctx context.Context, args ...string) (string, error) {
	out, err := p.command(ctx, append([]string{"admin", pulsarName}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pulsar-admin %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// Stop ends Pulsar and deletes its data.
func (p *Pulsar) Stop() error {
	p.open.Close()
	if err := p.hold.Wait(); err != nil {
		return fmt.Errorf("stop Pulsar: %w", err)
	}
	return nil
}

// freeRun returns the first of n consecutive loopback ports that nobody listened on a moment ago,
// outside the range from which the system gives ports to dialers.
func freeRun(n int) (int, error) {
	for base := 20_000 + os.Getpid()%1000*10; base < 32_000; base += 10 {
		free := true
		for port := base; port < base+n && free; port++ {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if free = err == nil; free {
				l.Close()
			}
		}
		if free {
			return base, nil
		}
	}
	return 0, errors.New("no run of free ports on 127.0.0.1 from 20000 to 32000")
}

// moduleRoot returns the directory with go.mod, at or above the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		err = errors.New("no go.mod at or above the working directory: run this inside the module")
	}
	return "", err
}
