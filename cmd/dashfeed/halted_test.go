package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// If a log was set back, the shards that lost something stop, and all others are served. The
// process is ready, reports which shards have stopped, and continues with them when an operator
// accepts the loss.
func TestRunServesWhatItCan(t *testing.T) {
	data := t.TempDir()
	const lost, whole = "a", "b" // their homes differ
	s := start(t, io.Discard, "run", "--data", data, "--partitions", "2")
	home := post(t, s.public, lost)
	if code := s.stop(t); code != 0 {
		t.Fatalf("exit %d: %s", code, s.stderr)
	}
	if err := os.RemoveAll(filepath.Join(data, "log")); err != nil {
		t.Fatal(err)
	}
	definitions := write(t, "all.yaml", "dashboard: a\npanels: [{id: n, window: {tumbling: 1h}, aggregates: [count]}]\n---\ndashboard: b\npanels: [{id: n, window: {tumbling: 1h}, aggregates: [count]}]\n")
	s = start(t, io.Discard, "run", "--data", data, "--partitions", "2", "--definitions", definitions)
	defer s.stop(t)
	if got := status(t, s.admin+"/readyz"); got != http.StatusOK {
		t.Errorf("readyz: %d %s", got, get(t, s.admin+"/readyz"))
	}
	told := get(t, s.admin+"/readyz?verbose")
	var shard int
	for line := range strings.Lines(told) {
		if strings.HasPrefix(line, "shards: ") {
			fmt.Sscanf(line, "shards: shard %d:", &shard)
		}
	}
	if !strings.Contains(told, fmt.Sprintf("shards: shard %d: stopped at position ", shard)) || !strings.Contains(told, "accept the loss") || !strings.Contains(told, "definitions: apply default/"+lost) {
		t.Errorf("readyz?verbose: %s", told)
	}
	if got := get(t, s.admin+"/metrics"); !strings.Contains(got, `dashfeed_shards{state="failed"} 1`) {
		t.Error("the metric does not tell of it")
	}
	if post(t, s.public, whole) == home || fmt.Sprint(shard) != home {
		t.Fatalf("both dashboards lie in partition %s, or shard %d is another", home, shard)
	}
	if got := status(t, s.public+"/v1/dashboards/"+whole); got != http.StatusOK {
		t.Errorf("a dashboard of the other shard: %d", got)
	}
	if got := get(t, s.public+"/v1/dashboards/"+lost); !strings.Contains(got, `"code":1301`) {
		t.Errorf("a dashboard of the shard that has stopped: %s", got)
	}
	if got := status(t, s.public+"/v1/dashboards"); got != http.StatusOK {
		t.Errorf("the list: %d", got)
	}

	if code, _, stderr := call(t, "", "shard", "accept-loss", fmt.Sprint(1-shard), "--yes", "--admin-server", s.admin); code != 1 || !strings.Contains(stderr, "has not stopped") {
		t.Errorf("of a shard that has lost nothing: exit %d %s", code, stderr)
	}
	if code, _, stderr := call(t, "", "shard", "retry", fmt.Sprint(shard), "--admin-server", s.admin); code != 1 || !strings.Contains(stderr, "stopped at position") {
		t.Errorf("retry: exit %d %s", code, stderr)
	}
	if code, _, stderr := call(t, "", "shard", "retry", "7", "--admin-server", s.admin); code != 1 || !strings.Contains(stderr, "there are 2") {
		t.Errorf("of a shard that is not: exit %d %s", code, stderr)
	}
	if code, _, stderr := call(t, "", "shard", "accept-loss", fmt.Sprint(shard), "--yes", "--admin-server", s.admin); code != 0 || !strings.Contains(stderr, "is live") {
		t.Errorf("accept-loss: exit %d %s", code, stderr)
	}
	until(t, s.admin, "definitions: ok")
	if got := status(t, s.public+"/v1/dashboards/"+lost); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
	if got := get(t, s.admin+"/readyz?verbose"); !strings.Contains(got, "shards: ok") {
		t.Errorf("afterwards: %s", got)
	}
}

// post appends an event to the dashboard, and returns the partition.
func post(t *testing.T, public, dashboard string) (partition string) {
	t.Helper()
	resp, err := http.Post(public+"/v1/events?dashboard="+dashboard, "application/json", strings.NewReader(`{"metric":"m","value":1}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var told struct{ Positions map[string]string }
	if err := json.NewDecoder(resp.Body).Decode(&told); err != nil || len(told.Positions) != 1 {
		t.Fatalf("%s %v %v", resp.Status, told, err)
	}
	for partition = range told.Positions {
	}
	return partition
}

func status(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
