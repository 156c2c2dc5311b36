package broker

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/RoaringBitmap/roaring/v2/roaring64"
	"github.com/apache/pulsar-client-go/pulsar"
)

// TestRefusedEntries: the set in which Pulsar's client keeps refused entries has each of them once,
// in order.
func TestRefusedEntries(t *testing.T) {
	b := roaring64.NewBitmap()
	for _, entry := range []uint64{9, 3, 1 << 63, 3, 0, 7, 9} {
		b.Add(entry)
	}
	if got, want := b.ToArray(), []uint64{0, 3, 7, 9, 1 << 63}; !slices.Equal(got, want) {
		t.Errorf("got %d, want %d", got, want)
	}
}

// TestAthenzIsNotBuiltIn: who asks Pulsar's client for Athenz is told that it is not there.
func TestAthenzIsNotBuiltIn(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(key, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := map[string]string{"providerDomain": "p", "privateKey": "file://" + key, "ztsUrl": "http://127.0.0.1:1"}
	for how, more := range map[string]map[string]string{
		"key":         {"tenantDomain": "d", "tenantService": "s"},
		"certificate": {"x509CertChain": "file://" + key},
	} {
		params := map[string]string{}
		for _, m := range []map[string]string{base, more} {
			for name, value := range m {
				params[name] = value
			}
		}
		client, err := pulsar.NewClient(pulsar.ClientOptions{URL: "pulsar://127.0.0.1:1", Authentication: pulsar.NewAuthenticationAthenz(params)})
		if client != nil {
			client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "Athenz is not built into this binary") {
			t.Errorf("%s: got %v, want that Athenz is not built in", how, err)
		}
	}
}
