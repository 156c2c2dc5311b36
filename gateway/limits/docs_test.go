package limits

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write docs/LIMITS.md")

const document = "../../docs/LIMITS.md"

const intro = `# Limits

What callers may cost a gateway. This page is made from the table in ` + "`gateway/limits/table.go`" + ` by ` + "`go test ./gateway/limits -run Documentation -rewrite`" + `.

Over a limit, a request is answered with 429 and code 1107, a message with error 1107; the message names the limit, and ` + "`Retry-After`" + ` or ` + "`after`" + ` says
when to try again. It is refused before anything is stored or kept for it. Each gateway counts for itself: behind two gateways a tenant may have up to twice as much.

A limit is set with ` + "`--limit NAME=VALUE`" + `, several with commas or by repeating the flag; with ` + "`DASHFEED_LIMIT`" + `; or in the configuration file:

` + "```yaml" + `
limit: {events: 5000, subject-bytes: 4MiB, sessions: none}
` + "```" + `

A value is a number from 0, of bytes also with KiB, MiB or GiB; ` + "`none`" + ` is no limit. A value per second is the rate of a bucket, which also says how much may come at once after
a time without any. A request that costs more than a full bucket needs a full bucket, and leaves a debt.

An **address** is that of the client, an IPv6 network of 64 bits, or the client that a trusted proxy names. The default limits of addresses don't apply to loopback and to the proxies
themselves; a value that is given applies to loopback too. A **subject** is the ` + "`sub`" + ` of a token; without a token it is the address. Limits of subjects, tenants and
dashboards can be set for each tenant, and a token can lower them for itself (claim ` + "`limits`" + `).

| limit | default | at once | what is counted | beyond it |
|---|---|---|---|---|
`

const outro = `
Fixed, in the fold, so that every replay decides alike: 200,000 dashboards of a shard, 100,000 of them of one tenant; 50,000 cells and 16 MiB of state of a dashboard. Beyond
these see [SEMANTICS.md](SEMANTICS.md).

Metrics: ` + "`dashfeed_limited_total{limit}`" + ` counts what was refused or held back, ` + "`dashfeed_limit{limit}`" + ` is the value in force, ` + "`dashfeed_limit_used{limit}`" + ` what the one has who has most
of it, and ` + "`dashfeed_limit_buckets`" + ` how many buckets are in memory: at most 65,536. A bucket that has to leave counts as full when it is needed again; those that are used often
stay.
`

// TestDocumentation checks that docs/LIMITS.md says what Table says.
func TestDocumentation(t *testing.T) {
	var b strings.Builder
	b.WriteString(intro)
	for i := range Table {
		r := &Table[i]
		atOnce := ""
		if r.isRate() && r.Default != None {
			atOnce = format(r, float64(r.burst(r.Default)))
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | of %s: %s | %s |\n", r.Name, withUnit(r, r.Default), atOnce, article(r.Scope), r.What, r.Over)
	}
	b.WriteString(outro)
	if *rewrite {
		if err := os.WriteFile(document, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what the table says: run this test with -rewrite", document)
	}
}

func article(s Scope) string {
	switch s {
	case Address:
		return "an address"
	case Process:
		return "the process"
	}
	return "a " + string(s)
}
