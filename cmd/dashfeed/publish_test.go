package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
)

// published is the result of a publish.
type published struct {
	code   int
	sum    map[string]float64
	stderr string
}

// has compares the sum with the counts that are given, as in "accepted 2, late 1"; every other
// count must be 0.
func (p published) has(t *testing.T, code int, sum string, says ...string) {
	t.Helper()
	want := map[string]float64{}
	for _, part := range strings.Split(sum, ", ") {
		var name string
		var n float64
		if _, err := fmt.Sscan(part, &name, &n); err != nil {
			t.Fatal(part, err)
		}
		want[name] = n
	}
	for name, n := range p.sum {
		if name != "seconds" && n != want[name] {
			t.Errorf("%s is %v, want %v", name, n, want[name])
		}
	}
	if p.code != code {
		t.Errorf("exit %d, want %d", p.code, code)
	}
	for _, text := range says {
		if !strings.Contains(p.stderr, text) {
			t.Errorf("stderr lacks %q", text)
		}
	}
	if t.Failed() {
		t.Fatalf("stderr: %.3000s", p.stderr)
	}
}

// publish publishes a file of that name and text.
func publish(t *testing.T, server, name, text string, args ...string) published {
	t.Helper()
	code, out, stderr := call(t, "", append([]string{"publish", write(t, name, text), "--server", server, "-o", "json"}, args...)...)
	var sums []map[string]float64
	if err := json.Unmarshal([]byte(out), &sums); err != nil || len(sums) != 1 {
		t.Fatalf("exit %d, %v: %s\n%s", code, err, out, stderr)
	}
	return published{code, sums[0], stderr}
}

// mapped returns the rules of the CSV files below.
func mapped(dashboard string) []string {
	return []string{"--map", "dashboard==" + dashboard, "--map", "metric==m", "--map", "value=value", "--map", "time=time", "--map", "labels.name=name"}
}

const (
	noon   = 1_795_867_200_000
	minute = 60_000
)

// manyLines returns n lines.
func manyLines(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(line(i))
		b.WriteByte('\n')
	}
	return b.String()
}

// TestPublishTells: whatever a file holds, publish says what became of it, and where the trouble
// is.
func TestPublishTells(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	define(t, s.public, "dashboard: kept\npanels: [{id: newest, window: latest}, {id: n, window: {count: 10}, aggregates: [count]}]\n")
	define(t, s.public, "dashboard: picky\npanels: [{id: a, window: latest, filter: value > 100}]\n")
	event := func(dashboard string) func(i int) string {
		return func(i int) string {
			return fmt.Sprintf(`{"dashboard":%q,"metric":"m","value":%d,"time":%d}`, dashboard, i, noon+i)
		}
	}
	for _, c := range []struct {
		name, file, text string
		args             []string
		code             int
		sum              string
		says             []string
	}{
		{"good", "a.ndjson", manyLines(3, event("good")), nil, 0, "accepted 3, counted 3", nil},
		{"again", "a.ndjson", manyLines(3, event("good")), nil, 0, "accepted 3, duplicates 3", []string{"3 events were duplicates, and not counted again"}},
		{"grown", "a.ndjson", manyLines(5, event("good")), nil, 0, "accepted 5, counted 2, duplicates 3", []string{"good: whether this file was published before could be checked only as far back"}},
		{"empty", "a.ndjson", "", nil, 0, "accepted 0", []string{"a.ndjson contains no event"}},
		{"an empty array", "a.json", "[]", nil, 0, "accepted 0", []string{"a.json contains no event"}},
		{"marked", "a.ndjson", "\ufeff" + manyLines(2, event("mark")), nil, 0, "accepted 2, counted 2", nil},
		{"a broken line", "a.ndjson", manyLines(1000, func(i int) string {
			return strings.TrimSuffix(event("line")(i), strings.Repeat("}", max(0, 1-max(i-699, 699-i))))
		}), nil, 4, "accepted 999, counted 999, refused 1", []string{"a.ndjson:700: malformed: unexpected end"}},
		{"a long line", "a.ndjson", event("long")(0) + "\n" + `{"x":"` + strings.Repeat("x", 2_200_000) + "\"}\n" + event("long")(1), nil, 4, "accepted 2, counted 2, refused 1", []string{"a.ndjson:2: too_large"}},
		{"an array", "a.json", "[\n" + strings.ReplaceAll(strings.TrimSpace(manyLines(700, event("array"))), "\n", ",\n") + "]", nil, 0, "accepted 700, counted 700", nil},
		{"laid out", "a.json", "[" + strings.NewReplacer("{", "\n  {\n    ", ",", ",\n    ", "}\n{", "\n  },\n  {").Replace(strings.TrimSpace(manyLines(300, event("laid")))) + "]", nil, 0, "accepted 300, counted 300", nil},
		{"latin1", "a.ndjson", "{\"dashboard\":\"l1\",\"metric\":\"m\",\"value\":1,\"labels\":{\"name\":\"M\xfcller\"}}\n" + event("l1")(1), nil, 4, "accepted 1, counted 1, refused 1", []string{"a.ndjson:1: malformed: byte", "(0xFC) is not UTF-8"}},
		{"latin1 said", "a.ndjson", "{\"dashboard\":\"l1\",\"metric\":\"m\",\"value\":1,\"labels\":{\"name\":\"M\xfcller\"}}\n", []string{"--encoding", "latin1"}, 0, "accepted 1, counted 1", nil},
		{"latin1 rows", "a.csv", "time,value,name\n1795867200000,1,M\xfcller\n1795867200001,1,M\xf6ller\n1795867200002,1,x\n", mapped("rows"), 4, "accepted 1, counted 1, bad 2", []string{`a.csv:2: row 1, column "name": byte 2 (0xFC) is not UTF-8`, "a.csv:3: row 2"}},
		{"tabs", "a.tsv", "time\tvalue\tname\n1795867200000\t1\tx\n", mapped("tabs"), 0, "accepted 1, counted 1", nil},
		{"another delimiter", "a.csv", "time;value;name\n28.11.2026 12:00:00;1.012,5;x\n", append(mapped("semicolon"), "--delimiter", ";", "--decimal", ",", "--time-format", "02.01.2006 15:04:05", "--time-zone", "Europe/Berlin"), 0, "accepted 1, counted 1", nil},
		{"no zone", "a.ndjson", manyLines(100, func(int) string { return `{"dashboard":"zone","metric":"m","value":1,"time":"2026-11-28T16:22:49"}` }), nil, 4, "accepted 100, invalid 100", []string{
			"a.ndjson:1: 100 events, this the first, have a time that is neither ms nor RFC 3339: they name no zone, and --time-zone says which one is meant", "zone: of 100 events 100 invalid (time 100)",
		}},
		{"a zone", "a.ndjson", `{"dashboard":"zoned","metric":"m","value":1,"ts":"2026-11-28T16:22:49"}`, []string{"--time-zone", "Europe/Berlin"}, 0, "accepted 1, counted 1", nil},
		{"a layout", "a.ndjson", `{"dashboard":"zoned","metric":"m","value":1,"timestamp":"28.11.2026 16:22"}` + "\n" + `{"dashboard":"zoned","metric":"m","value":1,"time":"28.11."}`, []string{"--time-format", "02.01.2006 15:04"}, 4, "accepted 1, counted 1, refused 1", []string{`a.ndjson:2: malformed: time "28.11." is not of the layout`}},
		{"text for numbers", "a.ndjson", `{"dashboard":"type","metric":"m","value":"12","time":1795867200000}` + "\n" + `{"dashboard":"type","metric":"m","time":1795867200000}`, nil, 4, "accepted 2, invalid 2", []string{"a.ndjson:1: 1 events, this the first, have a value that is not a number", "a.ndjson:2: 1 events, this the first, have no value"}},
		{"seconds", "a.ndjson", manyLines(9, func(i int) string {
			return fmt.Sprintf(`{"dashboard":"secs","metric":"m","value":1,"time":%d}`, noon/1000+i)
		}), nil, 0, "accepted 9, counted 9", []string{"9 events, this the first, have a time before 1990: these are likely seconds, which --time-format s reads"}},
		{"microseconds", "a.ndjson", `{"dashboard":"micros","metric":"m","value":1,"time":1795867200000000}`, nil, 4, "accepted 1, future 1", []string{"likely microseconds", "micros: of 1 events 1 in the future"}},
		{"newest first, never late", "a.csv", "time,value,name\n" + manyLines(100, func(i int) string { return fmt.Sprintf("%d,%d,x", noon-i*minute, i) }), mapped("kept"), 0, "accepted 100, counted 100", nil},
		{"newest first", "a.csv", "time,value,name\n" + manyLines(100, func(i int) string { return fmt.Sprintf("%d,%d,x", noon-i*minute, i) }), mapped("late"), 4, "accepted 100, counted 1, late 99", []string{"late: of 100 events 99 late (panel window 99)"}},
		{"newest first, sorted", "a.csv", "time,value,name\n" + manyLines(100, func(i int) string { return fmt.Sprintf("%d,%d,x", noon-i*minute, i) }), append(mapped("sorted"), "--sort"), 0, "accepted 100, counted 100", nil},
		{"filtered", "a.ndjson", manyLines(103, event("picky")), nil, 0, "accepted 103, counted 2, filtered 101", []string{"the filters of all panels excluded 101 events"}},
		{"null rows", "a.csv", "time,value,name\n1795867200000,NA,x\n1795867200000,,x\n1795867200000,1,x\n", mapped("null"), 0, "accepted 1, counted 1, null 2", nil},
		{"no dashboard", "a.ndjson", `{"metric":"m","value":1}`, nil, 4, "refused 1", []string{"a.ndjson:1: missing_dashboard"}},
		{"another tenant", "a.ndjson", `{"dashboard":"d","tenant":"other","metric":"m","value":1}`, []string{"--tenant", "mine"}, 4, "refused 1", []string{"a.ndjson:1: wrong_tenant"}},
		{"many dashboards", "a.ndjson", manyLines(300, func(i int) string {
			return fmt.Sprintf(`{"dashboard":"many-%d","metric":"m","value":1,"time":%d}`, i%100, noon-(i/100)*minute*10)
		}), nil, 4, "accepted 300, counted 100, late 200", []string{"many-17: of 3 events 2 late", "the same holds for 90 more dashboards"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			publish(t, s.public, c.file, c.text, c.args...).has(t, c.code, c.sum, c.says...)
		})
	}
}

func define(t *testing.T, server, yaml string) {
	t.Helper()
	if code, _, stderr := call(t, "", "definition", "apply", write(t, "d.yaml", yaml), "--server", server); code != 0 {
		t.Fatal(stderr)
	}
}

// TestPublishRefusesFlags: the error names what is given, what is allowed, and why.
func TestPublishRefusesFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"a.csv", "--delimiter", ";;"}, `delimiter ";;" is not allowed: one character`},
		{[]string{"a.csv", "--delimiter", `"`}, "no quote"},
		{[]string{"a.csv", "--decimal", ","}, "--delimiter ';'"},
		{[]string{"a.csv", "--decimal", "x"}, `decimal "x" is not allowed: . or ,`},
		{[]string{"a.csv", "--encoding", "ebcdic"}, `encoding "ebcdic" is not known: utf-8, latin1`},
		{[]string{"a.csv", "--time-zone", "Mars"}, `time zone "Mars" is not known`},
		{[]string{"a.ndjson", "--delimiter", ";"}, "a.ndjson is NDJSON: --map, --map-file, --delimiter and --decimal are for CSV"},
		{[]string{"a.json", "--map", "metric==m", "--format", "ndjson"}, "are for CSV"},
		{[]string{"a.ndjson", "--dashboard", "a b"}, `dashboard name "a b" is not allowed`},
	} {
		path := write(t, c.args[0], "")
		code, _, stderr := call(t, "", append([]string{"publish", path}, c.args[1:]...)...)
		if code != exitUsage || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit %d, %s", c.args, code, stderr)
		}
	}
}

// TestPublishInterrupted: an interrupted publish says how many events were stored, and publishing
// the same file again counts none twice.
func TestPublishInterrupted(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	path := write(t, "a.ndjson", manyLines(1000, func(i int) string {
		return fmt.Sprintf(`{"dashboard":"cut","metric":"m","value":1,"time":%d}`, noon+i)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	server, err := client.New(client.Options{Server: s.public})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	watch := server.Subscribe(client.SubscribeOptions{Dashboard: "cut"})
	defer watch.Close()
	go func() {
		for {
			e, err := watch.Next(ctx)
			if _, ok := e.(*client.Update); err != nil || ok && watch.View().Place().Version > 10 {
				cancel()
				return
			}
		}
	}()
	var out, errs lockedBuffer
	code := run(ctx, []string{"publish", path, "--server", s.public, "--speed", "1", "--batch", "5", "-o", "json"}, strings.NewReader(""), &out, &errs)
	var sums []map[string]float64
	if err := json.Unmarshal([]byte(out.String()), &sums); err != nil {
		t.Fatal(err, out.String(), errs.String())
	}
	stored := sums[0]["accepted"]
	if code != exitInterrupted || stored < 5 || stored >= 1000 || !strings.Contains(errs.String(), fmt.Sprintf("interrupted: %.0f events were stored", stored)) {
		t.Errorf("exit %d, %v stored: %s", code, stored, errs.String())
	}
	code, table, stderr := call(t, "", "publish", path, "--server", s.public, "-o", "json")
	if err := json.Unmarshal([]byte(table), &sums); err != nil || code != 0 || sums[0]["duplicates"] != stored || sums[0]["counted"] != 1000-stored {
		t.Errorf("again: exit %d, %v, %v: %s", code, err, sums, stderr)
	}
}

// TestOutcome checks what is known if others write to the dashboard meanwhile, or if it begins a
// new history.
func TestOutcome(t *testing.T) {
	at := func(epoch string, accepted, invalid, duplicates, folded, late uint64) counted {
		c := counted{epoch, messages.Counters{Accepted: accepted, Invalid: invalid, Duplicates: duplicates, Panels: map[string]messages.PanelCounter{"p": {Accepted: accepted, Folded: folded, LateDropped: late}}}}
		c.Records = accepted + invalid + duplicates
		return c
	}
	for _, c := range []struct {
		name    string
		before  counted
		now     counted
		stored  uint64
		retried bool
		want    string
	}{
		{"ours alone", at("a", 10, 1, 0, 10, 0), at("a", 18, 2, 1, 17, 1), 10, false, "counted 7 late 1 invalid 1 duplicates 1 filtered 0 foreign 0"},
		{"new", counted{}, at("a", 4, 0, 0, 3, 0), 4, false, "counted 3 late 0 invalid 0 duplicates 0 filtered 1 foreign 0"},
		{"others were good", at("a", 10, 0, 0, 10, 0), at("a", 40, 0, 0, 40, 0), 10, false, "counted 10 late 0 invalid 0 duplicates 0 filtered 0 foreign 20"},
		{"others were bad", at("a", 10, 0, 0, 10, 0), at("a", 40, 5, 0, 10, 30), 10, false, "counted 0 late 5 invalid 5 duplicates 0 filtered 0 foreign 25"},
		{"sent again", at("a", 10, 0, 0, 10, 0), at("a", 20, 0, 4, 20, 0), 10, true, "counted 10 late 0 invalid 0 duplicates 0 filtered 0 foreign 4"},
		{"copies", at("a", 10, 0, 0, 10, 0), at("a", 10, 0, 10, 10, 0), 10, false, "counted 0 late 0 invalid 0 duplicates 10 filtered 0 foreign 0"},
		{"others sent copies", at("a", 10, 0, 0, 10, 0), at("a", 20, 0, 50, 20, 0), 10, false, "counted 0 late 0 invalid 0 duplicates 10 filtered 0 foreign 50"},
		{"another history", at("a", 10, 0, 0, 10, 0), at("b", 30, 0, 0, 30, 0), 10, false, errEpoch.Error()},
		{"set back", at("a", 10, 0, 0, 10, 0), at("a", 3, 0, 0, 3, 0), 10, false, errEpoch.Error()},
		{"too few", at("a", 10, 0, 0, 10, 0), at("a", 13, 0, 0, 13, 0), 10, false, errMissing.Error()},
	} {
		a := &account{key: messages.Key{Tenant: "default", Dashboard: "d"}, before: c.before, stored: c.stored}
		o := a.outcome(c.now, nil, c.retried)
		got := fmt.Sprintf("counted %d late %d invalid %d duplicates %d filtered %d foreign %d", o.counted, o.late, o.invalid, o.duplicates, o.filtered, o.foreign)
		if o.err != nil {
			got = o.err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestUnknownIsNoSuccess: if a dashboard can't say what became of its events, publish does not
// report success.
func TestUnknownIsNoSuccess(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	proxy := &http.Server{Addr: "127.0.0.1:0", ReadHeaderTimeout: time.Minute}
	address := forward(t, proxy, s.public)
	p := publish(t, address, "a.ndjson", `{"dashboard":"d","metric":"m","value":1}`+"\n")
	p.has(t, exitFailed, "accepted 1, unknown 1", "d: what became of 1 events is not known", "1 events are stored")
}

// TestSortHasABound: beyond the bound, nothing is sent.
func TestSortHasABound(t *testing.T) {
	f := &sortedFormat{format: &ndjsonFormat{}, limit: 10 << 10}
	if err := f.begin(strings.NewReader(manyLines(100, func(i int) string { return fmt.Sprintf(`{"dashboard":"d","metric":"m","value":1,"time":%d}`, i) }))); err != nil {
		t.Fatal(err)
	}
	if events, err := f.next(); len(events) > 0 || err == nil || !strings.Contains(err.Error(), "--sort holds") || f.held > f.limit+1000 {
		t.Errorf("%d events, %v, %d bytes held", len(events), err, f.held)
	}
}

// forward is a proxy of a server that does not answer reads after a position.
func forward(t *testing.T, front *http.Server, server string) string {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(target)
	front.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("after") {
			http.Error(w, "not now", http.StatusGatewayTimeout)
			return
		}
		behind.ServeHTTP(w, r)
	})
	l, err := net.Listen("tcp", front.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = front.Serve(l) })
	t.Cleanup(func() {
		front.Close()
		serving.Wait()
	})
	return "http://" + l.Addr().String()
}
