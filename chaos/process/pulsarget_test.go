package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPulsarGet: scripts/pulsar get reports with an exit code what it could not do, and writes to
// HOME only.
func TestPulsarGet(t *testing.T) {
	const where = "org/apache/pulsar/pulsar-server-distribution/4.0.8/pulsar-server-distribution-4.0.8-bin.tar.gz"
	const fetch = `for a; do case $a in -Dmaven.repo.local=*) repo=${a#*=} ;; esac; done
echo "$MAVEN_OPTS" >"$HOME/opts"
mkdir -p "$repo/$(dirname ` + where + `)"
`
	const packed = `mkdir -p "$HOME/p/apache-pulsar-4.0.8/bin"; touch "$HOME/p/apache-pulsar-4.0.8/bin/pulsar"; chmod +x "$HOME/p/apache-pulsar-4.0.8/bin/pulsar"
tar -czf "$repo/` + where + `" -C "$HOME/p" apache-pulsar-4.0.8`
	for _, c := range []struct {
		name, mvn, says string
		fails           bool
	}{
		{"fetched", fetch + packed, "apache-pulsar-4.0.8", false},
		{"not fetched", "exit 1", "pulsar: maven can't fetch Pulsar 4.0.8", true},
		{"kept elsewhere", "exit 0", "pulsar: maven fetched Pulsar 4.0.8, but it is not at", true},
		{"not whole", fetch + `echo no archive >"$repo/` + where + `"`, "can't be unpacked", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			home, bin := t.TempDir(), t.TempDir()
			for name, text := range map[string]string{"mvn": c.mvn, "java": "", "curl": ""} {
				if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/usr/bin/env bash\nset -e\n"+text+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			get := exec.CommandContext(t.Context(), "../../scripts/pulsar", "get")
			get.Env = []string{"HOME=" + home, "PATH=" + bin + ":" + os.Getenv("PATH")}
			out, err := get.CombinedOutput()
			if (err != nil) != c.fails || !strings.Contains(string(out), c.says) {
				t.Errorf("%v: %s", err, out)
			}
			if opts, _ := os.ReadFile(filepath.Join(home, "opts")); !c.fails && !strings.Contains(string(opts), "-Duser.home="+home) {
				t.Errorf("Maven ran with %s", opts)
			}
		})
	}
}
