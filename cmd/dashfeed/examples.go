package main

// Help is what the help of a command says beside its flags: how it is called.

func (runCommand) Help() string {
	return `Examples:
  dashfeed run
  dashfeed run --data /var/lib/dashfeed --definitions definitions/
  dashfeed run --listen :8080 --hosts dash.example.com --insecure`
}

func (demoCommand) Help() string {
	return `Examples:
  dashfeed demo
  dashfeed demo --to http://127.0.0.1:8081`
}

func (nodeCommand) Help() string {
	return `Examples:
  dashfeed node --pulsar pulsar://127.0.0.1:6650 --node node-1
  dashfeed node --gateway --join 10.0.0.1:7946 --replicas 2`
}

func (gatewayCommand) Help() string {
	return `Examples:
  dashfeed gateway --pulsar pulsar://127.0.0.1:6650 --join 10.0.0.1:7946`
}

func (publishCommand) Help() string {
	return `Examples:
  dashfeed publish events.ndjson --dashboard checkout
  dashfeed publish events.csv.gz --map time=at --map value=price --speed 60
  kubectl logs app | dashfeed publish - --dashboard app`
}

func (watchCommand) Help() string {
	return `Examples:
  dashfeed watch checkout
  dashfeed watch checkout --panels countries --max-rate 2
  dashfeed watch checkout -o json | jq .`
}

func (foldCommand) Help() string {
	return `Examples:
  dashfeed fold --definition checkout.yaml --log records.ndjson`
}

func (definitionCheckCommand) Help() string {
	return `Examples:
  dashfeed definition check definitions/
  dashfeed definition check - < checkout.yaml`
}

func (definitionApplyCommand) Help() string {
	return `Examples:
  dashfeed definition apply checkout.yaml
  dashfeed definition get checkout | sed s/10s/1m/ | dashfeed definition apply -`
}
