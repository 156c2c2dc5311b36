package pulsar

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dashfeed/dashfeed/messages"
)

// pulsarName matches what Pulsar allows in the name of a tenant, namespace or topic.
var pulsarName = regexp.MustCompile(`^[-=:.\w]+$`)

// Every tenant has its own topics. Pulsar accepts their names, and they lead back to the tenant.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"acme", "a~b", "a=7Eb", "a~7Eb", "a:b.c_d-e", "~", "dashfeed=control", strings.Repeat("a~", 64)} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, name string, partition int) {
		if !messages.ValidName(name) || partition < 0 {
			return
		}
		for _, topic := range []string{EventsTopic(name), CheckpointsTopic(name)} {
			if topic = PartitionTopic(topic, partition); topic == controlTopic {
				t.Fatalf("tenant %q has the control topic", name)
			}
			if got, ok := TenantOf(topic); !ok || got != name {
				t.Fatalf("topic %s of tenant %q is read as %q, %v", topic, name, got, ok)
			}
			for _, part := range strings.Split(strings.TrimPrefix(topic, "persistent://"), "/") {
				if !pulsarName.MatchString(part) {
					t.Fatalf("Pulsar does not take %q of topic %s", part, topic)
				}
			}
		}
	})
}

func TestNamesAreInjective(t *testing.T) {
	name := rapid.StringMatching(`[a-c7E][a-b~7E:]{0,8}`)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := name.Draw(rt, "a"), name.Draw(rt, "b")
		if (encodeTenant(a) == encodeTenant(b)) != (a == b) {
			rt.Fatalf("%q and %q are written %q and %q", a, b, encodeTenant(a), encodeTenant(b))
		}
	})
	cluster := rapid.StringMatching(`x(-partition|-0|-|:){0,5}`)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := cluster.Draw(rt, "a"), cluster.Draw(rt, "b")
		if (appliedTopic(a) == appliedTopic(b)) != (a == b) || strings.Contains(appliedTopic(a), "-partition-") || appliedTopic(a) == controlTopic {
			rt.Fatalf("clusters %q and %q have %q and %q", a, b, appliedTopic(a), appliedTopic(b))
		}
	})
	for _, topic := range []string{controlTopic, "persistent://a=7e/dashfeed/events", "persistent:///x/y", "public/default/x", "persistent://a"} {
		if got, ok := TenantOf(topic); ok {
			t.Errorf("topic %s is taken for one of tenant %q", topic, got)
		}
	}
}
