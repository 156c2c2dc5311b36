// Command bench measures the built binary through its public interfaces and prints its figures
// beside the project's targets, with commit, duration and number of samples.
//
//	go run ./bench latency      POST to the frame at a WebSocket client
//	go run ./bench post         CPU of POST /v1/events, by events a request
//	go run ./bench noisy        a tenant at ten times its limit; p99 of the others' POSTs
//	go run ./bench dashboards   memory of 100,000 dashboards, awake and asleep
//	go run ./bench sessions     memory of 10,000 idle plain sessions
//	go run ./bench kills        kill -9 of one owner of three, twenty times; pauses and recount
//	go run ./bench rolling      every node and gateway drained and restarted
//	go run ./bench tenant       a tenant of 512 partitions added beside 256 live shards
//	go run ./bench cut          nodes and broker cut off from each other for 5, 20 and 75 s (root)
//	go run ./bench fold         CPU from Pulsar to folded state, and the rate of a replay
//	go run ./bench load         50,000 dashboards move to a new owner
//	go run ./bench pulsar-latency   a producer's send to the frame, through Pulsar and two processes
//	go run ./bench -tenants 200 idle   CPU of nodes and broker while nothing happens
//	go run ./bench all
//
// With BENCH_PROFILE=DIR, fold, post and pulsar-latency write CPU profiles of the processes to DIR.
// With BENCH_AGAINST=BINARY[,BINARY], post measures these binaries in turn with this one.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// measurement is one measurement of the table; run prints its figures to b.out.
type measurement struct {
	name string
	run  func(ctx context.Context, b *bench) error
}

var measurements = []measurement{
	{"latency", latency},
	{"post", posting},
	{"noisy", noisy},
	{"dashboards", dashboards},
	{"sessions", sessions},
	{"kills", kills},
	{"rolling", rolling},
	{"tenant", tenant},
	{"cut", cut},
	{"fold", folding},
	{"load", moving},
	{"pulsar-latency", pulsarLatency},
	{"idle", idle},
}

// bench holds what every measurement needs.
type bench struct {
	binary  string
	dir     string
	out     io.Writer
	tenants int // tenants of the measurement idle
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var names []string
	for _, m := range measurements {
		names = append(names, m.name)
	}
	b := &bench{out: out}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&b.tenants, "tenants", 50, "number of tenants of the measurement idle, each with a topic of four partitions")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if args = flags.Args(); len(args) != 1 {
		return fmt.Errorf("want one argument: %s or all", strings.Join(names, ", "))
	}
	dir, err := os.MkdirTemp("", "dashfeed-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	if b.binary = os.Getenv(binaryVariable); b.binary != "" {
		return cut(ctx, b)
	}
	if b.binary, err = process.Build(ctx, dir); err != nil {
		return err
	}
	fmt.Fprintf(out, "commit %s  %s  %d cpus  %s\n", commit(ctx), runtime.Version(), runtime.NumCPU(), time.Now().UTC().Format(time.RFC3339))
	found := false
	for _, m := range measurements {
		if args[0] == m.name || args[0] == "all" {
			found = true
			began := time.Now()
			if err := m.run(ctx, b); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
			fmt.Fprintf(out, "%s took %s\n", m.name, time.Since(began).Round(time.Millisecond))
		}
	}
	if !found {
		return fmt.Errorf("no measurement %q: want %s or all", args[0], strings.Join(names, ", "))
	}
	return nil
}

// start runs a server on a data directory of its own.
func (b *bench) start(ctx context.Context, name string, args ...string) (*process.Process, error) {
	return process.Start(ctx, process.Config{Binary: b.binary, Data: b.dir + "/" + name, Args: args, Log: os.Stderr})
}

// figure prints one figure beside its target.
func (b *bench) figure(name string, got, target float64, unit string) {
	verdict := "reached"
	if got > target {
		verdict = "NOT reached"
	}
	fmt.Fprintf(b.out, "%-44s %10.2f %-4s target <= %g %s  %s\n", name, got, unit, target, unit, verdict)
}

func commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
