package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testDefinitions: all gateways remember what one of them last applied from a file. So a definition
// that was put later survives any restart with the same file, and a file that changed wins.
func testDefinitions(t *testing.T, on []string) {
	seed := free(t)
	member := func(role, name, gossip string, args ...string) *served {
		return start(t, io.Discard, append(append([]string{
			role, "--node", name, "--cluster", "definitions", "--gossip", gossip, "--link", "127.0.0.1:0", "--join", seed, "--cluster-key", clusterKey(t), "--drain", "0s",
		}, on...), args...)...)
	}
	node := member("node", "one", seed, "--scratch", t.TempDir(), "--tenants", "files=2")
	until(t, node.admin, "shards: ok\n")

	dir := t.TempDir()
	text := func(title string) string {
		return fmt.Sprintf("title: %s\ntenant: files\ndashboard: d\npanels: [{id: p, window: {tumbling: 1s}, aggregates: [count]}]\n", title)
	}
	file := func(name, title string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text(title)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// gateway starts a gateway that applies its files, and expects a title in force.
	gateway := func(name, title string) *served {
		t.Helper()
		g := member("gateway", name, free(t), "--definitions", dir)
		until(t, g.admin, "definitions: ok\n")
		if got := get(t, g.public+"/v1/dashboards/d/definition?tenant=files"); !strings.Contains(got, "title: "+title+"\n") {
			t.Errorf("%s: in force is\n%s\nwant title %s", name, got, title)
		}
		return g
	}
	stop := func(s *served) {
		t.Helper()
		if code := s.stop(t); code != 0 {
			t.Errorf("stop: exit %d: %s", code, s.stderr)
		}
	}

	file("d.yaml", "first")
	a := gateway("a", "first")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.public+"/v1/dashboards/d/definition?tenant=files", strings.NewReader(text("put")))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Fatalf("put: %s", answer.Status)
	}
	stop(a)
	stop(gateway("a", "put"))
	b := gateway("b", "put") // another gateway, which never saw the file
	file("d.yaml", "second")
	a = gateway("a", "second")
	stop(b)
	stop(a)
	stop(gateway("b", "second"))
	stop(node)
}
