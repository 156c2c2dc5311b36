package js

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// report is the output of vitest's JSON reporter.
type report struct {
	TestResults []struct {
		Name             string // the file
		Message          string // why the file as a whole failed
		Status           string
		AssertionResults []struct {
			FullName        string
			Status          string // passed, failed, or why it did not run
			FailureMessages []string
		}
	}
}

// readSources reads the files that npm will read, so that go test does not reuse an older result.
func readSources(t *testing.T) {
	t.Helper()
	for _, dir := range []string{"src", "test", "../../messages/wire/testdata"} {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if _, err := os.ReadFile(filepath.Join(dir, f.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestGateways runs test/gateways.ts against a cluster of real processes.
func TestGateways(t *testing.T) {
	readSources(t)
	dir := t.TempDir()
	binary, err := process.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := process.StartCluster(t.Context(), process.ClusterConfig{Binary: binary, Dir: dir, Nodes: 1, Tenants: "default=1"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	}()
	var public, admin []string
	for _, g := range cluster.Gateways {
		public, admin = append(public, g.URL), append(admin, g.Admin)
	}
	npm := exec.CommandContext(t.Context(), "npx", "vitest", "run")
	npm.Env = append(os.Environ(), "TEST_GATEWAYS="+strings.Join(public, ","), "TEST_ADMINS="+strings.Join(admin, ","))
	if said, err := npm.CombinedOutput(); err != nil {
		t.Errorf("npx vitest: %v\n%s", err, said)
	}
}

// TestNpm runs `npm test` against the built binary; each of its tests is a subtest here.
func TestNpm(t *testing.T) {
	if _, err := os.Stat("node_modules"); err != nil {
		t.Fatal("client/js has no node_modules: scripts/setup-test installs them")
	}
	readSources(t)
	dir := t.TempDir()
	binary, err := process.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "report.json")
	npm := exec.CommandContext(t.Context(), "npm", "test", "--", "--reporter=json", "--outputFile="+out)
	npm.Env = append(os.Environ(), "TEST_BINARY="+binary)
	said, failed := npm.CombinedOutput()
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatalf("npm test: %v\n%s", failed, said)
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	if len(r.TestResults) == 0 || failed != nil {
		t.Errorf("npm test: %v\n%s", failed, said)
	}
	for _, file := range r.TestResults {
		t.Run(strings.TrimSuffix(filepath.Base(file.Name), ".test.ts"), func(t *testing.T) {
			if file.Status != "passed" || len(file.AssertionResults) == 0 {
				t.Errorf("%s %s", file.Status, file.Message)
			}
			for _, one := range file.AssertionResults {
				t.Run(one.FullName, func(t *testing.T) {
					switch one.Status {
					case "passed":
					case "failed":
						t.Error(strings.Join(one.FailureMessages, "\n"))
					default:
						t.Skip(one.Status)
					}
				})
			}
		})
	}
}
