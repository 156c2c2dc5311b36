package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

// TestCluster runs the roles by their commands, on a Pulsar that requires tokens.
func TestCluster(t *testing.T) {
	broker := pulsartest.Start(t, pulsartest.Options{Tokens: true})
	token := write(t, "token", broker.Token("admin")+"\n")
	on := []string{"--pulsar", broker.BrokerURL, "--pulsar-admin", broker.AdminURL, "--pulsar-token-file", token, "--gossip-preset", "local"}
	t.Run("roles", func(t *testing.T) { testRoles(t, on) })
	t.Run("definitions", func(t *testing.T) { testDefinitions(t, on) })
	t.Run("trouble", func(t *testing.T) { testTrouble(t, broker, on) })
	t.Run("ticks", func(t *testing.T) { testTicks(t, broker, on) })
}

// free returns a loopback address that nobody listened on a moment ago.
func free(t *testing.T) string {
	t.Helper()
	address, err := process.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// clusterKey returns a file with the keys that producer uses, too.
func clusterKey(t *testing.T) string {
	t.Helper()
	return write(t, "cluster.key", base64.StdEncoding.EncodeToString(pulsartest.Keys()[0])+"\n")
}

// testRoles shows the life of a cluster: two nodes, a gateway, a tenant added, a node drained, and
// all stopped in order.
func testRoles(t *testing.T, on []string) {
	key := write(t, "gossip.key", "AAAAAAAAAAAAAAAAAAAAAA==\n")
	definitions := write(t, "sales.yaml", "dashboard: sales\npanels: [{id: total, window: {tumbling: 1h}, group_by: [labels.shop], aggregates: [count, sum]}]\n")
	seed := free(t)
	member := func(role, name, gossip string, args ...string) *served {
		return start(t, io.Discard, append(append([]string{
			role, "--node", name, "--cluster", "roles", "--gossip", gossip, "--link", "127.0.0.1:0",
			"--join", seed, "--gossip-key", key, "--cluster-key", clusterKey(t), "--drain", "20s",
		}, on...), args...)...)
	}
	one := member("node", "one", seed, "--scratch", t.TempDir(), "--tenants", "default=2")
	two := member("node", "two", free(t), "--scratch", t.TempDir(), "--gateway")
	door := member("gateway", "door", free(t), "--definitions", definitions)
	until(t, door.admin, "log: ok\ncluster: ok\ngateway: ok\ndefinitions: ok\n")
	until(t, one.admin, "log: ok\ncheckpoints: ok\nshards: ok\ncluster: ok\n")

	ctl := func(args ...string) string {
		t.Helper()
		code, out, stderr := call(t, "", append(args, "--admin-server", door.admin)...)
		if code != 0 {
			t.Errorf("%v: exit %d: %s", args, code, stderr)
		}
		return out
	}
	table := write(t, "sales.csv", "when,shop,price\n1795422000,A,10\n1795422002,A,2.5\n")
	if code, out, stderr := call(t, "", "publish", table, "--server", door.public, "--map", "dashboard==sales", "--map", "metric==price", "--map", "value=price",
		"--map", "time=when", "--map", "id=@row", "--map", "labels.shop=shop", "--time-format", "s"); code != 0 {
		t.Fatalf("publish: exit %d, %s %s", code, out, stderr)
	}
	before := watched(t, door.public, 3)
	if !strings.Contains(before, `"values":[2,12.5]`) {
		t.Errorf("watch: %s", before)
	}
	if got := ctl("tenant", "add", "acme", "--partitions", "3"); !strings.Contains(got, "acme    3           2-4     broker") {
		t.Errorf("tenant add: %s", got)
	}
	if got := ctl("cluster", "members"); strings.Count(got, "alive")+strings.Count(got, "new") != 3 {
		t.Errorf("members: %s", got)
	}
	if got := ctl("cluster", "keys", "list"); strings.Count(got, "true") != 1 {
		t.Errorf("keys: %s", got)
	}
	ctl("cluster", "drain", "one")
	until(t, one.admin, "drains")
	if code := one.stop(t); code != 0 {
		t.Errorf("stop: exit %d: %s", code, one.stderr)
	}
	if got := ctl("cluster", "owner", "sales"); !strings.Contains(got, "two") {
		t.Errorf("owner after the drain: %s", got)
	}
	for _, at := range []*served{door, two} { // the second is the node's own door
		if after := watched(t, at.public, 3); after != before {
			t.Errorf("after the drain\n%s\nbefore\n%s", after, before)
		}
	}
	testHandOver(t, door, two)
	for _, s := range []*served{door, two} {
		if code := s.stop(t); code != 0 {
			t.Errorf("stop: exit %d: %s", code, s.stderr)
		}
	}
}

// testHandOver: watch, given two doors, moves from one that drains to the other and misses nothing.
func testHandOver(t *testing.T, from, to *served) {
	t.Helper()
	watch, stop := context.WithCancel(t.Context())
	lines, stdout := io.Pipe()
	ended := make(chan int, 1)
	var stderr lockedBuffer
	go func() {
		ended <- run(watch, []string{"watch", "sales", "-o", "json", "--server", from.public + "," + to.public}, strings.NewReader(""), stdout, &stderr)
		stdout.Close()
	}()
	scan := bufio.NewScanner(lines)
	next := func(want string) {
		t.Helper()
		more := scan.Scan()
		for more && strings.Contains(scan.Text(), `"event":"counters"`) { // read at any time
			more = scan.Scan()
		}
		if !more || !strings.Contains(scan.Text(), want) {
			t.Fatalf("watch: %q, want %s: %s", scan.Text(), want, &stderr)
		}
	}
	next(`"event":"snapshot"`)
	if code, _, said := call(t, "", "cluster", "drain", "door", "--admin-server", from.admin); code != 0 {
		t.Fatalf("drain: exit %d: %s", code, said)
	}
	until(t, from.admin, "draining: 0 sessions are left")
	for _, at := range []*served{from, to} {
		untilMember(t, at, "door", "draining")
	}
	if code, _, said := call(t, `{"id":"after","dashboard":"sales","metric":"price","value":4,"time":1795422004000,"labels":{"shop":"A"}}`, "publish", "-", "--server", to.public); code != 0 {
		t.Fatalf("publish: exit %d: %s", code, said)
	}
	next(`"event":"update"`)
	stop()
	go io.Copy(io.Discard, lines)
	if code := <-ended; code != exitInterrupted {
		t.Errorf("watch: exit %d", code)
	}
	if said := stderr.String(); said != "" {
		t.Errorf("watch says %s", said)
	}
}

// untilMember waits until a process lists a member in a state.
func untilMember(t *testing.T, at *served, name, state string) {
	t.Helper()
	said := ""
	// real time: the cluster is real
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		said = get(t, at.admin+"/cluster/members")
		var all []admin.Member
		if err := json.Unmarshal([]byte(said), &all); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		if slices.ContainsFunc(all, func(m admin.Member) bool { return m.Name == name && m.State == state }) {
			return
		}
	}
	t.Fatalf("%s is not %s: %s", name, state, said)
}

// until waits until a process reports a text in readyz?verbose.
func until(t *testing.T, admin, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for said := ""; ; {
		if resp, err := http.Get(admin + "/readyz?verbose"); err == nil {
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if said = string(b); strings.Contains(said, want) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("readyz does not say %q but\n%s", want, said)
		}
	}
}

// testTrouble: readyz reports what is wrong in the line of its part, with the remedy. The process
// stays up, and exits with 0 when it is stopped.
func testTrouble(t *testing.T, broker *pulsartest.Cluster, on []string) {
	ask := func(method, path, body string) {
		t.Helper()
		if _, err := broker.Admin(method, path, body); err != nil {
			t.Fatal(err)
		}
	}
	topics := func(tenant string) string { return "persistent/" + tenant + "/dashfeed/events/partitions" }
	seed := free(t)
	running := start(t, io.Discard, append([]string{"node", "--gateway", "--node", "running", "--cluster", "trouble", "--gossip", seed, "--link", "127.0.0.1:0", "--scratch", t.TempDir(), "--tenants", "ttl=1,gone=1,grown=1", "--cluster-key", clusterKey(t)}, on...)...)
	ask("POST", "namespaces/ttl/dashfeed/messageTTL", "60")
	ask("DELETE", topics("gone")+"?force=true", "")
	ask("POST", topics("grown"), "2")

	wrongKey := write(t, "gossip.key", "AAAAAAAAAAAAAAAAAAAAAA==\n")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"wrong broker URL":            {[]string{"--pulsar", "pulsar://127.0.0.1:1"}, "log: open log at pulsar://127.0.0.1:1: nobody listens at 127.0.0.1:1: is the broker up, and is its URL right?"},
		"wrong admin URL":             {[]string{"--pulsar-admin", "http://127.0.0.1:1"}, "the admin API does not answer: is the broker up, and is its URL right?"},
		"wrong token":                 {[]string{"--pulsar-token-file", write(t, "token", "nonsense")}, "the broker does not accept the token"},
		"other number of partitions":  {[]string{"--tenants", "ttl=7"}, "it is there already with 1 partitions and log time broker, which never changes"},
		"a namespace with a TTL":      {nil, "pulsar-admin namespaces set-message-ttl -ttl 0 ttl/dashfeed"},
		"a missing topic":             {nil, "pulsar-admin topics create-partitioned-topic -p 1 persistent://gone/dashfeed/events"},
		"partitions that were added":  {nil, "it has 2 partitions, the tenant was made with 1"},
		"a full checkpoint store":     {[]string{"--reserve", "1000TiB"}, "checkpoints: storage full"},
		"another gossip key":          {[]string{"--gossip-key", wrongKey}, `cluster: cluster "trouble": gossip keys differ`},
		"a cluster of another name":   {[]string{"--cluster", "other"}, `cluster: cluster "other": no answer: the other side probably belongs to a cluster with another name`},
		"checkpoints in no directory": {[]string{"--checkpoints", "file:///dev/null/x"}, "checkpoints: open checkpoints in file:///dev/null/x"},
	} {
		t.Run(name, func(t *testing.T) {
			admin := free(t)
			args := append([]string{"node", "--node", "late", "--cluster", "trouble", "--gossip", free(t), "--link", "127.0.0.1:0", "--join", seed, "--scratch", t.TempDir(), "--admin", admin, "--drain", "0s", "--cluster-key", clusterKey(t)}, on...)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			code := make(chan int, 1)
			var stderr lockedBuffer
			go func() { code <- run(ctx, append(args, c.args...), strings.NewReader(""), io.Discard, &stderr) }()
			until(t, "http://"+admin, c.want)
			cancel()
			if got := <-code; got != 0 {
				t.Errorf("exit %d: %s", got, &stderr)
			}
		})
	}
	if code := running.stop(t); code != 0 {
		t.Errorf("stop: exit %d: %s", code, running.stderr)
	}
}
