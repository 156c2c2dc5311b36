package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestDefinedTwice: two files that define the same dashboard are refused, wherever definitions are
// read.
func TestDefinedTwice(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.yaml": "dashboard: two\npanels: [{id: a, window: latest}]\n",
		"b.yaml": "dashboard: one\npanels: [{id: a, window: latest}]\n---\ndashboard: two\npanels: [{id: b, window: latest}]\n",
		"c.yml":  "dashboard: two\ntenant: other\npanels: [{id: b, window: latest}]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	says := "two is defined in " + a + " and " + b
	for _, c := range []struct {
		code int
		args []string
	}{
		{exitUsage, []string{"run", "--definitions", dir}},
		{exitUsage, []string{"gateway", "--definitions", dir, "--cluster-key", clusterKey(t)}},
		{exitFailed, []string{"definition", "check", dir}},
		{exitFailed, []string{"definition", "check", a, b}},
		{exitFailed, []string{"definition", "apply", a, b}},
	} {
		code, _, stderr := call(t, "", c.args...)
		if code != c.code || !strings.Contains(stderr, says) || strings.Contains(stderr, "c.yml") {
			t.Errorf("%v: exit %d: %s", c.args, code, stderr)
		}
	}
}

// TestHiddenDefinitions: hidden files, which editors and file systems keep beside a definition, are
// ignored.
func TestHiddenDefinitions(t *testing.T) {
	dir := t.TempDir()
	const text = "dashboard: two\npanels: [{id: a, window: latest}]\n"
	for name, text := range map[string]string{"a.yaml": text, ".a.yaml.swp.yaml": text, "._a.yaml": "\x00\x05"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("user@host.1234", filepath.Join(dir, ".#a.yaml")); err != nil {
		t.Fatal(err)
	}
	if code, out, stderr := call(t, "", "definition", "check", dir); code != exitDone || strings.Count(out, "two") != 1 {
		t.Errorf("exit %d: %s %s", code, out, stderr)
	}
	if err := os.Symlink("/nowhere", filepath.Join(dir, "b.yaml")); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := call(t, "", "definition", "check", dir); code != exitFailed || !strings.Contains(stderr, "in "+dir+": open b.yaml") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestDefinitionsFromStdin: definitions from standard input are checked and applied like files.
func TestDefinitionsFromStdin(t *testing.T) {
	s := start(t, os.Stderr, "run", "--data", t.TempDir())
	defer s.stop(t)
	const good = "dashboard: piped\npanels: [{id: a, window: latest}]\n"
	for _, c := range []struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		{good, []string{"check", "-"}, exitDone, "piped"},
		{"dashboard: x\npanels: []\n", []string{"check", "-"}, exitFailed, "stdin:2:"},
		{good, []string{"apply", "-", "--server", s.public}, exitDone, "piped"},
		{good, []string{"check", "-", "-"}, exitFailed, "stdin"},
		{strings.Repeat("#", maxStdin+1), []string{"check", "-"}, exitFailed, "standard input has more than 1048576 bytes"},
	} {
		code, out, stderr := call(t, c.stdin, append([]string{"definition"}, c.args...)...)
		if code != c.code || !strings.Contains(out+stderr, c.says) {
			t.Errorf("%v: exit %d: %s %s", c.args, code, out, stderr)
		}
	}
	if _, out, _ := call(t, "", "definition", "get", "piped", "--server", s.public); !strings.Contains(out, "dashboard: piped") {
		t.Errorf("in force is %s", out)
	}
}

// TestResetAsks: a file alone can't reset what a dashboard has counted.
func TestResetAsks(t *testing.T) {
	s := start(t, os.Stderr, "run", "--data", t.TempDir())
	defer s.stop(t)
	publish(t, s.public, "a.ndjson", `{"dashboard":"kept","metric":"m","value":1}`+"\n").has(t, exitDone, "accepted 1, counted 1")
	path := write(t, "kept.yaml", "dashboard: kept\nreset: true\npanels: [{id: a, window: latest}]\n")
	code, _, stderr := call(t, "y\n", "definition", "apply", path, "--server", s.public)
	if code != exitUsage || !strings.Contains(stderr, "kept.yaml") || !strings.Contains(stderr, "--yes") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if got := get(t, s.public+"/v1/dashboards/kept?cells=none"); !strings.Contains(got, `"records":1`) {
		t.Errorf("it was applied: %s", got)
	}
	if code, _, stderr := call(t, "", "definition", "apply", path, "--yes", "--server", s.public); code != exitDone {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if got := get(t, s.public+"/v1/dashboards/kept?cells=none"); !strings.Contains(got, `"records":0`) {
		t.Errorf("it was not applied: %s", got)
	}
}

// TestDefinitionDryRun: --dry-run prints what apply would change, and changes nothing.
func TestDefinitionDryRun(t *testing.T) {
	s := start(t, os.Stderr, "run", "--data", t.TempDir())
	defer s.stop(t)
	on := func(args ...string) []string {
		return append(append([]string{"definition"}, args...), "--server", s.public)
	}
	const first = "dashboard: d\npanels: [{id: kept, window: latest}, {id: gone, window: latest}, {id: wider, window: {tumbling: 10s}}]\n"
	second := write(t, "second.yaml", "dashboard: d\ntitle: Second\npanels: [{id: kept, window: latest, title: T}, {id: wider, window: {tumbling: 20s}}, {id: added, window: latest}]\n")
	does(t, first, exitFailed, "+++ stdin", on("diff", "-")...) // the default is in force
	does(t, first, exitDone, "", on("apply", "-")...)
	if out := does(t, first, exitDone, "", on("diff", "-")...); out != "" {
		t.Errorf("a diff of nothing: %s", out)
	}
	if out := does(t, "", exitFailed, "d: panel added starts empty", on("diff", second)...); !strings.Contains(out, "--- d in force\n+++ "+second+"\n") ||
		!strings.Contains(out, "\n+title: Second\n") || !strings.Contains(out, "\n-  - id: gone\n") {
		t.Errorf("diff: %s", out)
	}
	does(t, "", exitFailed, "--- d in force", on("diff", second, "-o", "json")...)
	var rows []struct {
		Changes bool
		Empty   []string `json:"empty_panels"`
		Removed []string `json:"removed_panels"`
	}
	out := does(t, "", exitDone, "nothing was applied", on("apply", "--dry-run", second, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 || !rows[0].Changes ||
		!slices.Equal(rows[0].Empty, []string{"wider", "added"}) || !slices.Equal(rows[0].Removed, []string{"gone"}) {
		t.Errorf("dry run: %v: %s", err, out)
	}
	reset := "reset: true\n" + first
	// it changes nothing, so it needs no confirmation
	does(t, reset, exitDone, "kept,gone,wider", on("apply", "--dry-run", "-")...)
	does(t, "dashboard: d\npanels: []\n", exitFailed, "stdin:2:", on("apply", "--dry-run", "-")...)
	if _, got, _ := call(t, "", on("get", "d")...); strings.Contains(got, "Second") {
		t.Errorf("a dry run has applied %s", got)
	}
	does(t, "", exitDone, "true", on("apply", second)...)
	does(t, "", exitDone, "false", on("apply", "--dry-run", second)...)
}
