// Command dashfeed is Dashfeed's one binary: the server, and the commands that talk to it.
//
// Data goes to stdout, messages go to stderr. Exit codes: 0 done, 1 failed, 2 usage or config, 3
// could not reach the server, 4 some events refused, 130 interrupted.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := interruptible()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// interruptible returns a context that the first SIGINT, SIGTERM or SIGHUP ends. A second signal
// ends the process at once. If SIGHUP was ignored when the process started, as with nohup, it stays
// ignored.
func interruptible() (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(signals, syscall.SIGHUP)
	}
	go func() { // ends with the process: the second signal may come at any time
		<-signals
		cancel()
		<-signals
		os.Exit(exitInterrupted)
	}()
	return ctx, cancel
}

// run runs the program. It returns the exit code and leaves no goroutine behind.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	p := &program{Context: ctx, stdin: stdin, stdout: stdout, stderr: stderr}
	return p.exit(p.run(args))
}
