package deploy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/client"
)

// expressions returns all expressions of Grafana's boards and Prometheus' rules.
func expressions(t *testing.T) []string {
	t.Helper()
	var found []string
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if e, ok := v["expr"].(string); ok {
				found = append(found, e)
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	var rules, board any
	if err := errors.Join(yaml.Unmarshal([]byte(read(t, "prometheus/alerts.yml")), &rules), json.Unmarshal([]byte(read(t, "grafana/boards/cluster.json")), &board)); err != nil {
		t.Fatal(err)
	}
	walk(rules)
	walk(board)
	if len(found) < 20 {
		t.Fatalf("only %d expressions were found: this test walks the files wrongly", len(found))
	}
	return found
}

// TestMetricsExist: every metric of the board and of the rules exists on some process of a running
// cluster that has folded events and shown them.
func TestMetricsExist(t *testing.T) {
	dir := t.TempDir()
	binary, err := process.Build(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c, err := process.StartCluster(t.Context(), process.ClusterConfig{Binary: binary, Dir: dir, Nodes: 1, Gateways: 1, Tenants: "default=2", Args: []string{"--checkpoint", "100ms"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			c.Logs(t.Output(), 30)
		}
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	showSomething(t, c.Gateways[0].URL)

	var there strings.Builder
	// wait for the first checkpoint
	for said := ""; !strings.Contains(said, "dashfeed_checkpoint_age_seconds{"); {
		said = fetch(t, c.Nodes[0].Admin+"/metrics")
		there.Reset()
		there.WriteString(said)
	}
	for _, url := range []string{c.Gateways[0].Admin + "/metrics", c.Pulsar.Admin + "/metrics/"} {
		there.WriteString(fetch(t, url))
	}
	metric := regexp.MustCompile(`\b(dashfeed|dashboard|pulsar|process|go)_[a-z_]+`)
	for _, e := range expressions(t) {
		for _, name := range metric.FindAllString(strings.NewReplacer(`"dashfeed-`, `"`).Replace(e), -1) {
			if !strings.Contains(there.String(), "\n"+name+"{") && !strings.Contains(there.String(), "\n"+name+" ") {
				t.Errorf("no process has %s of %s", name, e)
			}
		}
	}
}

// showSomething posts events until a viewer has seen two changes.
func showSomething(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := client.New(client.Options{Server: url})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	viewer := server.Subscribe(client.SubscribeOptions{Dashboard: "shown"})
	defer viewer.Close()
	for updates := 0; updates < 2; {
		resp, err := http.Post(url+"/v1/events", "application/json", strings.NewReader(`{"dashboard":"shown","metric":"m","value":1}`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		e, err := viewer.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := e.(*client.Update); ok {
			updates++
		}
	}
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v", url, resp.Status, err)
	}
	return "\n" + string(b)
}

// TestRulesParse checks the rules with Prometheus' own tool, if it is installed.
func TestRulesParse(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Log("promtool is missing: only the metrics' names were checked")
		return
	}
	for _, args := range [][]string{{"check", "rules", "prometheus/alerts.yml"}, {"check", "config", "prometheus/prometheus.yml"}} {
		if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
