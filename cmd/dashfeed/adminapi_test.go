package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/messages"
)

// adminTold runs an admin listener whose operations return fixed answers and record their
// arguments.
func adminTold(t *testing.T) (url string, heard *[]string) {
	t.Helper()
	heard = &[]string{}
	looks := 0
	note := func(format string, args ...any) { *heard = append(*heard, fmt.Sprintf(format, args...)) }
	shard := admin.ShardStatus{
		Shard: 3, Tenant: "default", Partition: 3, Owner: "node-1", State: "live", Ranked: []string{"node-1", "node-2"},
		Claims: []admin.Claim{{Node: "node-1", State: "live", Position: "a"}, {Node: "node-2", State: "loading", Position: "b"}},
	}
	a := admin.New(prometheus.NewRegistry(), &admin.Health{}, gateway.Hosts{"node-1": true}, 32, nil)
	a.Offer(admin.Operations{
		Members: func() []admin.Member {
			return []admin.Member{{Name: "node-1", Role: "node", State: "alive", Gossip: "127.0.0.1:1", Link: "127.0.0.1:2", Weight: 1, Live: 4, Since: "2026-01-02T03:04:05Z"}}
		},
		Shards: func() []admin.ShardStatus {
			return []admin.ShardStatus{shard, {Shard: 4, Tenant: "acme", State: "nobody"}}
		},
		Owner: func(k messages.Key) (admin.Owner, error) {
			return admin.Owner{Tenant: k.Tenant, Dashboard: k.Dashboard, ShardStatus: shard}, nil
		},
		Drain: func(member string) error {
			if note("drain %s", member); member != "node-1" {
				return fmt.Errorf("%w member %q", admin.ErrNoSuch, member)
			}
			return nil
		},
		Keys:      func() ([]admin.Key, error) { return []admin.Key{{Key: "0a0b", Primary: true}}, nil },
		ChangeKey: func(do string, key []byte) error { note("%s %d bytes", do, len(key)); return nil },
		Tenants: func() []admin.Tenant {
			return []admin.Tenant{{Name: "default", Partitions: 8, LogTime: "broker"}, {Name: "acme", First: 8, Partitions: 2, LogTime: "ticks"}}
		},
		AddTenant: func(_ context.Context, r admin.TenantRequest) (p admin.TenantProgress, err error) {
			p = admin.TenantProgress{Tenant: admin.Tenant{Name: r.Name, First: 10, Partitions: r.Partitions, LogTime: r.LogTime}}
			switch looks++; looks {
			case 1:
				p.Topics, p.AllTopics = 3, 8
			case 2:
				p.Made, p.Live = true, 1
			default:
				note("add %s %d %s", r.Name, r.Partitions, r.LogTime)
				p.Made, p.Live = true, r.Partitions
			}
			return p, nil
		},
		Refused: func(_ context.Context, shard int) (actors.Refused, error) {
			note("refused of %d", shard)
			return actors.Refused{Counts: map[string]uint64{"encrypted": 7}, Newest: []fold.Refusal{
				{Position: messages.Position{Hi: 8, Lo: 5}, Append: 1767323045006, Producer: "java-7", Reason: "encrypted"},
				{Position: messages.Position{Hi: 8, Lo: 6}, Append: messages.Unstamped, Reason: "no_dashboard"},
			}}, nil
		},
		AcceptLoss: func(_ context.Context, shard int) error { note("accept loss of %d", shard); return nil },
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Serve(l) }()
	t.Cleanup(func() {
		if err := a.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-done
	})
	return "http://" + l.Addr().String(), heard
}

// TestClusterCommands checks what the commands print, and what the admin listener receives.
func TestClusterCommands(t *testing.T) {
	key := write(t, "key", "AAAAAAAAAAAAAAAAAAAAAA==\n")
	for _, c := range []struct {
		args  string
		code  int
		want  string // on stdout
		heard string
	}{
		{"cluster members", 0, "NAME    ROLE  STATE  LIVE  LOADING  WEIGHT  LINK         GOSSIP       SINCE\n" +
			"node-1  node  alive  4     0        1       127.0.0.1:2  127.0.0.1:1  2026-01-02T03:04:05Z\n", ""},
		{"cluster shards", 1, "SHARD  TENANT   PARTITION  STATE  OWNER   CLAIMS                      RANKED\n" +
			"3      default  3          live   node-1  node-1:live,node-2:loading  node-1,node-2\n" +
			"4      acme     0          nobody\n", ""},
		{"cluster owner d -o json", 0, `[
  {
    "claims": [
      "node-1:live",
      "node-2:loading"
    ],
    "dashboard": "d",
    "owner": "node-1",
    "shard": 3,
    "state": "live",
    "tenant": "default"
  }
]
`, ""},
		{"cluster drain node-1", 0, "", "drain node-1"},
		{"cluster drain node-9", 1, "", "drain node-9"},
		{"cluster keys list -o yaml", 0, "- key: 0a0b\n  primary: true\n", ""},
		{"cluster keys add " + key, 0, "", "add 16 bytes"},
		{"cluster keys remove " + key, 0, "", "remove 16 bytes"},
		{"tenant list", 0, "TENANT   PARTITIONS  SHARDS  LOG_TIME\ndefault  8           0-7     broker\nacme     2           8-9     ticks\n", ""},
		{"tenant add new --partitions 4 -o json", 0, `[
  {
    "log_time": "broker",
    "partitions": 4,
    "shards": "10-13",
    "tenant": "new"
  }
]
`, "add new 4 broker"},
		{"shard accept-loss 3 --yes", 0, "", "accept loss of 3"},
		{"shard refused 3", 0, "POSITION  TIME                      REASON     PRODUCER\n8.5       2026-01-02T03:04:05.006Z  encrypted  java-7\n8.6                                 no_dashboard\n", "refused of 3"},
	} {
		url, heard := adminTold(t)
		code, out, stderr := call(t, "", append(strings.Fields(c.args), "--admin-server", url)...)
		if code != c.code || out != c.want || strings.Join(*heard, ";") != c.heard {
			t.Errorf("%s: exit %d, heard %q, want %d %q\n%s\nwant\n%s\n%s", c.args, code, *heard, c.code, c.heard, out, c.want, stderr)
		}
	}
}

// TestAdminRefusesBrowsers: neither a page that the operator visits nor a form can drain nodes.
func TestAdminRefusesBrowsers(t *testing.T) {
	url, heard := adminTold(t)
	for name, header := range map[string]http.Header{
		"a page":      {"Content-Type": {"application/json"}, "Origin": {"http://127.0.0.1:1"}},
		"two origins": {"Content-Type": {"application/json"}, "Origin": {"", "http://127.0.0.1:1"}},
		"a form":      {"Content-Type": {"text/plain"}},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/cluster/drain", strings.NewReader(`{"node":"node-1"}`))
		r.Header = header
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || len(*heard) > 0 {
			t.Errorf("%s: %s, heard %v", name, resp.Status, *heard)
		}
	}
}

// TestAdminChecksHost: a site that points its own name at the admin listener's address can't read
// anything there.
func TestAdminChecksHost(t *testing.T) {
	url, heard := adminTold(t)
	ask := func(method, path, host string) (status int, body string) {
		r, _ := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(`{"node":"node-1"}`))
		r.Header.Set("Content-Type", "application/json")
		r.Host = host
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/symbol", "/cluster/members", "/tenants", "/nowhere"} {
		for _, host := range []string{"evil.example", "EVIL.example:9090", "localhost.evil.example"} {
			if status, body := ask(http.MethodGet, path, host); status != http.StatusMisdirectedRequest || !strings.Contains(body, host) || !strings.Contains(body, "--hosts") {
				t.Errorf("GET %s of %s: %d %.200s", path, host, status, body)
			}
		}
		for _, host := range []string{"127.0.0.1:9090", "Localhost", "node-1:9090", "192.0.2.1", "[::1]:9090"} {
			if status, body := ask(http.MethodGet, path, host); status == http.StatusMisdirectedRequest {
				t.Errorf("GET %s of %s: %d %.200s", path, host, status, body)
			}
		}
	}
	if status, _ := ask(http.MethodPost, "/cluster/drain", "evil.example"); status != http.StatusMisdirectedRequest || len(*heard) > 0 {
		t.Errorf("drain: %d, heard %v", status, *heard)
	}
}
