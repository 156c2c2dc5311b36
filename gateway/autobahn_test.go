//go:build autobahn

package gateway

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestAutobahn runs the Autobahn suite against our upgrade, reading and writing, except its
// measurements (9) and compression (12, 13). scripts/autobahn installs the suite and runs this
// test. TestFramesAreJudged, TestFaultsAreSeenAtOnce and TestTextIsUTF8 cover its cases on frames,
// text and closes without the suite.
func TestAutobahn(t *testing.T) {
	program := os.Getenv("DASHFEED_WSTEST")
	if program == "" {
		t.Fatal("DASHFEED_WSTEST is not set: run scripts/autobahn, which installs the suite and sets it")
	}
	srv, err := New(Config{Feed: newLocalFeed(), Sessions: Sessions{FrameBytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: echoes(srv)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	defer func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		_ = server.Close()
		<-done
	}()
	dir := t.TempDir()
	spec, err := json.Marshal(map[string]any{
		"outdir":        filepath.Join(dir, "reports"),
		"servers":       []map[string]string{{"agent": "dashfeed", "url": "ws://" + l.Addr().String()}},
		"cases":         []string{"*"},
		"exclude-cases": []string{"9.*", "12.*", "13.*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	specFile := filepath.Join(dir, "spec.json")
	if err := os.WriteFile(specFile, spec, 0o600); err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), program, "--mode", "fuzzingclient", "--spec", specFile)
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	report, err := os.ReadFile(filepath.Join(dir, "reports", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var agents map[string]map[string]struct{ Behavior, BehaviorClose string }
	if err := json.Unmarshal(report, &agents); err != nil {
		t.Fatal(err)
	}
	good := map[string]bool{"OK": true, "INFORMATIONAL": true}
	strict := 0
	for name, c := range agents["dashfeed"] {
		if !good[c.Behavior] || !good[c.BehaviorClose] {
			t.Errorf("case %s: %s, close %s", name, c.Behavior, c.BehaviorClose)
		} else {
			strict++
		}
	}
	t.Logf("%d of %d cases", strict, len(agents["dashfeed"]))
	if len(agents["dashfeed"]) < 240 {
		t.Errorf("only %d cases were run", len(agents["dashfeed"]))
	}
}
