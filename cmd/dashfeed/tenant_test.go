package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
)

// The command prints how far a tenant is, even without a terminal, and ends when all shards are
// live.
func TestTenantAddTellsHowFarItIs(t *testing.T) {
	url, _ := adminTold(t)
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"tenant", "add", "new", "--partitions", "4", "--admin-server", url}, strings.NewReader(""), &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	if want := "tenant new: 3 of 8 topics are made\n"; errs.String() != want {
		t.Errorf("it told %q, want %q", errs.String(), want)
	}
	for _, c := range []struct {
		p    admin.TenantProgress
		want string
	}{
		{admin.TenantProgress{Tenant: admin.Tenant{Name: "a", Partitions: 4}, Made: true, Live: 1}, "tenant a: 1 of 4 shards are live"},
		{admin.TenantProgress{Tenant: admin.Tenant{Name: "a"}, Topics: 1, AllTopics: 8, Trouble: "why"}, "tenant a: 1 of 8 topics are made; trying again: why"},
	} {
		if got := c.p.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// In a terminal the line is overwritten; otherwise one comes every few seconds.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	o := &progress{out: &out, over: true}
	o.say("one")
	o.say("two")
	o.end()
	if want := "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[K"; out.String() != want {
		t.Errorf("in a terminal %q, want %q", out.String(), want)
	}
	out.Reset()
	o = &progress{out: &out}
	o.say("one")
	o.say("two")
	o.end()
	if out.String() != "one\n" {
		t.Errorf("without one %q", out.String())
	}
}
