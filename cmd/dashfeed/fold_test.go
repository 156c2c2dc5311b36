package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const foldDefinition = `dashboard: x
time: {bound: 0s, idle: 10s, lateness: 5s}
panels:
  - {id: w, window: {tumbling: 10s}, group_by: [labels.c], aggregates: [count, sum], keep: 2}
  - {id: s, window: {session: 5s}, aggregates: [count]}
`

const foldLog = `{"append":1000,"event":{"id":"a","metric":"m","value":1,"time":500,"labels":{"c":"A"}}}
{"append":2000,"event":{"id":"b","metric":"m","value":2.5,"time":1500,"labels":{"c":"B"}}}
{"append":9000,"event":{"id":"c","metric":"m","value":3,"time":8500,"dashboard":"other"}}

{"append":12000,"event":{"id":"c","metric":"m","value":3,"time":11500}}
{"append":12500,"event":{"id":"c","metric":"m","value":3,"time":11500}}
{"append":12500,"event":{"id":"e","metric":"m","value":1e999,"time":11500}}
{"append":40000,"tick":true}
{"append":40000,"event":{"id":"f","metric":"m","value":1,"time":39000}}
{"append":40001,"definition":{"panels":[{"id":"w","window":{"tumbling":"10s"}}]}}
{"append":40002,"event":{"id":"g","metric":"m","value":1,"time":39000}}
`

// The expected output: one line per version, deadlines as versions of their own (6 and 7: idle,
// from log time 12000 on), the cells that a definition removes, and the sums.
const folded = `{"version":1,"time":1000,"watermark":500,"cells":[["w",0,10000,["A"],0,[1,1]],["s",500,5500,[],0,[1]]],"removed":[]}
{"version":2,"time":2000,"watermark":1500,"cells":[["s",500,6500,[],0,[2]],["w",0,10000,["B"],0,[1,2.5]]],"removed":[]}
{"version":3,"time":12000,"watermark":11500,"cells":[["w",0,10000,["A"],1,[1,1]],["s",500,6500,[],1,[2]],["w",0,10000,["B"],1,[1,2.5]],["w",10000,20000,[null],0,[1,3]],["s",11500,16500,[],0,[1]]],"removed":[]}
{"version":6,"time":27000,"watermark":11500,"cells":[["s",11500,16500,[],1,[1]]],"removed":[]}
{"version":7,"time":30500,"watermark":11500,"cells":[["w",10000,20000,[null],1,[1,3]]],"removed":[]}
{"version":8,"time":40000,"watermark":39000,"cells":[["w",30000,40000,[null],0,[1,1]],["s",39000,44000,[],0,[1]]],"removed":[["w",0,10000,["A"]],["w",0,10000,["B"]]]}
{"version":9,"time":40001,"watermark":39000,"cells":[],"removed":[["s",500,6500,[]],["w",10000,20000,[null]],["s",11500,16500,[]],["w",30000,40000,[null]],["s",39000,44000,[]]]}
{"version":10,"time":40002,"watermark":39000,"cells":[["w",30000,40000,[],0,[1,1,1]]],"removed":[]}
{"final":true,"version":10,"time":40002,"watermark":39000,"counters":{"records":7,"accepted":5,"invalid":1,"invalid_reasons":{"range":1},"future":0,"duplicates":1,"horizon":0,"metrics_dropped":0,"set_aside":0,"panels":{"w":{"accepted":1,"filtered":0,"late_dropped":0,"folded":1,"late_accepted":0,"overflowed":0,"unsampled":0}}},"late":[],"refused":[{"id":"e","time":11500,"metric":"m","reason":"range","position":"7"}],"cells":[["w",30000,40000,[],0,[1,1,1]]]}
`

func TestFold(t *testing.T) {
	definition := write(t, "x.yaml", foldDefinition)
	log := write(t, "log.ndjson", foldLog)
	var states []string
	for _, batch := range []int{1, 2, 3, 7, 1000} {
		state := filepath.Join(t.TempDir(), "state")
		code, out, stderr := call(t, foldLog, "fold", "--definition", definition, "--batch", strconv.Itoa(batch), "--state", state)
		if code != 0 || out != folded {
			t.Errorf("batch %d: exit %d %s\ngot\n%s\nwant\n%s", batch, code, stderr, out, folded)
		}
		b, err := os.ReadFile(state)
		if err != nil || len(b) == 0 {
			t.Fatalf("state: %d bytes, %v", len(b), err)
		}
		states = append(states, string(b))
		if states[0] != states[len(states)-1] {
			t.Errorf("batch %d: another state", batch)
		}
	}
	if code, out, _ := call(t, "", "fold", "--definition", definition, "--log", log); code != 0 || out != folded {
		t.Errorf("from a file: exit %d\n%s", code, out)
	}
}

// TestFoldMarked: a byte order mark before the first record is skipped.
func TestFoldMarked(t *testing.T) {
	code, out, stderr := call(t, "\ufeff"+foldLog, "fold", "--definition", write(t, "x.yaml", foldDefinition))
	if code != 0 || out != folded {
		t.Errorf("exit %d %s\ngot\n%s", code, stderr, out)
	}
}

// TestFoldRefuses: a line that is no record ends the fold, and the error names its number.
func TestFoldRefuses(t *testing.T) {
	definition := write(t, "x.yaml", foldDefinition)
	const good = `{"append":1000,"tick":true}` + "\n"
	for _, bad := range []string{
		`x`, `{}`, `[]`, `{"append":1}`, `{"append":"1","tick":true}`, `{"append":1,"tick":false}`, `{"append":1.5,"tick":true}`,
		`{"append":1,"tick":true,"event":{}}`, `{"append":1,"tik":true}`, `{"append":1,"tick":true} {}`,
		`{"append":1,"event":{"value":NaN}}`, `{"append":1,"definition":{"panels":[]}}`, strings.Repeat(" ", 10) + `{"append":1,`,
	} {
		code, out, stderr := call(t, good+bad+"\n"+good, "fold", "--definition", definition)
		if code != 1 || !strings.Contains(stderr, "line 2: ") || strings.Contains(out, "final") {
			t.Errorf("%s: exit %d, stdout %s, stderr %s", bad, code, out, stderr)
		}
	}
	if code, _, stderr := call(t, "", "fold", "--definition", definition, "--batch", "0"); code != 2 {
		t.Errorf("batch 0: exit %d %s", code, stderr)
	}
}

// TestFoldCounts: an invalid event is a step, and counted by its reason.
func TestFoldCounts(t *testing.T) {
	definition := write(t, "x.yaml", foldDefinition)
	code, out, stderr := call(t, `{"append":1,"event":{"value":1}}`+"\n"+`{"append":2,"event":{"metric":"m","labels":7}}`+"\n", "fold", "--definition", definition)
	if code != 0 || !strings.Contains(out, `"version":2`) || !strings.Contains(out, `"invalid":2,"invalid_reasons":{"bad_label":1,"missing_metric":1}`) {
		t.Errorf("exit %d %s\n%s", code, stderr, out)
	}
}
