package actors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/actors/crashes"
	"github.com/dashfeed/dashfeed/eventlog"
	checkpoints "github.com/dashfeed/dashfeed/eventlog/checkpoint/embedded"
	logs "github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/messages"
)

const (
	crashDirectory = "DASHFEED_TEST_CRASH_DIRECTORY"
	crashCommand   = "DASHFEED_TEST_CRASH_COMMAND"
	crashCode      = 77
)

// deadly is a log in which the records of one dashboard end the process, while they are folded or
// while they are read.
type deadly struct {
	eventlog.Log
	reading bool
}

func (d *deadly) PartitionOf(k messages.Key) (int, error) {
	if k.Dashboard == "deadly" && !d.reading {
		os.Exit(crashCode)
	}
	return d.Log.PartitionOf(k)
}

func (d *deadly) Read(partition int, after messages.Position) (eventlog.Reader, error) {
	r, err := d.Log.Read(partition, after)
	return &deadlyReader{r, d.reading}, err
}

type deadlyReader struct {
	eventlog.Reader
	reading bool
}

func (d *deadlyReader) Next(ctx context.Context, most int) ([]messages.Record, error) {
	records, err := d.Reader.Next(ctx, most)
	if d.reading && slices.ContainsFunc(records, func(r messages.Record) bool { return r.Key.Dashboard == "deadly" }) {
		os.Exit(crashCode)
	}
	return records, err
}

// outcome is the report of a process that has not ended.
type outcome struct {
	Failed   []int
	Troubles string
	Error    string
	Accepted map[string]uint64
}

// crashing is such a process: the test below runs again in a process of its own.
func crashing(t *testing.T, directory string) {
	command, reading := strings.CutPrefix(os.Getenv(crashCommand), "reading ")
	log, store := openOnDisk(t, directory)
	file, err := crashes.Open(filepath.Join(directory, "crashes"), func(n int) (string, error) { return fmt.Sprint(n), nil })
	must(t, err)
	c := Default()
	c.Log, c.Checkpoints, c.Crashes = &deadly{log, reading}, store, file
	c.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	h, err := New(c)
	must(t, err)
	must(t, h.Start(t.Context()))
	h.OwnAll()
	n := &node{T: t, host: h, log: log}
	n.until("decided", func() bool { return h.Ready() == nil })
	o := outcome{Accepted: map[string]uint64{}}
	switch command {
	case "accept":
		err = h.AcceptLoss(t.Context(), deadlyAt)
	case "retry":
		err = h.Retry(t.Context(), deadlyAt)
	}
	if err != nil {
		o.Error = err.Error()
	}
	if err := h.Troubles(); err != nil {
		o.Troubles = err.Error()
	}
	for shard := range 2 {
		if h.Failed(shard) {
			o.Failed = append(o.Failed, shard)
			continue
		}
		for _, k := range []messages.Key{key(onDisk[shard])} {
			last, err := log.Last(t.Context(), shard)
			must(t, err)
			r, err := h.Read(t.Context(), k, feed.Query{After: &feed.After{Partition: shard, Position: last}})
			must(t, err)
			o.Accepted[k.Dashboard] = r.Counters.Accepted
		}
	}
	must(t, h.Stop(t.Context()))
	must(t, errors.Join(file.Close(), store.Close(), log.Close()))
	must(t, json.NewEncoder(os.Stderr).Encode(o))
}

// onDisk lists dashboards by partition. deadlyAt is the partition of the deadly dashboard.
var (
	onDisk   [2]string
	deadlyAt int
)

func openOnDisk(t *testing.T, directory string) (*logs.Log, *checkpoints.Store) {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	lc := logs.Default(filepath.Join(directory, "log"))
	lc.Partitions, lc.Storage.Logger = 2, quiet
	cc := checkpoints.Default(filepath.Join(directory, "checkpoints"))
	cc.Storage.Logger = quiet
	log, err := logs.Open(lc)
	must(t, err)
	store, err := checkpoints.Open(cc)
	must(t, err)
	at, err := log.PartitionOf(key("deadly"))
	must(t, err)
	deadlyAt = at
	for i := 0; onDisk[0] == "" || onDisk[1] == ""; i++ {
		p, err := log.PartitionOf(key(fmt.Sprint("d", i)))
		must(t, err)
		onDisk[p] = fmt.Sprint("d", i)
	}
	return log, store
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A record that ends the process is read by three processes at most. The shard is reported as
// stopped, the other shards are served, and an operator makes the shard continue behind this one
// record.
func TestARecordThatEndsTheProcess(t *testing.T) {
	if directory := os.Getenv(crashDirectory); directory != "" {
		crashing(t, directory)
		return
	}
	for _, how := range []string{"", "reading "} {
		t.Run("while it is "+cmp.Or(how, "folded"), func(t *testing.T) { endsTheProcess(t, how) })
	}
}

func endsTheProcess(t *testing.T, how string) {
	directory := t.TempDir()
	log, store := openOnDisk(t, directory)
	var entries []eventlog.Entry
	for i := range 2000 {
		entries = append(entries, event1(onDisk[0], "m", 1), event1(onDisk[1], "m", 1))
		if i == 700 {
			entries = append(entries, event1("deadly", "m", 1))
		}
	}
	_, err := log.Append(t.Context(), entries)
	must(t, errors.Join(err, store.Close(), log.Close()))

	run := func(command string) (code int, o outcome) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestARecordThatEndsTheProcess$", "-test.count", "1")
		cmd.Env = append(os.Environ(), crashDirectory+"="+directory, crashCommand+"="+how+command)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		var ended *exec.ExitError
		switch {
		case errors.As(err, &ended) && ended.ExitCode() == crashCode:
			return crashCode, o
		case err != nil:
			t.Fatalf("%v: %s%s", err, out, errs.String())
		}
		must(t, json.Unmarshal([]byte(errs.String()), &o))
		return 0, o
	}
	ends := 0
	for code := crashCode; code == crashCode; ends++ {
		if code, _ = run(""); ends > 2*mostEnds {
			t.Fatalf("after %d ends the record is still read", ends)
		}
	}
	if ends--; how == "" && ends != mostEnds {
		t.Errorf("it was read by %d processes, want %d", ends, mostEnds)
	}
	t.Logf("%d processes have ended", ends)
	for range 2 { // the second start finds the same
		code, o := run("")
		if code != 0 || !slices.Equal(o.Failed, []int{deadlyAt}) || o.Accepted[onDisk[1-deadlyAt]] != 2000 {
			t.Fatalf("code %d, %+v", code, o)
		}
		for _, want := range []string{fmt.Sprintf("shard %d: stopped at position ", deadlyAt), "again and again", fmt.Sprint("dashfeed shard retry ", deadlyAt), "accept the loss"} {
			if !strings.Contains(o.Troubles, want) {
				t.Errorf("%q is not told: %s", want, o.Troubles)
			}
		}
		t.Log(o.Troubles)
	}
	if code, _ := run("retry"); code != crashCode {
		t.Error("retry does not read the record")
	}
	for code := crashCode; code == crashCode; {
		code, _ = run("")
	}
	code, o := run("accept")
	if code != 0 || len(o.Failed) > 0 || o.Error != "" || o.Troubles != "" {
		t.Fatalf("accepted: code %d, %+v", code, o)
	}
	lost := 2000 - o.Accepted[onDisk[deadlyAt]]
	if how == "" && lost != 0 {
		t.Errorf("with one record %d others were let go of", lost)
	}
	t.Logf("%d other records were let go of", lost)
	if code, again := run(""); code != 0 || again.Accepted[onDisk[deadlyAt]] != o.Accepted[onDisk[deadlyAt]] || len(again.Failed) > 0 {
		t.Errorf("at the next start: code %d, %+v, before %+v", code, again, o)
	}
}
