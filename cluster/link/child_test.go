package link

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
)

// childMain turns this binary into a process that answers every beat, if it was started as one.
func childMain() {
	bind := os.Getenv("LINK_TEST_CHILD")
	if bind == "" {
		return
	}
	l, err := Listen(Config{Node: "child", Cluster: "test", Bind: bind})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l.Handle(func(from Peer, body []byte) { l.Beat(from, bytes.Clone(body)) })
	l.RegisterService(stream(func(s grpc.ServerStream) error {
		var m Message
		for {
			if err := s.RecvMsg(&m); err != nil {
				return err
			}
			if err := s.SendMsg(&m); err != nil {
				return err
			}
		}
	}), l)
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

// echo sends beats until the child answers, and returns how long that took.
func echo(t *testing.T, a *node, p Peer, every time.Duration) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	for time.Since(start) < 20*time.Second {
		a.Beat(p, []byte("beat"))
		select {
		case m := <-a.box:
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
		// Beats continue, as they would until the view changes.
		for range 4 {
			a.Beat(c.peer, []byte("beat"))
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
	for range 2000 { // more than its windows and buffers hold
		a.Beat(c.peer, make([]byte, MaxMessage/8))
		a.Beat(b.Self(), []byte("beat"))
		b.next(t)
	}
	if err := c.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for len(a.box) > 0 {
		<-a.box
	}
	t.Logf("heard %v after it continues", echo(t, a, c.peer, 250*time.Millisecond))
}

// BenchmarkOneWay measures a round trip of a message between two processes with 64 in flight; halve
// it for one way.
func BenchmarkOneWay(b *testing.B) {
	for _, size := range []int{200, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l, err := Listen(Config{Node: "a", Cluster: "test", Bind: "127.0.0.1:0"})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			if err := l.Start(); err != nil {
				b.Fatal(err)
			}
			c := startChild(b, "127.0.0.1:0")
			defer c.kill()
			s := open(b, l, c.peer)
			body := Message(make([]byte, size))
			const window = 64
			go func() {
				for range window {
					_ = s.SendMsg(&body)
				}
			}()
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var back Message
			var before, after syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			for b.Loop() {
				if err := s.RecvMsg(&back); err != nil {
					b.Fatal(err)
				}
				if err := s.SendMsg(&body); err != nil {
					b.Fatal(err)
				}
			}
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/2, "cpu-ns/one-way")
		})
	}
}
