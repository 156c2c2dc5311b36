package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asked runs a server that answers with an empty list and keeps the last request.
func asked(t *testing.T) (server *httptest.Server, last *http.Request) {
	last = &http.Request{}
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*last = *r
		_, _ = w.Write([]byte(`{"dashboards":[]}`))
	}))
	t.Cleanup(server.Close)
	return server, last
}

// contextsIn gives the test its own directory of contexts, and returns their file.
func contextsIn(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	return filepath.Join(dir, "dashfeed", "contexts.yaml")
}

// does fails the test if a command exits with another code or its output lacks the text.
func does(t *testing.T, stdin string, code int, says string, args ...string) string {
	t.Helper()
	got, out, stderr := call(t, stdin, args...)
	if got != code || !strings.Contains(out+stderr, says) {
		t.Errorf("%v: exit %d, want %d and %q: %s%s", args, got, code, says, out, stderr)
	}
	return out
}

// TestContexts: a context fills in the server, the tenant and the token if no flag, variable or
// file gives them.
func TestContexts(t *testing.T) {
	path := contextsIn(t)
	one, first := asked(t)
	other, second := asked(t)
	does(t, "", exitDone, "", "context", "list")
	does(t, "secret\n", exitDone, "context use one", "context", "set", "one", "--server", one.URL, "--tenant", "acme", "--token", "-")
	does(t, "", exitDone, "", "context", "set", "other", "--server", other.URL)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of tokens: %v, %v", info.Mode(), err)
	}
	does(t, "", exitDone, "", "context", "use", "one")

	if out := does(t, "", exitDone, "", "context", "list", "-o", "json"); !strings.Contains(out, `"current": true`) || strings.Contains(out, "secret") {
		t.Errorf("list: %s", out)
	}
	list := []string{"dashboard", "list"}
	does(t, "", exitDone, "", list...)
	if first.Header.Get("Authorization") != "Bearer secret" || first.URL.Query().Get("tenant") != "acme" {
		t.Errorf("asked %s with %q", first.URL, first.Header.Get("Authorization"))
	}
	does(t, "", exitDone, "", append(list, "--tenant", "flag")...)
	if first.URL.Query().Get("tenant") != "flag" {
		t.Errorf("a flag does not win over the context: %s", first.URL)
	}
	t.Setenv("DASHFEED_TENANT", "variable")
	does(t, "", exitDone, "", list...)
	if first.URL.Query().Get("tenant") != "variable" {
		t.Errorf("a variable does not win over the context: %s", first.URL)
	}
	does(t, "", exitDone, "", append(list, "--server", other.URL)...)
	if second.URL == nil || second.Header.Get("Authorization") != "" {
		t.Errorf("another server than the context's was told its token: %v", second.Header)
	}
	*second = http.Request{}
	does(t, "", exitDone, "", append(list, "--context", "other")...)
	t.Setenv("DASHFEED_CONTEXT", "other")
	if second.URL == nil {
		t.Error("--context was not used")
	}
	*second = http.Request{}
	does(t, "", exitDone, "", list...)
	if second.URL == nil {
		t.Error("DASHFEED_CONTEXT was not used")
	}
	if out := does(t, "", exitDone, "", "config", "show"); !strings.Contains(out, "context other") {
		t.Errorf("config show: %s", out)
	}
}

// TestContextsRefused: an error about contexts is reported, and changes nothing.
func TestContextsRefused(t *testing.T) {
	path := contextsIn(t)
	does(t, "", exitDone, "", "context", "set", "prod", "--admin-server", "http://127.0.0.1:1")
	does(t, "", exitUsage, `unknown context "prd"; did you mean "prod"?`, "context", "use", "prd")
	does(t, "", exitUsage, `unknown context "staging"; dashfeed context list prints`, "dashboard", "list", "--context", "staging")
	does(t, "", exitUsage, "unknown context", "context", "delete", "staging", "--yes")
	does(t, "", exitUsage, "would be empty", "context", "set", "empty")
	does(t, "", exitUsage, "ftp://x", "context", "set", "bad", "--server", "ftp://x")
	does(t, "", exitUsage, "want http://HOST:PORT", "context", "set", "bad", "--admin-server", "x:1")
	does(t, "", exitUsage, "tenant name", "context", "set", "bad", "--tenant", "a/b")
	does(t, "", exitUsage, "context name", "context", "set", "a b", "--tenant", "a")
	does(t, "", exitDone, "", "context", "use", "prod")
	does(t, "", exitUnreachable, "127.0.0.1:1", "cluster", "members")
	does(t, "", exitUsage, "--yes", "context", "delete", "prod")
	does(t, "", exitUnreachable, "127.0.0.1:1", "cluster", "members")
	does(t, "", exitDone, "", "context", "delete", "prod", "--yes")
	if out := does(t, "", exitDone, "", "context", "list", "-o", "json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("after the delete: %s", out)
	}
	if err := os.WriteFile(path, []byte("contexts: {a: {sever: x}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	does(t, "", exitUsage, path, "dashboard", "list")
	does(t, "", exitUsage, "sever", "context", "set", "a", "--tenant", "t")
	does(t, "", exitDone, "", "version") // a command that needs no server needs no contexts
}
