package chaos_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// TestGatewayRefuses sends events that can't be read, routed or stored for their size; the answer
// names each by index and reason.
func TestGatewayRefuses(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	long := strings.Repeat("x", 300)
	deep := `{"dashboard":"d","metric":"m","value":1,"metadata":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`
	for _, c := range []struct{ name, event, reason string }{
		{"syntax", `{"dashboard":`, "malformed"},
		{"NaN is not JSON", `{"dashboard":"d","metric":"m","value":NaN}`, "malformed"},
		{"a number", `12`, "not_an_object"},
		{"no dashboard", `{"metric":"m","value":1}`, "missing_dashboard"},
		{"no metric", `{"dashboard":"d","value":1}`, "missing_metric"},
		{"bad dashboard", `{"dashboard":"/etc","metric":"m","value":1}`, "bad_name"},
		{"bad tenant", `{"tenant":"a b","dashboard":"d","metric":"m","value":1}`, "bad_name"},
		{"bad label", `{"dashboard":"d","metric":"m","value":1,"labels":{"a":{}}}`, "bad_label"},
		{"bad label name", `{"dashboard":"d","metric":"m","value":1,"labels":{"1 a":"x"}}`, "bad_label"},
		{"two spellings", `{"dashboard":"d","dashboard_id":"d","metric":"m","value":1}`, "ambiguous_field"},
		{"long label value", `{"dashboard":"d","metric":"m","value":1,"labels":{"a":"` + long + `"}}`, "too_large"},
		{"deep nesting", deep, "too_large"},
	} {
		a := ask(t, "POST", p.URL+"/v1/events", []byte(`{"dashboard":"good","metric":"m","value":1}`+"\n"+c.event))
		refused, _ := a.field("refused").([]any)
		if a.status != http.StatusAccepted || a.field("accepted") != 1.0 || len(refused) != 1 {
			t.Errorf("%s: want the good event stored and one refused, got %s", c.name, a)
			continue
		}
		r := refused[0].(map[string]any)
		if r["index"] != 1.0 || r["reason"] != c.reason || r["message"] == "" {
			t.Errorf("%s: want index 1 refused as %s with a message, got %v", c.name, c.reason, r)
		}
	}
	if a := ask(t, "POST", p.URL+"/v1/events", []byte(`[{"dashboard":"d","metric":"m","value":1},{]`)); a.status != http.StatusBadRequest {
		t.Errorf("array with a syntax error: want 400, got %s", a)
	}
	if a := ask(t, "POST", p.URL+"/v1/events", bytes.Repeat([]byte(" "), 10<<20)); a.status != http.StatusRequestEntityTooLarge || a.header.Get("Retry-After") == "" {
		t.Errorf("10 MB body: want 413 with Retry-After, got %s", a)
	}
	stillServes(t, p)
}

// TestDashboardRefuses sends events that the gateway must store and the dashboard must refuse.
func TestDashboardRefuses(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	for _, body := range []string{
		`{"dashboard":"j","metric":"m","value":1e999}`, `{"dashboard":"j","metric":"m","value":null}`, `{"dashboard":"j","metric":"m"}`,
		`{"dashboard":"j","metric":"m","value":"12"}`, `{"dashboard":"j","metric":"m","value":true}`,
		`{"dashboard":"j","metric":"m","value":1,"time":"yesterday"}`,
		fmt.Sprintf(`{"dashboard":"j","metric":"m","value":1,"time":%d}`, time.Now().Add(time.Hour).UnixMilli()),
		`{"dashboard":"j","metric":"m","value":1,"id":"a"}`, `{"dashboard":"j","metric":"m","value":1,"id":"a"}`,
	} {
		if a := ask(t, "POST", p.URL+"/v1/events", []byte(body)); a.status != http.StatusAccepted {
			t.Fatalf("%s: %s", body, a)
		}
	}
	a := read(t, p, "j", "include=late,refused")
	for path, want := range map[string]float64{
		"counters.records": 10, "counters.accepted": 2, "counters.invalid": 6, "counters.future": 1, "counters.duplicates": 1,
		"counters.invalid_reasons.range": 1, "counters.invalid_reasons.missing": 2, "counters.invalid_reasons.type": 2, "counters.invalid_reasons.time": 1,
	} {
		if got := a.field(path); got != want {
			t.Errorf("%s is %v, want %v in %s", path, got, want, a)
		}
	}
	if refused, _ := a.field("refused").([]any); len(refused) != 7 {
		t.Errorf("want 7 events in the list of refused ones, got %v", refused)
	}
}

func TestBadDefinition(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir())
	a := ask(t, "PUT", p.URL+"/v1/dashboards/x/definition", []byte("dashboard: x\npanels:\n  - id: a\n    windw: {tumbling: 10s}\n"))
	problems, _ := a.field("problems").([]any)
	if a.status != http.StatusUnprocessableEntity || a.field("error.code") != 1108.0 || len(problems) == 0 {
		t.Fatalf("want 422 with code 1108 and problems, got %s", a)
	}
	first := problems[0].(map[string]any)
	if first["line"] != 4.0 || first["path"] != "panels[0].windw" || first["nearest"] != "window" {
		t.Errorf("want line 4, panels[0].windw, nearest window; got %v", first)
	}
	for _, bad := range []string{"panels: [", "", "[]", "dashboard: y\npanels: [{id: a, window: latest}]", "panels: [{id: a, window: {sliding: 60s}}]", "panels: [{id: a, window: {tumbling: 10s}, filter: 'now() > 1'}]"} {
		if a := ask(t, "PUT", p.URL+"/v1/dashboards/x/definition", []byte(bad)); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%q: want 422, got %s", bad, a)
		}
	}
	file := filepath.Join(t.TempDir(), "checkout.yaml")
	os.WriteFile(file, []byte("dashboard: checkout\npanels:\n  - id: rps\n    windw: latest\n"), 0o600)
	out, err := exec.Command(binary, "definition", "check", file).CombinedOutput()
	if code := exitCode(err); code != 1 || !strings.Contains(string(out), `checkout.yaml:4:5: panels[0].windw: unknown key; did you mean "window"? allowed: `) {
		t.Errorf("definition check: exit %d, %s", code, out)
	}
	stillServes(t, p)
}

// TestDataInUse starts a second process on the data directory of a running process.
func TestDataInUse(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	p := start(t, data)
	out, err := exec.Command(binary, "run", "--data", data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0").CombinedOutput()
	if exitCode(err) != 1 || !strings.Contains(string(out), data) || !strings.Contains(string(out), "in use") {
		t.Errorf("want exit 1 and a message that names %s and says it is in use; got exit %d, %s", data, exitCode(err), out)
	}
	stillServes(t, p)
}

// TestDiskFull fills a small disk: the server answers 503, loses nothing that it acknowledged, and
// stores events again when there is space.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", mount).CombinedOutput(); err != nil {
		t.Fatalf("mount a small tmpfs (this test needs root): %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", mount).Run() })
	data := filepath.Join(mount, "data")
	p := start(t, data, "--reserve", "32MiB")
	define(t, p, "full", "dashboard: full\npanels: [{id: total, window: latest, aggregates: [count]}]\n")
	acknowledged, refused := 0, false
	random := rand.NewChaCha8([32]byte{1})
	pad := make([]byte, 6<<10) // 8 KiB of text that does not compress
	post := func() answer {
		var body bytes.Buffer
		for i := range 50 {
			random.Read(pad)
			fmt.Fprintf(&body, `{"id":"%d-%d","dashboard":"full","metric":"m","value":1,"metadata":"%s"}`+"\n",
				acknowledged, i, base64.StdEncoding.EncodeToString(pad))
		}
		return ask(t, "POST", p.URL+"/v1/events", body.Bytes())
	}
	filler := filepath.Join(mount, "filler")
	os.WriteFile(filler, make([]byte, 24<<20), 0o600)
	for range 400 {
		a := post()
		if a.status == http.StatusServiceUnavailable && a.field("error.code") == 1302.0 && a.header.Get("Retry-After") != "" {
			refused = true
			break
		}
		if a.status != http.StatusAccepted {
			t.Fatalf("want 202 or 503 with code 1302 and Retry-After, got %s", a)
		}
		acknowledged += 50
	}
	if !refused {
		t.Fatalf("the disk never filled: %d events acknowledged", acknowledged)
	}
	t.Logf("full after %d events", acknowledged)
	os.Remove(filler)
	deadline := time.Now().Add(20 * time.Second)
	for a := post(); a.status != http.StatusAccepted; a = post() {
		if time.Now().After(deadline) {
			t.Fatalf("space is free again, and the server still refuses: %s", a)
		}
	}
	acknowledged += 50
	p.Kill()
	if err := p.Start(t.Context()); err != nil {
		t.Fatalf("restart: %v", err)
	}
	if a := read(t, p, "full", ""); a.field("counters.accepted") != float64(acknowledged+1) {
		t.Errorf("acknowledged %d events and the probe, counted %v", acknowledged, a.field("counters.accepted"))
	}
}

// TestRefusesToStart starts the binary with settings that can't work; each ends with a clear error
// on stderr and the documented exit code.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, []byte("listn: 127.0.0.1:1\n"), 0o600)
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"unknown flag", []string{"run", "--datta", "x"}, 2, "datta"},
		{"unknown command", []string{"rn"}, 2, "rn"},
		{"unknown key in the file", []string{"run", "--config", file}, 2, "listn"},
		{"data is a file", []string{"run", "--data", file, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, 1, file},
		{"no such definitions", []string{"run", "--data", t.TempDir(), "--definitions", "/nowhere", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, 2, "/nowhere"},
		{"bad address", []string{"run", "--data", t.TempDir(), "--listen", "nowhere"}, 2, "nowhere"},
		{"no server", []string{"definition", "get", "x", "--server", "http://127.0.0.1:1"}, 3, "127.0.0.1:1"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		out, err := exec.CommandContext(ctx, binary, c.args...).CombinedOutput()
		cancel()
		if exitCode(err) != c.code || !strings.Contains(string(out), c.says) {
			t.Errorf("%s: want exit %d and %q, got exit %d: %s", c.name, c.code, c.says, exitCode(err), out)
		}
	}
}

// read posts a probe event to the dashboard, waits until the fold has passed it, and reads the
// dashboard. Positions of one partition are ordered, so the fold has passed all earlier records
// too.
func read(t *testing.T, p *process.Process, dashboard, query string) answer {
	t.Helper()
	a := ask(t, "POST", p.URL+"/v1/events?dashboard="+dashboard, []byte(`{"metric":"probe","value":0,"id":"probe"}`))
	positions, _ := a.field("positions").(map[string]any)
	if a.status != http.StatusAccepted || len(positions) != 1 {
		t.Fatalf("probe: %s", a)
	}
	for partition, position := range positions {
		query += fmt.Sprintf("&after=%s:%v&wait=30s", partition, position)
	}
	a = ask(t, "GET", p.URL+"/v1/dashboards/"+dashboard+"?"+query, nil)
	if a.status != http.StatusOK {
		t.Fatalf("GET %s: %s", dashboard, a)
	}
	return a
}

// stillServes checks that the process still answers and is ready.
func stillServes(t *testing.T, p *process.Process) {
	t.Helper()
	if !p.Ready() {
		t.Error("the process is no longer ready")
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if e, ok := err.(*exec.ExitError); ok {
		return e.ExitCode()
	}
	return -1
}
