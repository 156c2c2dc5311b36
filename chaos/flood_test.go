package chaos_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// limitedBy returns how much the server has refused because of a limit.
func limitedBy(t *testing.T, p *process.Process, limit string) float64 {
	t.Helper()
	a := ask(t, "GET", p.Admin+"/metrics", nil)
	found := regexp.MustCompile(`(?m)^dashfeed_limited_total\{limit="` + limit + `"\} (\S+)$`).FindSubmatch(a.body)
	if found == nil {
		t.Fatalf("no metric of limit %s", limit)
	}
	n, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestRandomDashboards posts 200,000 random names: the tenant's limit is met, what the process
// keeps is bounded, and what exists is served and takes events.
func TestRandomDashboards(t *testing.T) {
	t.Parallel()
	const most, partitions = 50, 4
	p := start(t, t.TempDir(), "--partitions", fmt.Sprint(partitions), "--limit", fmt.Sprintf("dashboards=%d,dashboard-events=1000", most))
	if a := ask(t, "POST", p.URL+"/v1/events", []byte(`{"dashboard":"mine","metric":"m","value":1}`)); a.status != http.StatusAccepted {
		t.Fatal(a)
	}
	before, err := p.RSS()
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var body bytes.Buffer
		for range 1000 {
			fmt.Fprintf(&body, `{"dashboard":"r%x","metric":"m","value":1}`+"\n", random.Uint64())
		}
		if a := ask(t, "POST", p.URL+"/v1/events", body.Bytes()); a.status == http.StatusInternalServerError {
			t.Fatal(a)
		}
	}
	if got := limitedBy(t, p, "dashboards"); got < 100_000 {
		t.Errorf("%v refusals are counted", got)
	}
	a := ask(t, "GET", p.URL+"/v1/dashboards?limit=1000", nil)
	if list, _ := a.field("dashboards").([]any); len(list) < most || len(list) > 2*most*partitions {
		t.Errorf("there are %d dashboards, the limit is %d in each of %d shards", len(list), most, partitions)
	}
	if after, err := p.RSS(); err != nil || after-before > 128<<20 {
		t.Errorf("the process grew from %d to %d MiB, %v", before>>20, after>>20, err)
	}
	a = ask(t, "POST", p.URL+"/v1/events", []byte(`{"dashboard":"mine","metric":"m","value":2}`))
	if a.status != http.StatusAccepted || a.field("accepted") != 1.0 {
		t.Errorf("an event of a dashboard that exists: %s", a)
	}
	stillServes(t, p)
}

// TestConnectsFromOneAddress connects 10,000 times from one address: most connections are refused,
// each is counted, and another address is served meanwhile.
func TestConnectsFromOneAddress(t *testing.T) {
	t.Parallel()
	p := start(t, t.TempDir(), "--limit", "address-connects=10")
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}}
	host := strings.TrimPrefix(p.URL, "http://")
	for i := range 10_000 {
		c, err := d.DialContext(t.Context(), "tcp", host)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		_ = c.Close()
		if i%1000 == 999 {
			if a := ask(t, "GET", p.URL+"/v1/dashboards", nil); a.status != http.StatusOK {
				t.Errorf("another address: %s", a)
			}
		}
	}
	if got := limitedBy(t, p, "address-connects"); got < 9_000 {
		t.Errorf("%v refusals are counted", got)
	}
	stillServes(t, p)
}
