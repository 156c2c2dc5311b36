package page

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// Embedding the browser tests makes a change of them invalidate the test cache of this package.
//
//go:embed test
var tests embed.FS

var _ = tests // only the embedding counts

// result is what test/reporter.mjs reports of one test.
type result struct {
	Name    string
	OK      bool
	Skipped bool
	MS      int
	Error   string
	Notes   []string
}

// TestBrowser runs test/*.test.mjs in Chromium against the built binary; each of their tests is a
// subtest here.
func TestBrowser(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "../../scripts/build-page").CombinedOutput(); err != nil {
		t.Fatalf("build-page: %v\n%s", err, out)
	}
	if _, err := os.Stat("dist/built/index.html"); err != nil {
		t.Skip("the page is not built, and npm, which builds it, is missing")
	}
	binary, err := process.Build(ctx, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("test/*.test.mjs")
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests in test: %v", err)
	}
	slices.Sort(files)
	cmd := exec.CommandContext(ctx, "node", append([]string{"--test", "--test-concurrency=1", "--test-reporter=./test/reporter.mjs"}, files...)...)
	cmd.Env = append(os.Environ(), "PAGE_BINARY="+binary)
	cmd.Stderr = t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	seen, failed := 0, false
	for lines.Scan() {
		var r result
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			t.Log(lines.Text())
			continue
		}
		seen++
		t.Run(r.Name, func(t *testing.T) {
			for _, n := range r.Notes {
				t.Log(n)
			}
			switch {
			case r.Skipped:
				t.Skip(r.Error)
			case !r.OK:
				failed = true
				t.Errorf("after %d ms: %s", r.MS, r.Error)
			}
		})
	}
	if err := cmd.Wait(); err != nil && !failed {
		t.Errorf("node --test: %v", err)
	}
	if seen == 0 {
		t.Error("no test ran")
	}
}
