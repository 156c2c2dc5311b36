// Package pulsartest runs real Apache Pulsar clusters for tests and measurements, with
// scripts/pulsar of this repository.
//
//	func TestMain(m *testing.M) { os.Exit(pulsartest.Main(m)) }
//
//	func TestLog(t *testing.T) {
//		c := pulsartest.Shared(t) // one per test binary, started by the first test that asks
//		// a cluster of this test alone, for kills and settings
//		own := pulsartest.Start(t, pulsartest.Options{Tokens: true})
//		own.Kill()
//		own.Up()
//	}
//
// A cluster listens on free loopback ports, and stores its data in a temporary directory that Close
// deletes. If the process dies before Close, the script that watches over the cluster ends it. The
// first call on a machine downloads Pulsar, which takes a minute.
package pulsartest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// Options describe a cluster. The zero Options: named dashfeed, open to everybody, with the
// settings that Dashfeed needs.
type Options struct {
	Name     string   // of the cluster; "": dashfeed
	Settings []string // of the broker, key=value; they override those of scripts/pulsar
	Stock    bool     // without the settings that Dashfeed needs
	Tokens   bool     // clients need a token: see Cluster.Token
	TLS      bool     // TLS listeners beside the plain ones, with certificates in Dir/tls

	Transactions bool // producers may use transactions: the broker has a coordinator
}

// Cluster is one standalone Pulsar: broker, bookie and metadata store in one process. One goroutine
// calls its methods.
type Cluster struct {
	Name      string
	BrokerURL string // pulsar://127.0.0.1:…
	AdminURL  string // http://127.0.0.1:…
	Dir       string // holds its data, log and settings

	BrokerTLS string // with Options.TLS: pulsar+ssl://…
	AdminTLS  string // likewise: https://…
	TLS       Certificates

	options Options
	secret  []byte // signs tokens
	port    int
	watch   *exec.Cmd // deletes the cluster when its input ends
	input   io.Closer
	once    sync.Once
	closed  error
}

// Launch starts a cluster and returns when it is healthy. Close ends it.
func Launch(o Options) (*Cluster, error) {
	if o.Name == "" {
		o.Name = "dashfeed"
	}
	if o.Transactions {
		o.Settings = append(o.Settings, "transactionCoordinatorEnabled=true")
	}
	dir, err := os.MkdirTemp("", "pulsartest")
	if err != nil {
		return nil, err
	}
	c := &Cluster{Name: o.Name, Dir: dir, options: o}
	if err = c.prepare(); err == nil {
		err = c.hold()
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("start Pulsar cluster %s: %w", o.Name, err)
	}
	return c, nil
}

func (c *Cluster) prepare() error {
	var err error
	if c.port, err = freePorts(); err != nil {
		return err
	}
	c.BrokerURL = fmt.Sprintf("pulsar://127.0.0.1:%d", c.port)
	c.AdminURL = fmt.Sprintf("http://127.0.0.1:%d", c.port+1)
	if c.options.TLS {
		c.BrokerTLS = fmt.Sprintf("pulsar+ssl://127.0.0.1:%d", c.port+2)
		c.AdminTLS = fmt.Sprintf("https://127.0.0.1:%d", c.port+3)
		if c.TLS, err = issue(filepath.Join(c.Dir, "tls")); err != nil {
			return err
		}
	}
	if c.options.Tokens {
		return c.authenticate()
	}
	return nil
}

// hold starts the cluster under a script that deletes it when this process closes the script's
// input.
func (c *Cluster) hold() error {
	c.watch = c.command("hold", fmt.Sprintf("%s:%d", c.Name, c.port))
	// this process handles the terminal's Ctrl-C itself
	c.watch.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var complaints bytes.Buffer
	c.watch.Stderr = &complaints
	var err error
	if c.input, err = c.watch.StdinPipe(); err != nil {
		return err
	}
	output, err := c.watch.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.watch.Start(); err != nil {
		return err
	}
	if _, err := bufio.NewReader(output).ReadString('\n'); err != nil { // the line: it is up
		_ = c.input.Close()
		_ = c.watch.Wait()
		return errors.New(strings.TrimSpace(complaints.String()))
	}
	return nil
}

// Close ends the cluster and deletes its data. It may be called twice.
func (c *Cluster) Close() error {
	c.once.Do(func() {
		_ = c.input.Close()
		c.closed = errors.Join(c.watch.Wait(), os.RemoveAll(c.Dir))
	})
	return c.closed
}

// Kill ends the broker as a power cut would. It keeps the data.
func (c *Cluster) Kill() error { return c.run("kill", c.Name) }

// Stop shuts the broker down. It keeps the data.
func (c *Cluster) Stop() error { return c.run("stop", c.Name) }

// Up starts a broker that was killed or stopped, adds the settings to those it has, and returns
// when it is healthy.
func (c *Cluster) Up(settings ...string) error {
	c.options.Settings = append(c.options.Settings, settings...)
	return c.run("up", fmt.Sprintf("%s:%d", c.Name, c.port))
}

// Process returns the broker's process id; 0 if it does not run. Pause it with SIGSTOP.
func (c *Cluster) Process() int {
	text, err := os.ReadFile(filepath.Join(c.Dir, c.Name, "pid"))
	if err != nil {
		return 0
	}
	var pid int
	_, _ = fmt.Sscan(string(text), &pid)
	return pid
}

// Know makes each cluster known to the other, for replication.
func (c *Cluster) Know(other *Cluster) error {
	for _, pair := range [][2]*Cluster{{c, other}, {other, c}} {
		body := fmt.Sprintf(`{"serviceUrl":%q,"brokerServiceUrl":%q}`, pair[1].AdminURL, pair[1].BrokerURL)
		if _, err := pair[0].Admin("PUT", "clusters/"+pair[1].Name, body); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) run(args ...string) error {
	if out, err := c.command(args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s Pulsar cluster %s: %w: %s", args[0], c.Name, err, bytes.TrimSpace(out))
	}
	return nil
}

func (c *Cluster) command(args ...string) *exec.Cmd {
	script, err := findScript()
	cmd := exec.Command(script, args...)
	if err != nil {
		cmd.Err = err
	}
	cmd.Env = append(os.Environ(), "PULSAR_RUN="+c.Dir, "PULSAR_CONF="+strings.Join(c.options.Settings, "\n"))
	if c.options.Stock {
		cmd.Env = append(cmd.Env, "PULSAR_STOCK=1")
	}
	if c.options.TLS {
		cmd.Env = append(cmd.Env, "PULSAR_TLS_DIR="+filepath.Join(c.Dir, "tls"))
	}
	if c.options.Tokens {
		cmd.Env = append(cmd.Env, "PULSAR_TOKEN="+c.Token("admin"))
	}
	return cmd
}

// findScript looks for scripts/pulsar in the repository that the working directory lies in.
func findScript() (string, error) {
	begin, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := begin; ; dir = filepath.Dir(dir) {
		script := filepath.Join(dir, "scripts", "pulsar")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no scripts/pulsar above %s: run inside the repository", begin)
		}
	}
}
