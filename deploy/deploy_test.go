// Package deploy_test checks that the files of this directory agree with the program and
// scripts/cluster.
package deploy_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/chaos/process"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settings returns the lines NAME=value of a file of variables.
func settings(t *testing.T, path string) map[string]string {
	t.Helper()
	m := map[string]string{}
	for line := range strings.Lines(read(t, path)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			name, value, _ := strings.Cut(line, "=")
			m[name] = value
		}
	}
	if len(m) < 3 {
		t.Fatalf("%s has %d settings: this test reads it wrongly", path, len(m))
	}
	return m
}

// composed is the part of docker-compose.yml that these tests check, as docker-compose completes
// it.
type composed struct {
	Services map[string]struct {
		Command     []string
		Environment map[string]string
		Volumes     []any
	}
}

// compose runs Debian's docker-compose, which needs no engine to parse the file.
func compose(t *testing.T) composed {
	t.Helper()
	var c composed
	cmd := exec.CommandContext(t.Context(), "docker-compose", "-f", "../docker-compose.yml", "config")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker-compose config: %v (scripts/setup-test installs it)\n%s", err, errs.String())
	}
	if err := yaml.Unmarshal(out, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSettingsAgree: a process of docker-compose.yml has the settings of the same process of
// scripts/cluster, except for addresses.
func TestSettingsAgree(t *testing.T) {
	c, script, shared := compose(t), read(t, "../scripts/cluster"), settings(t, "cluster.env")
	if !strings.Contains(script, `. "$root/deploy/cluster.env"`) {
		t.Error("scripts/cluster does not read deploy/cluster.env")
	}
	ours := regexp.MustCompile(`(DASHFEED_[A-Z_]+)=`)
	for _, name := range []string{"node-1", "node-2", "node-3", "gateway-1", "gateway-2"} {
		service, ok := c.Services[name]
		role, _, _ := strings.Cut(name, "-")
		if !ok || !slices.Equal(service.Command, []string{role}) {
			t.Errorf("%s: %v in docker-compose.yml", name, service.Command)
			continue
		}
		for key, value := range shared {
			if service.Environment[key] != value {
				t.Errorf("%s: %s is %q, deploy/cluster.env has %q", name, key, service.Environment[key], value)
			}
		}
		want := map[string]bool{"DASHFEED_GOSSIP_ADVERTISE": true, "DASHFEED_LINK_ADVERTISE": true, "DASHFEED_INSECURE": true, "DASHFEED_HOSTS": true}
		for _, m := range ours.FindAllStringSubmatch(script, -1) {
			own := map[string]string{"DASHFEED_SCRATCH": "node", "DASHFEED_LISTEN": "gateway"}[m[1]]
			want[m[1]] = own == "" || own == role
		}
		for key := range service.Environment {
			if _, common := shared[key]; !common && !want[key] {
				t.Errorf("%s: %s is set in docker-compose.yml and not by scripts/cluster", name, key)
			}
		}
		for key, wanted := range want {
			if _, there := service.Environment[key]; wanted && !there {
				t.Errorf("%s: %s is set by scripts/cluster and not in docker-compose.yml", name, key)
			}
		}
		if !slices.Contains(strings.Split(service.Environment["DASHFEED_HOSTS"], ","), name) {
			t.Errorf("%s: Prometheus and the demo use its name, which is not in DASHFEED_HOSTS", name)
		}
		if service.Environment["DASHFEED_NODE"] != name {
			t.Errorf("%s calls itself %q", name, service.Environment["DASHFEED_NODE"])
		}
	}
}

// TestProgramKnowsTheSettings: every variable is a setting of the program, with an allowed value.
func TestProgramKnowsTheSettings(t *testing.T) {
	binary, err := process.Build(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, service := range compose(t).Services {
		if service.Environment["DASHFEED_NODE"] == "" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), binary, "config", "show", "-o", "json")
		cmd.Env = os.Environ()
		for key, value := range service.Environment {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		// The role reports all wrong settings at once, one line each; the wrong cluster name keeps
		// it from starting.
		role := exec.CommandContext(t.Context(), binary, service.Command[0], "--cluster=")
		role.Env = cmd.Env
		if out, err := role.CombinedOutput(); err == nil || strings.Count(string(out), "\n") != 1 || !strings.Contains(string(out), "cluster name") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// TestBrokerSettingsAgree: scripts/pulsar sets the settings that docker-compose.yml sets for
// Pulsar.
func TestBrokerSettingsAgree(t *testing.T) {
	script := read(t, "../scripts/pulsar")
	for key, value := range settings(t, "pulsar.env") {
		if line := strings.TrimPrefix(key, "PULSAR_PREFIX_") + "=" + value; !strings.Contains(script, line) {
			t.Errorf("scripts/pulsar does not set %s", line)
		}
	}
}

// TestMountsExist: the paths in docker-compose.yml and Grafana's provisioning exist.
func TestMountsExist(t *testing.T) {
	for _, m := range regexp.MustCompile(`\./(deploy/[a-z/]+):`).FindAllStringSubmatch(read(t, "../docker-compose.yml"), -1) {
		if info, err := os.Stat(filepath.Join("..", m[1])); err != nil || !info.IsDir() {
			t.Errorf("%s is no directory: %v", m[1], err)
		}
	}
	for _, path := range []string{"prometheus/prometheus.yml", "prometheus/alerts.yml", "grafana/provisioning/datasources/prometheus.yml", "grafana/provisioning/dashboards/boards.yml"} {
		var v any
		if err := yaml.Unmarshal([]byte(read(t, path)), &v); err != nil {
			t.Error(fmt.Errorf("%s: %w", path, err))
		}
	}
}
