package pulsartest_test

import (
	"os"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/pulsartest"
)

func TestMain(m *testing.M) { os.Exit(pulsartest.Main(m)) }

// A cluster keeps its topics over a kill, refuses clients without a token if it has tokens, and
// leaves nothing behind.
func TestCluster(t *testing.T) {
	c, err := pulsartest.Launch(pulsartest.Options{Name: "east", Tokens: true, TLS: true, Settings: []string{"maxMessageSize=1048576"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	_, err = c.Admin("PUT", "tenants/acme", `{"allowedClusters":["east"]}`)
	check("make a tenant", err)
	first := c.Process()
	check("kill", c.Kill())
	if _, err := c.Admin("GET", "tenants", ""); err == nil {
		t.Error("a killed broker answers")
	}
	check("up", c.Up("maxMessageSize=2097152"))
	if got := c.Process(); got == first || got == 0 {
		t.Errorf("the process after a kill is %d, before it was %d", got, first)
	}
	tenants, err := c.Admin("GET", "tenants", "")
	check("list tenants", err)
	if !strings.Contains(tenants, "acme") {
		t.Errorf("tenants after a kill: %s", tenants)
	}
	settings, err := c.Admin("GET", "brokers/configuration/runtime", "")
	check("settings", err)
	for _, want := range []string{"2097152", "AppendIndexMetadataInterceptor", `"authenticationEnabled":"true"`} {
		if !strings.Contains(settings, want) {
			t.Errorf("the broker's settings lack %s", want)
		}
	}
	check("close", c.Close())
	if _, err := os.Stat(c.Dir); !os.IsNotExist(err) {
		t.Errorf("%s is left behind", c.Dir)
	}
	if pid := c.Process(); pid != 0 {
		t.Errorf("process %d is left behind", pid)
	}
}

func TestShared(t *testing.T) {
	if a, b := pulsartest.Shared(t), pulsartest.Shared(t); a != b {
		t.Error("two callers got two clusters")
	}
}
