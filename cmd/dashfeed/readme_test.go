package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme: the commands of "A dashboard of your own" do one after another what they say, in a
// fresh copy of the repository, also where the dashboard has the event that the page posts before.
func TestReadme(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## A dashboard of your own")
	section, _, _ = strings.Cut(section, "\n## ")
	yaml, err := os.ReadFile("examples/checkout/checkout.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(section, "```yaml\n"+string(yaml)+"```") {
		t.Error("the page shows another definition than the file's")
	}
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	publish(t, s.public, "a.ndjson", `{"id":"e-1","dashboard":"checkout","metric":"latency","value":12.5,"labels":{"country":"DE"}}`+"\n").has(t, exitDone, "accepted 1, counted 1")
	ran := 0
	for line := range strings.Lines(section) {
		command, ours := strings.CutPrefix(strings.TrimSpace(line), "bin/dashfeed ")
		if !ours {
			continue
		}
		args := strings.Fields(command)
		ran++
		if args[0] == "watch" {
			out, stop := watching(t, s.public, args[1], "table")
			lineWith(t, out, "countries ")
			stop()
			continue
		}
		if args[1] != "check" {
			args = append(args, "--server", s.public)
		}
		if code, out, stderr := call(t, "", args...); code != exitDone {
			t.Errorf("%s: exit %d: %s %s", command, code, out, stderr)
		}
	}
	if ran != 4 {
		t.Errorf("%d commands were found", ran)
	}
}
