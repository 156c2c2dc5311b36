package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// examples holds the examples in the help of each command, one per line.
var examples = map[string]string{
	"run": `
		dashfeed run
		dashfeed run --data /var/lib/dashfeed --definitions definitions/
		dashfeed run --listen :8080 --hosts dash.example.com --insecure`,
	"demo": `
		dashfeed demo
		dashfeed demo --to http://127.0.0.1:8081`,
	"node": `
		dashfeed node --pulsar pulsar://127.0.0.1:6650 --node node-1
		dashfeed node --gateway --join 10.0.0.1:7946 --replicas 2`,
	"gateway": `
		dashfeed gateway --pulsar pulsar://127.0.0.1:6650 --join 10.0.0.1:7946`,

	"publish": `
		dashfeed publish events.ndjson --dashboard checkout
		dashfeed publish events.csv.gz --map time=at --map value=price --speed 60
		kubectl logs app | dashfeed publish - --dashboard app`,
	"event post": `
		dashfeed event post --dashboard checkout --metric latency --value 12.5 --label country=DE
		dashfeed event post '{"dashboard":"checkout","metric":"latency","value":12.5}'
		jq -c .event answer.json | dashfeed event post - --dashboard checkout`,
	"watch": `
		dashfeed watch checkout
		dashfeed watch checkout --panels countries --max-rate 2
		dashfeed watch checkout -o json | jq .`,
	"dashboard list": `
		dashfeed dashboard list
		dashfeed dashboard list --prefix checkout --tenant acme -o json`,
	"dashboard get": `
		dashfeed dashboard get checkout
		dashfeed dashboard get checkout --panels countries -o json`,
	"dashboard open": `
		dashfeed dashboard open checkout
		dashfeed dashboard open checkout --no-browser`,
	"dashboard delete": `
		dashfeed dashboard delete checkout
		dashfeed dashboard delete checkout --yes`,
	"definition check": `
		dashfeed definition check definitions/
		dashfeed definition check - < checkout.yaml`,
	"definition diff": `
		dashfeed definition diff checkout.yaml
		dashfeed definition diff definitions/ || dashfeed definition apply definitions/`,
	"definition apply": `
		dashfeed definition apply checkout.yaml
		dashfeed definition apply definitions/ --dry-run
		dashfeed definition get checkout | sed s/10s/1m/ | dashfeed definition apply -`,
	"definition get": `
		dashfeed definition get checkout > checkout.yaml
		dashfeed definition get checkout -o json`,
	"definition delete": `
		dashfeed definition delete checkout
		dashfeed definition delete checkout --yes`,
	"definition schema": `
		dashfeed definition schema > definition.schema.json`,
	"fold": `
		dashfeed fold --definition checkout.yaml --log records.ndjson`,

	"cluster members": `
		dashfeed cluster members
		dashfeed cluster members --admin-server http://10.0.0.1:9090 -o json`,
	"cluster shards": `
		dashfeed cluster shards`,
	"cluster owner": `
		dashfeed cluster owner checkout --tenant acme`,
	"cluster drain": `
		dashfeed cluster drain node-1`,
	"cluster keys new": `
		dashfeed cluster keys new --to cluster.key
		dashfeed cluster keys new >> gossip.key`,
	"cluster keys list": `
		dashfeed cluster keys list --admin-server http://10.0.0.1:9090`,
	"cluster keys add": `
		dashfeed cluster keys add new.key --admin-server http://10.0.0.1:9090`,
	"cluster keys use": `
		dashfeed cluster keys use new.key --admin-server http://10.0.0.1:9090`,
	"cluster keys remove": `
		dashfeed cluster keys remove old.key --admin-server http://10.0.0.1:9090`,
	"tenant list": `
		dashfeed tenant list`,
	"tenant add": `
		dashfeed tenant add acme --partitions 16`,
	"tenant set": `
		dashfeed tenant set acme --limit dashboards=10000 --limit bytes=5MiB
		dashfeed tenant set acme --limit dashboards=`,
	"tenant get": `
		dashfeed tenant get acme`,
	"token revoke": `
		dashfeed token revoke --subject alice
		dashfeed token revoke --tenant acme --before 2026-01-02T03:04:05Z --until 2026-02-02T00:00:00Z --yes`,
	"token revocations": `
		dashfeed token revocations`,
	"shard accept-loss": `
		dashfeed shard accept-loss 3 --admin-server http://10.0.0.1:9090`,
	"shard retry": `
		dashfeed shard retry 3 --admin-server http://10.0.0.1:9090`,
	"shard refused": `
		dashfeed shard refused 3 -o json`,

	"context list": `
		dashfeed context list`,
	"context set": `
		dashfeed context set prod --server https://dash.example.com --tenant acme
		dashfeed context set prod --token - < token`,
	"context use": `
		dashfeed context use prod
		dashfeed context use -`,
	"context delete": `
		dashfeed context delete prod`,
	"config show": `
		dashfeed config show
		dashfeed config show -o json`,
	"version": `
		dashfeed version -o json`,
	"completion": `
		source <(dashfeed completion bash)
		dashfeed completion fish > ~/.config/fish/completions/dashfeed.fish`,
}

// showExamples adds the examples to the help of the commands.
func showExamples(app *kong.Application) {
	for _, command := range app.Leaves(false) {
		lines := strings.ReplaceAll(examples[pathOf(command)], "\t", "")
		command.Detail = "Examples:" + strings.ReplaceAll(lines, "\n", "\n  ")
	}
}
