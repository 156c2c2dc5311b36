package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
)

// TestMain gives the tests their own directory of contexts.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dashfeed-config-")
	if err != nil {
		panic(err)
	}
	if os.Getenv(readmeCopy) == "" {
		os.Setenv("XDG_CONFIG_HOME", dir)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// call runs the program in this process.
func call(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return callUntil(t.Context(), stdin, args...)
}

// callUntil is like call, for a command that the end of ctx interrupts.
func callUntil(ctx context.Context, stdin string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(ctx, args, strings.NewReader(stdin), &out, &errs)
	return code, out.String(), errs.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir()) // a command that is wrongly accepted leaves its files there
	bad := write(t, "bad.yaml", "dashboard: x\npanels:\n  - id: a\n    windw: latest\n")
	good := write(t, "good.yaml", "dashboard: x\npanels: [{id: a, window: latest}]\n")
	unknownKey := write(t, "config.yaml", "listn: 127.0.0.1:1\n")
	nowhere := "http://127.0.0.1:1"
	for _, c := range []struct {
		args []string
		code int
		says string // on stderr
	}{
		{[]string{"version"}, 0, ""},
		{[]string{"--help"}, 0, ""},
		{[]string{"definition", "check", good}, 0, ""},
		{[]string{"definition", "check", bad}, 1, `bad.yaml:4:5: panels[0].windw: unknown key; did you mean "window"?`},
		{[]string{"definition", "check", "/nowhere"}, 1, "/nowhere"},
		{[]string{"rn"}, 2, `did you mean "run"?`},
		{[]string{"run", "--datta", "x"}, 2, "--datta"},
		{[]string{"run", "--config", unknownKey}, 2, `unknown key "listn"; did you mean "listen"?`},
		{[]string{"run", "--config", "/nowhere"}, 2, "/nowhere"},
		{[]string{"run", "--definitions", "/nowhere"}, 2, "/nowhere"},
		{[]string{"run", "--definitions", bad}, 2, "bad.yaml:4:5"},
		{[]string{"run", "--flush", "1s"}, 2, "0 to 100ms"},
		{[]string{"run", "--reserve", "lots"}, 2, "KiB"},
		{[]string{"run", "--log-level", "loud"}, 2, "log-level"},
		{[]string{"run", "--listen="}, 2, `--listen "" is not an address`},
		{[]string{"run", "--admin="}, 2, `--admin "" is not an address`},
		{[]string{"demo", "--listen="}, 2, `--listen "" is not an address`},
		{[]string{"node", "--gossip="}, 2, `--gossip "" is not an address`},
		{[]string{"gateway", "--link="}, 2, `--link "" is not an address`},
		{[]string{"gateway", "--listen="}, 2, `--listen "" is not an address`},
		{[]string{"run", "--config="}, 2, `--config is empty`},
		{[]string{"run", "--config", write(t, "empty.yaml", "listen: \"\"\n")}, 2, `--listen "" is not an address`},
		{[]string{"run", "--config", write(t, "nothing.yaml", "data:\n")}, 2, `key "data" has no value: give it one, or leave the key out`},
		{[]string{"run", "--config", write(t, "tilde.yaml", "hosts: ~\nlisten: null\n")}, 2, `key "listen" has no value`},
		{[]string{"run", "--config", write(t, "two.yaml", "log-level: warn\n---\ndata: x\n")}, 2, "line 3: a second document begins"},
		{[]string{"run", "--config", write(t, "itself.yaml", "config: x\n")}, 2, `unknown key "config"; dashfeed config show lists the settings`},
		{[]string{"run", "--limit", "evnts=5"}, 2, `--limit: limit "evnts" is not known; names are address-connects, address-connections, `},
		{[]string{"run", "--config", write(t, "limits.yaml", "limit: {events: fast, bytes: 1KiB}\n")}, 2, `--limit: limit events: "fast" is not allowed: a number, from 0, or none`},
		{[]string{"run", "--listen", "127.0.0.1"}, 2, `--listen "127.0.0.1" is not an address: want HOST:PORT`},
		{[]string{"run", "--listen", "127.0.0.1:"}, 2, "want HOST:PORT"},
		{[]string{"run", "--listen", "127.0.0.1:99999"}, 2, "ports are 1 to 65535"},
		{[]string{"run", "--listen", "127.0.0.1:nosuch"}, 2, "ports are 1 to 65535"},
		{[]string{"run", "--flush="}, 2, "--flush"},
		{[]string{"run", "--reserve="}, 2, "--reserve"},
		{[]string{"node", "--pulsar", "pulsar://a:1,nonsense:x"}, 2, `"nonsense:x" is not HOST:PORT`},
		{[]string{"node", "--pulsar", "pulsar://a:99999"}, 2, `pulsar "pulsar://a:99999" is not allowed`},
		{[]string{"node", "--pulsar-admin="}, 2, `pulsar-admin "" is not allowed`},
		{[]string{"run", "--origins", "dash.example.com"}, 2, `--origins: origin "dash.example.com" is not allowed: it has no scheme`},
		{[]string{"run", "--origins", "https://a.example,*"}, 2, `origin "*" is not allowed`},
		{[]string{"demo", "--origins", "https://a.example/app"}, 2, "no path"},
		{[]string{"gateway", "--origins", "https://*.example.com"}, 2, "no wildcards"},
		{[]string{"node", "--hosts", "https://a.example"}, 2, `--hosts: host "https://a.example" is not allowed`},
		{[]string{"run", "--hosts", "a.example:80"}, 2, "leave it out"},
		{[]string{"node", "--join", "x", "--weight", "0"}, 2, `join "x" is not an address`},
		{[]string{"node", "--join", "x", "--weight", "0"}, 2, `weight 0 is not allowed: 1 to 1000`},
		{[]string{"node", "--gossip", "127.0.0.1:99999"}, 2, "ports are 1 to 65535"},
		{[]string{"gateway", "--link", ":7947"}, 2, `link ":7947" names every address of this machine, and other members can't dial that: also give link-advertise`},
		{[]string{"node", "--pulsar", "http://x:1"}, 2, `pulsar "http://x:1" is not allowed: want pulsar://… or pulsar+ssl://…`},
		{[]string{"node", "--checkpoints", "disk"}, 2, "file://"},
		{[]string{"node", "--tenants", "a=0"}, 2, "1 to 1024"},
		{[]string{"gateway", "--tenants", "a/b=4"}, 2, `tenant name "a/b" is not allowed`},
		{[]string{"gateway", "--link-ca", "/nowhere"}, 2, "all three"},
		{[]string{"gateway", "--gossip-key", bad}, 2, "bad.yaml line 1"},
		{[]string{"gateway", "--pulsar-token", "a", "--pulsar-token-file", good}, 2, "give one"},
		{[]string{"cluster", "members", "--admin-server", "127.0.0.1:1"}, 2, "want http://HOST:PORT"},
		{[]string{"cluster", "members", "--admin-server", nowhere}, 3, "127.0.0.1:1"},
		{[]string{"cluster", "owner", "a/b"}, 2, `dashboard name "a/b" is not allowed`},
		{[]string{"tenant", "add", "a", "--partitions", "0"}, 2, "1 to 1024"},
		{[]string{"shard", "accept-loss", "3"}, 2, "--yes"},
		{[]string{"top"}, 2, `"top" is not available yet`},
		{[]string{"publish", good, "--speed=-1"}, 2, "speed -1 is not allowed"},
		{[]string{"publish", good, "--speed", "nan"}, 2, "speed NaN is not allowed"},
		{[]string{"publish", good, "--speed", "inf"}, 2, "speed +Inf is not allowed"},
		{[]string{"publish", good, "--batch", "501"}, 2, "batch 501 is not allowed"},
		{[]string{"publish", good, "--patience=-1s"}, 2, "patience -1s is not allowed"},
		{[]string{"publish", "x.csv", "--server", "ftp://x"}, 2, "ftp://x"},
		{[]string{"definition", "get", "x", "--server", nowhere}, 3, "127.0.0.1:1"},
		{[]string{"watch", "x", "--server", nowhere}, 3, "127.0.0.1:1"},
		{[]string{"watch", "x", "--server", nowhere + ",ftp://x"}, 2, "ftp://x"},
		{[]string{"watch", "x", "--server", ""}, 2, "server is empty"},
		{[]string{"publish", "-", "--server", nowhere}, 3, "127.0.0.1:1"},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // only a server takes long
		code, _, stderr := callUntil(ctx, "", c.args...)
		cancel()
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit %d, want %d and %q on stderr:\n%s", c.args, code, c.code, c.says, stderr)
		}
	}
}

// TestExposed: every role refuses an address that other machines can reach and that nothing guards,
// each address on its own.
func TestExposed(t *testing.T) {
	key := write(t, "key", "AAAAAAAAAAAAAAAAAAAAAA==\n")
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	besides := map[string][]string{ // each call has another fault, too, so that none starts
		"run": {"--data="}, "demo": {"--data="},
		"node":    {"--link-advertise", "127.0.0.1:1", "--scratch="},
		"gateway": {"--link-advertise", "127.0.0.1:1", "--cluster="},
	}
	for _, c := range []struct {
		role, flags string
		says        string // "": it says nothing of other machines
	}{
		{"run", "--listen :0", `--listen ":0" can be reached`},
		{"run", "--listen 0.0.0.0:0", `--listen "0.0.0.0:0" can be reached`},
		{"run", "--listen [::]:0", `--listen "[::]:0" can be reached`},
		{"run", "--listen 192.0.2.1:0", `--listen "192.0.2.1:0" can be reached`},
		{"run", "--listen [::ffff:192.0.2.1]:0", `can be reached`},
		{"run", "--admin :0", `--admin ":0" can be reached`},
		{"run", "--admin :0 --insecure", ""},
		{"run", "--admin :0 --admin-tls-cert a.crt --admin-tls-key a.key", "give --admin-tls-cert, --admin-tls-key and --admin-client-ca"},
		{"run", "--admin :0 --admin-tls-cert a.crt --admin-tls-key a.key --admin-client-ca ca.crt", ""},
		{"run", "--listen localhost:0 --admin [::1]:0", ""},
		{"run", "--listen 127.1.2.3:0", ""},
		{"demo", "--listen :0", `--listen ":0" can be reached`},
		{"demo", "--listen :0 --insecure", ""},
		{"node", "--admin :0", `--admin ":0" can be reached`},
		{"node", "--gossip :0", `--gossip ":0" can be reached`},
		{"node", "--gossip :0 --gossip-key " + key, ""},
		{"node", "--link :0", `--link ":0" can be reached from other machines, and nothing there authenticates clients: give --link-ca`},
		{"node", "--link :0 --link-ca " + key + " --link-cert " + key + " --link-key " + key, ""},
		{"node", "--listen :0", ""}, // a node has no public door
		{"node", "--listen :0 --gateway", `--listen ":0" can be reached`},
		{"gateway", "--listen :0", `--listen ":0" can be reached`},
		{"gateway", "--listen :0 --gossip :0 --link :0 --admin :0 --insecure", ""},
		{"gateway", "--gossip " + name + ":0", "can be reached"},
	} {
		args := append(append([]string{c.role}, strings.Fields(c.flags)...), besides[c.role]...)
		code, _, stderr := call(t, "", args...)
		if c.flags == "--gossip "+name+":0" && !roles.Exposed(name+":0") {
			continue // this machine's name resolves to loopback
		}
		if says := strings.Contains(stderr, "can be reached"); code != 2 || says != (c.says != "") || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit %d, want 2 and %q on stderr:\n%s", args, code, c.says, stderr)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"watch", "x"}, strings.NewReader(""), &out, &errs); code != exitInterrupted {
		t.Errorf("exit %d, want %d: %s", code, exitInterrupted, errs.String())
	}
}

// TestStopDuringStart: a server that is stopped while it starts stops in order.
func TestStopDuringStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	for _, command := range []string{"run", "demo"} {
		if code := run(ctx, []string{command, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, strings.NewReader(""), &out, &errs); code != exitDone {
			t.Errorf("%s: exit %d: %s", command, code, errs.String())
		}
	}
}

// TestHelpKeepsToWhatThereIs: the help does not list commands of later releases.
func TestHelpKeepsToWhatThereIs(t *testing.T) {
	_, help, _ := call(t, "", "--help")
	for _, name := range later {
		if strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("help lists %s", name)
		}
	}
	for _, name := range []string{"run", "demo", "node", "gateway", "cluster members", "cluster shards", "cluster owner", "cluster drain", "cluster keys new", "tenant list", "tenant add", "shard accept-loss", "shard refused", "publish", "event post", "watch", "dashboard list", "dashboard get", "dashboard open", "dashboard delete", "fold", "definition check", "definition diff", "definition apply", "definition get", "definition delete", "definition schema", "context list", "context set", "context use", "context delete", "config show", "version", "completion"} {
		if !strings.Contains(help, "\n  "+name+" ") {
			t.Errorf("help lacks %s", name)
		}
	}
}

// TestConfigLayers: flag > env > file > default, and config show names the source.
func TestConfigLayers(t *testing.T) {
	path := write(t, "dashfeed.yaml", "listen: 127.0.0.1:1\nadmin: 127.0.0.1:2\nflush: 20ms\norigins: [https://a, https://b]\nreserve: 1MiB\nlimit: {events: 5000, bytes: 1MiB}\n")
	t.Setenv("DASHFEED_CONFIG", path)
	t.Setenv("DASHFEED_ADMIN", "127.0.0.1:3")
	t.Setenv("DASHFEED_LISTEN", "127.0.0.1:4")
	t.Setenv("DASHFEED_TOKEN", "secret")
	code, out, stderr := call(t, "", "config", "show", "-o", "json", "--listen", "127.0.0.1:5")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	var rows []struct{ Key, Value, Source string }
	if err := json.Unmarshal([]byte(out), &rows); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range rows {
		got[r.Key] = r.Value + " from " + r.Source
	}
	for key, want := range map[string]string{
		"listen":  "127.0.0.1:5 from flag --listen",
		"admin":   "127.0.0.1:3 from env DASHFEED_ADMIN",
		"limit":   "bytes=1MiB,events=5000 from file " + path,
		"flush":   "20ms from file " + path,
		"origins": "https://a,https://b from file " + path,
		"reserve": "1MiB from file " + path,
		"data":    "data from default",
		"config":  path + " from env DASHFEED_CONFIG",
		"token":   "(given) from env DASHFEED_TOKEN",
	} {
		if got[key] != want {
			t.Errorf("%s: got %s, want %s", key, got[key], want)
		}
	}
}

func TestUnknownVariable(t *testing.T) {
	for name, says := range map[string]string{"DASHFEED_LISTN": `did you mean "DASHFEED_LISTEN"?`, "DASHFEED_QWERTZUIOP": "dashfeed config show lists the settings"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "x")
			code, _, stderr := call(t, "", "version")
			if want := fmt.Sprintf("dashfeed: unknown variable %q; %s\n", name, says); code != 2 || stderr != want {
				t.Errorf("exit %d: %q, want %q", code, stderr, want)
			}
		})
	}
}

// TestOutputs: every command that prints a table also prints JSON and YAML.
func TestOutputs(t *testing.T) {
	good := write(t, "good.yaml", "dashboard: x\npanels: [{id: a, window: latest}]\n")
	for _, args := range [][]string{{"version"}, {"config", "show"}, {"definition", "check", good}} {
		for _, format := range []string{"table", "json", "yaml"} {
			code, out, stderr := call(t, "", append(args, "-o", format)...)
			if code != 0 || out == "" {
				t.Errorf("%v -o %s: exit %d, %q: %s", args, format, code, out, stderr)
			}
			if format == "json" && !json.Valid([]byte(out)) {
				t.Errorf("%v: not JSON: %s", args, out)
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		code, out, _ := call(t, "", "completion", shell)
		for _, word := range []string{"schema", "retention-age", "dry-run", "context"} {
			if code != 0 || !strings.Contains(out, word) {
				t.Errorf("%s: exit %d, and no %s", shell, code, word)
			}
		}
	}
}
