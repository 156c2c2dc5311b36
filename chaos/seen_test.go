package chaos_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/recount"
	"github.com/dashfeed/dashfeed/chaos/traffic"
	"github.com/dashfeed/dashfeed/chaos/viewer"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
)

// region is the region of every server; it is part of every epoch.
const region = "local"

// boardDefinition is the definition of every dashboard in tests of whole histories: its cells
// change, appear, become final and disappear. Its windows accept late events only briefly, so that
// ticks soon end.
const boardDefinition = `
time: {bound: 500ms, lateness: 1s, max_future: 1h}
dedupe: {by: id, horizon: 1h}
panels:
  - {id: total, window: latest, aggregates: [count, sum]}
  - {id: newest, window: latest, group_by: [labels.k], aggregates: [last, max]}
  - {id: seconds, window: {tumbling: 1s}, keep: 10, aggregates: [count, sum, min, max]}
  - {id: visits, window: {session: 300ms}, keep: 5, group_by: [labels.k], aggregates: [count]}
`

// boards returns n dashboard names.
func boards(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("board-%d", i))
	}
	return names
}

// TestEveryVersionSeen kills a server twice under load while two viewers watch, then reads its log
// and folds it again. Every version that a viewer was shown equals the recounted one, and every
// acknowledged event is counted once.
func TestEveryVersionSeen(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data, "--checkpoint", "500ms")
	names := boards(20)
	for _, d := range names {
		define(t, p, d, boardDefinition)
	}
	account := traffic.NewAccount()
	load := &traffic.Load{Name: "seen", Gateways: []string{p.URL}, Dashboards: names, Rate: 1000, Account: account}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	loaded := make(chan error, 1)
	go func() { loaded <- load.Run(ctx) }()
	var viewers []*viewer.Viewer
	for i := range 2 {
		v := viewer.Watch(viewer.Config{Name: fmt.Sprintf("viewer %d", i), Gateways: []string{p.URL}, Dashboards: names, Record: true})
		t.Cleanup(v.Close)
		viewers = append(viewers, v)
	}
	for range 2 {
		time.Sleep(2 * time.Second) // real time: the server is a real process
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * time.Second)
	stop()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second) // wait for the last frames
	if err := p.Stop(); err != nil {
		t.Fatal(err)
	}

	log, err := embedded.Open(embedded.Default(filepath.Join(data, "log")))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	r := recount.New(region)
	for _, v := range viewers {
		v.Close()
		r.Expect("default", v.Seen())
	}
	if err := r.Read(t.Context(), log); err != nil {
		t.Fatal(err)
	}
	judge(t, r, viewers, account, names)
}

// judge fails the test if a viewer saw a state that never existed, a rule of the protocol was
// broken, or an event was lost or counted twice.
func judge(t *testing.T, r *recount.Recount, viewers []*viewer.Viewer, account *traffic.Account, names []string) {
	t.Helper()
	updates := 0
	for _, v := range viewers {
		counts := v.Counts()
		updates += counts.Updates
		t.Logf("%+v", counts)
		for _, problem := range v.Problems() {
			t.Error(problem)
		}
	}
	for _, problem := range r.Problems() {
		t.Error(problem)
	}
	t.Logf("%d events acknowledged, %d records folded again, %d updates seen, %d versions compared", account.All(), r.Records(), updates, r.Compared())
	if updates < 100 || r.Compared() < 100 {
		t.Error("the viewers saw too few updates")
	}
	for _, name := range names {
		d := r.Dashboard(key(name))
		if d == nil {
			t.Errorf("%s has no record", name)
			continue
		}
		if c, want := d.Counters(), account.Of(name); c.Accepted != want.Count || r.Unique(name) != want.Count || c.Invalid+c.Future+c.SetAside != 0 {
			t.Errorf("%s: %d events acknowledged, the log has %d and gives %+v", name, want.Count, r.Unique(name), c)
		}
	}
}
