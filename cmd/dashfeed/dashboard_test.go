package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// TestDashboards: dashboards are listed, read, opened and deleted.
func TestDashboards(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	define(t, s.public, "dashboard: sales\ntitle: Sales of today\npanels: [{id: total, window: {tumbling: 1h}, group_by: [labels.shop], aggregates: [count, sum]}]\n")
	publish(t, s.public, "a.ndjson", `{"dashboard":"sales","metric":"m","value":2,"time":1700000000000,"labels":{"shop":"x"}}`+"\n").has(t, exitDone, "accepted 1, counted 1")
	on := func(args ...string) []string {
		return append(append([]string{"dashboard"}, args...), "--server", s.public)
	}

	does(t, "", exitDone, "Sales of today", on("list")...)
	if out := does(t, "", exitDone, "", on("list", "--prefix", "other", "-o", "json")...); strings.TrimSpace(out) != "[]" {
		t.Errorf("a list of none: %s", out)
	}
	does(t, "", exitDone, "total 14 Nov 22:00:00-23:00:00 [x] count=1 sum=2", on("get", "sales")...)
	does(t, "", exitDone, "1 records: 1 accepted", on("get", "sales")...)
	for _, format := range []string{"json", "yaml"} {
		does(t, "", exitDone, "accepted", on("get", "sales", "-o", format)...)
	}
	var reading struct{ Cells []json.RawMessage }
	if err := json.Unmarshal([]byte(does(t, "", exitDone, "", on("get", "sales", "-o", "json")...)), &reading); err != nil || len(reading.Cells) != 1 {
		t.Errorf("get -o json: %v, %d cells", err, len(reading.Cells))
	}
	if out := does(t, "", exitDone, "", on("open", "sales", "--tenant", "default")...); out != s.public+"/d/sales\n" {
		t.Errorf("open: %q", out)
	}

	const unknown = `there is no dashboard "sale": it has no event and no definition; did you mean "sales"?`
	for _, command := range []string{"get", "open", "delete"} {
		does(t, "", exitFailed, unknown, on(command, "sale", "--tenant", "default")...)
	}
	does(t, "", exitUsage, "all that sales has counted is gone", on("delete", "sales")...)
	does(t, "", exitDone, "count=1", on("get", "sales")...)
	does(t, "", exitDone, "its name stays in the list", on("delete", "sales", "--yes")...)
	if out := does(t, "", exitDone, "0 records", on("get", "sales")...); out != "" {
		t.Errorf("after the delete it shows %s", out)
	}
	if got := get(t, s.public+"/v1/dashboards/sales/definition"); strings.Contains(got, "Sales of today") {
		t.Errorf("after the delete its definition is %s", got)
	}
}

// TestWatchUnknown: watch reports a mistyped name; with --wait it waits for the dashboard.
func TestWatchUnknown(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	define(t, s.public, "dashboard: checkout\npanels: [{id: a, window: latest}]\n")
	does(t, "", exitFailed, `there is no dashboard "chekout": it has no event and no definition; did you mean "checkout"?; --wait waits`, "watch", "chekout", "--server", s.public)
	out, stop := watching(t, s.public, "chekout", "table") // with --wait
	defer stop()
	lineWith(t, out, "no event yet: waiting")
}
