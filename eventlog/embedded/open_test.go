package embedded_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
)

func mustOpen(t *testing.T, c embedded.Config) *embedded.Log {
	t.Helper()
	l, err := embedded.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("got error %q, want %q in it", err, part)
		}
	}
}

func TestPartitionsAreFixed(t *testing.T) {
	c := embedded.Default(t.TempDir())
	c.Partitions = 5
	if err := mustOpen(t, c).Close(); err != nil {
		t.Fatal(err)
	}
	c.Partitions = 7
	_, err := embedded.Open(c)
	wantError(t, err, c.Path, "7 partitions are configured", "created with 5")
	c.Partitions = 0
	if got := mustOpen(t, c).Partitions(); got != 5 {
		t.Errorf("got %d partitions, want the 5 stored", got)
	}
}

func TestFormat(t *testing.T) {
	for name, c := range map[string]struct {
		format string
		want   []string
	}{
		"newer":      {`{"kind":"log","version":3,"partitions":8}`, []string{"format 3, newer than 2", "newer binary"}},
		"older":      {`{"kind":"log","version":1,"partitions":8}`, []string{"format 1", "format 2", "--data", "older version"}},
		"other kind": {`{"kind":"checkpoints","version":1}`, []string{`holds "checkpoints", want "log"`}},
		"broken":     {`{"kind":`, []string{"FORMAT.json"}},
		"no version": {`{"kind":"log"}`, []string{"format 0"}},
		"no number":  {`{"kind":"log","version":2}`, []string{"0 partitions"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "FORMAT.json"), []byte(c.format), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := embedded.Open(embedded.Default(dir))
			wantError(t, err, append(c.want, dir)...)
		})
	}
	t.Run("foreign store", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "MANIFEST-000001"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.Open(embedded.Default(dir))
		wantError(t, err, dir, "not created by Dashfeed")
	})
}

func TestNotADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedded.Open(embedded.Default(file))
	wantError(t, err, file)
	if errors.Is(err, eventlog.ErrInUse) {
		t.Errorf("got %v: a file is not a directory in use", err)
	}
}

func TestInUse(t *testing.T) {
	c := embedded.Default(t.TempDir())
	l := mustOpen(t, c)
	if _, err := embedded.Open(c); !errors.Is(err, eventlog.ErrInUse) {
		t.Errorf("opened twice in one process: got %v, want ErrInUse", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := mustOpen(t, c).Close(); err != nil {
		t.Fatal(err)
	}
}

// TestInUseByAnotherProcess runs this binary again to lock the directory.
func TestInUseByAnotherProcess(t *testing.T) {
	const holding = "LOG_TEST_HOLD"
	if dir := os.Getenv(holding); dir != "" {
		l := mustOpen(t, embedded.Default(dir))
		os.Stdout.WriteString("held\n")
		// until the other process closes this one's input
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		_ = l.Close()
		return
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInUseByAnotherProcess$")
	cmd.Env = append(os.Environ(), holding+"="+dir)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("the other process said %q, %v", line, err)
	}
	_, err := embedded.Open(embedded.Default(dir))
	if !errors.Is(err, eventlog.ErrInUse) {
		t.Errorf("got %v, want ErrInUse", err)
	}
	wantError(t, err, dir)
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, embedded.Default(dir))
}

func TestValidate(t *testing.T) {
	_, err := embedded.Open(embedded.Config{Partitions: -1, Retention: embedded.Retention{Age: -time.Second, Bytes: -1, Every: -1}})
	wantError(t, err, "directory", "-1 partitions", "age", "-1 bytes", "queue", "clock", "memtable")
	if err := embedded.Default("x").Validate(); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
}

// TestClockSetBack: append times never fall, over the two partitions and over a restart.
func TestClockSetBack(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	c := embedded.Default(t.TempDir())
	c.Partitions = 2
	c.Now = func() time.Time { return now }
	l := mustOpen(t, c)
	home := homes(l)
	for i, step := range []struct{ clock, want int64 }{
		{1_000_000, 1_000_000}, {999_000, 1_000_000}, {1_000_500, 1_000_500}, {5, 1_000_500}, {1_000_501, 1_000_501}, {0, 1_000_501},
	} {
		now = time.UnixMilli(step.clock)
		if i%2 == 1 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = mustOpen(t, c)
		}
		receipts, err := l.Append(t.Context(), []eventlog.Entry{event(home[i%2], "%d", i)})
		if err != nil {
			t.Fatal(err)
		}
		records := read(t, l, i%2, receipts[0].Position.Lo)
		if got := records[len(records)-1].Append; got != step.want {
			t.Errorf("clock at %d: got append time %d, want %d", step.clock, got, step.want)
		}
	}
}
