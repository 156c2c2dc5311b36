//go:build !race

package link

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childMain makes this binary a process that answers every beat, if it was started as one.
func childMain() {
	bind := os.Getenv("LINK_TEST_CHILD")
	if bind == "" {
		return
	}
	l, err := Listen(Config{Node: "child", Bind: bind})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for _, k := range kinds {
		l.Handle(k, func(from Peer, body []byte) { l.Send(from, k, body) })
	}
	if err := l.Start(); err != nil {
		os.Exit(1)
	}
	fmt.Println(l.Self().Name, l.Self().Address)
	_, _ = io.Copy(io.Discard, os.Stdin) // ends with its parent
	os.Exit(0)
}

type child struct {
	cmd  *exec.Cmd
	peer Peer
}

func startChild(t testing.TB, bind string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), "LINK_TEST_CHILD="+bind)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); c.kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	c.peer = Peer{fields[0], fields[1]}
	return c
}

func (c *child) kill() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() }

// echo beats until the child answers, and tells how long that took.
func echo(t *testing.T, a *node, p Peer, every time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for time.Since(start) < 20*time.Second {
		a.Send(p, Beat, []byte("beat"))
		select {
		case m := <-a.boxes[Beat]:
			if m.from == p {
				return time.Since(start)
			}
		case <-tick.C:
		}
	}
	t.Fatal("no answer in 20 s")
	return 0
}

func TestAKilledProcessIsLostAndItsRestartHeard(t *testing.T) {
	a := listen(t, "a", "127.0.0.1:0").start(t)
	c := startChild(t, "127.0.0.1:0")
	echo(t, a, c.peer, 250*time.Millisecond)
	for range 3 {
		start := time.Now()
		_ = c.cmd.Process.Kill()
		p := <-a.lost
		lost := time.Since(start)
		if p != c.peer {
			t.Errorf("lost %v, want %v", p, c.peer)
		}
		_ = c.cmd.Wait()
		// Beats go on as they would until the view knows.
		for range 4 {
			a.Send(c.peer, Beat, nil)
		}
		c = startChild(t, c.peer.Address)
		heard := echo(t, a, c.peer, 250*time.Millisecond)
		t.Logf("kill -9: lost after %v; restarted at the same address: heard after %v", lost, heard)
		if lost > time.Second || heard > time.Second {
			t.Errorf("lost after %v and heard after %v, want both under 1 s", lost, heard)
		}
		for len(a.lost) > 0 {
			<-a.lost
		}
	}
}

func TestAPausedProcessIsNotWaitedForAndComesBack(t *testing.T) {
	a, b := listen(t, "a", "127.0.0.1:0").start(t), listen(t, "b", "127.0.0.1:0").start(t)
	c := startChild(t, "127.0.0.1:0")
	echo(t, a, c.peer, 250*time.Millisecond)
	if err := c.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		a.Send(c.peer, Feed, make([]byte, 256<<10)) // more than its windows take
		a.Send(c.peer, Beat, []byte("beat"))
		a.Send(b.Self(), Beat, []byte("beat"))
		b.boxes[Beat].next(t)
	}
	if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for len(a.boxes[Beat]) > 0 {
		<-a.boxes[Beat]
	}
	t.Logf("heard %v after it goes on", echo(t, a, c.peer, 250*time.Millisecond))
}

// BenchmarkOneWay measures a message there and back between two processes, 64 on the way; halve it for one way.
func BenchmarkOneWay(b *testing.B) {
	for _, size := range []int{200, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, err := Listen(Config{Node: "a", Bind: "127.0.0.1:0"})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			back := make(chan struct{}, 1<<16)
			l.Handle(Feed, func(Peer, []byte) { back <- struct{}{} })
			if err := l.Start(); err != nil {
				b.Fatal(err)
			}
			c := startChild(b, "127.0.0.1:0")
			defer c.kill()
			body := make([]byte, size)
			const window = 64
			for range window {
				l.Send(c.peer, Feed, body)
			}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var before, after syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			for b.Loop() {
				<-back
				l.Send(c.peer, Feed, body)
			}
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/2, "cpu-ns/one-way")
		})
	}
}
