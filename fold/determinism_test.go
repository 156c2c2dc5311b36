package fold_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/fold/foldtest"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/event"
	"pgregory.net/rapid"
)

// The same log gives the same bytes, whatever the node does while it folds.
func TestDeterminism(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := scripts(20, 170).Draw(rt, "log")
		checkDeterminism(wrap(t, rt), s, chances(rt))
	})
}

// FuzzDeterminism is TestDeterminism with the fuzzer's bytes as the source of chance. Its seeds are
// in testdata.
func FuzzDeterminism(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xa7, 0x13, 0x5c, 0xee, 0x01}, 400))
	f.Fuzz(func(t *testing.T, b []byte) {
		d := fromBytes(b)
		checkDeterminism(t, drawScript(d, min(len(b)/8, 200)), d)
	})
}

func checkDeterminism(t testing.TB, s script, d draw) {
	log := logOf(s)
	want := foldPlainly(log)
	for _, batch := range []int{1, 7, 1000} {
		n := &node{TB: t, draw: d, state: fold.NewShardState(fold.Builtin()), awake: map[messages.Key]*fold.Dashboard{}, asleep: map[messages.Key][]byte{}, known: map[string]*fold.Program{}}
		n.procs(pick(d, 1, 8), func() {
			for part := range slices.Chunk(log, batch) {
				n.fold(part)
				n.live()
			}
		})
		n.compare(want, fmt.Sprintf("batches of %d", batch))
	}
}

// logOf returns a script's records as a shard's reader sees them.
func logOf(s script) []messages.Record {
	other := messages.Key{Tenant: "default", Dashboard: "other"}
	log := []messages.Record{{Append: s.steps0(), Kind: messages.KindDefinition, Key: testKey, Payload: definition.Record{Region: "local", Definition: s.first}.Append(nil)}}
	for i := range s.steps {
		st := &s.steps[i]
		r := messages.Record{Append: st.append, EventTime: st.eventTime, Kind: messages.KindTick}
		switch st.kind {
		case kindEvent:
			r.Kind, r.Key, r.Payload = messages.KindEvent, testKey, payload(testKey, &st.event)
		case kindForeign:
			r.Kind, r.Key, r.Payload = messages.KindEvent, other, payload(other, &st.event)
		case kindMalformed:
			r.Kind, r.Key, r.Payload = messages.KindEvent, testKey, []byte(`{"dashboard":"d",`)
		case kindDefine:
			r.Kind, r.Key = messages.KindDefinition, testKey
			r.Payload = definition.Record{Revision: st.revision, Region: st.region, Definition: st.definition}.Append(nil)
		case kindSetAside: // here: the tenant's default changes
			r.Kind, r.Key = messages.KindDefinition, messages.Key{Tenant: "default"}
			def := *s.first
			def.Dashboard, def.Title = "", fmt.Sprint("default ", i)
			r.Payload = definition.Record{Revision: uint64(i), Region: "local", Definition: &def}.Append(nil)
		}
		log = append(log, r)
	}
	for i := range log {
		log[i].Position = messages.Position{Lo: uint64(i + 1)}
	}
	return log
}

func (s script) steps0() int64 {
	if len(s.steps) == 0 {
		return 0
	}
	return s.steps[0].append
}

// result is what must be equal.
type result struct {
	version uint64
	state   []byte
}

func resultOf(d *fold.Dashboard) result { return result{d.Version(), d.Append(nil)} }

// foldPlainly folds record by record and never reads, sleeps or restarts.
func foldPlainly(log []messages.Record) map[messages.Key]result {
	shard := fold.NewShard("local", fold.Builtin())
	logTime := log[0].Append
	for _, r := range log {
		shard.Fold(r)
		logTime = max(logTime, r.Append)
	}
	results := map[messages.Key]result{}
	for _, k := range shard.Keys() {
		d := shard.Dashboard(k)
		d.Advance(logTime)
		results[k] = resultOf(d)
	}
	return results
}

// node folds a shard as an owner does: in batches, its dashboards side by side, some of them
// asleep, with restarts.
type node struct {
	testing.TB
	draw
	state  *fold.ShardState
	awake  map[messages.Key]*fold.Dashboard
	asleep map[messages.Key][]byte
	known  map[string]*fold.Program // by canonical form
}

// delivery is a record on its way to its dashboard.
type delivery struct {
	at       fold.At
	record   messages.Record
	fallback *fold.Program // the tenant's default at this record
}

func (n *node) procs(procs int, f func()) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	f()
}

func (n *node) fold(batch []messages.Record) {
	byKey := map[messages.Key][]delivery{}
	for _, r := range batch {
		at, err := n.state.Observe(r)
		if err != nil {
			n.Fatalf("record %s: %v", r.Position, err)
		}
		if r.Kind != messages.KindTick && r.Key.Dashboard != "" {
			byKey[r.Key] = append(byKey[r.Key], delivery{at, r, n.state.Default(r.Key.Tenant)})
		}
	}
	var group sync.WaitGroup
	for k, deliveries := range byKey {
		d := n.wake(k, deliveries[0].fallback)
		group.Go(func() { foldDeliveries(d, deliveries) })
	}
	group.Wait()
}

func (n *node) wake(k messages.Key, fallback *fold.Program) *fold.Dashboard {
	if n.awake[k] == nil {
		if b, ok := n.asleep[k]; ok {
			n.awake[k] = n.decode(b)
			delete(n.asleep, k)
		} else {
			n.awake[k] = fold.New(k, "local", fallback)
		}
	}
	return n.awake[k]
}

// decode compiles each definition once, as an owner does.
func (n *node) decode(b []byte) *fold.Dashboard {
	d, err := fold.Decode(b, func(canonical []byte) (*fold.Program, error) {
		p, ok := n.known[string(canonical)]
		if ok {
			return p, nil
		}
		p, err := compileCanonical(canonical)
		n.known[string(canonical)] = p
		return p, err
	})
	if err != nil {
		n.Fatalf("state of %d bytes: %v", len(b), err)
	}
	return d
}

func decode(b []byte) (*fold.Dashboard, error) {
	return fold.Decode(b, compileCanonical)
}

func compileCanonical(canonical []byte) (*fold.Program, error) {
	def, err := definition.ParseCanonical(canonical)
	if err != nil {
		return nil, err
	}
	return fold.Compile(def, fold.Builtin())
}

func foldDeliveries(d *fold.Dashboard, deliveries []delivery) {
	var decoder event.Decoder
	var e event.Event
	for _, v := range deliveries {
		if v.record.Kind == messages.KindDefinition {
			r, err := definition.ParseRecord(v.record.Payload)
			if err != nil {
				panic(err)
			}
			program := v.fallback
			if r.Definition != nil {
				program = compile(r.Definition)
			}
			d.Define(v.at, r, program)
			continue
		}
		var refusal *event.Refusal
		if err := decoder.Decode(v.record.Payload, &e); errors.As(err, &refusal) {
			d.Malformed(v.at, refusal.Reason)
		} else {
			d.Event(v.at, &e)
		}
	}
}

// live does what can happen on a node between two batches.
func (n *node) live() {
	if n.often(10) {
		state, err := fold.DecodeShardState(n.state.Append(nil), fold.Builtin())
		if err != nil {
			n.Fatalf("shard state: %v", err)
		}
		n.state = state
		for _, k := range n.keys() {
			n.sleep(k)
		}
	}
	for _, k := range n.keys() {
		d := n.awake[k]
		switch n.draw(8) {
		case 0:
			d.Advance(n.state.LogTime())
		case 1:
			d.Since(uint64(n.draw(int(d.Version()) + 2)))
			d.Schema()
			d.Counters()
		case 2:
			d.Append(nil)
		case 3:
			n.sleep(k)
		}
	}
}

func (n *node) sleep(k messages.Key) {
	d := n.awake[k]
	if n.often(50) {
		d.Advance(n.state.LogTime())
	}
	n.asleep[k] = d.Append(nil)
	delete(n.awake, k)
}

func (n *node) keys() []messages.Key {
	return slices.SortedFunc(maps.Keys(n.awake), messages.Key.Compare)
}

func (n *node) compare(want map[messages.Key]result, how string) {
	n.Helper()
	for k := range n.asleep {
		n.wake(k, nil)
	}
	if len(n.awake) != len(want) {
		n.Fatalf("%s: %d dashboards, want %d", how, len(n.awake), len(want))
	}
	for _, k := range n.keys() {
		d := n.awake[k]
		d.Advance(n.state.LogTime())
		got := resultOf(d)
		if got.version != want[k].version {
			n.Fatalf("%s: %s is at version %d, want %d", how, k, got.version, want[k].version)
		}
		if !bytes.Equal(got.state, want[k].state) {
			n.Fatalf("%s: the states of %s differ from byte %d on: %d bytes, want %d", how, k, firstDifference(got.state, want[k].state), len(got.state), len(want[k].state))
		}
	}
}

func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// A client that comes and goes holds the dashboard's cells at every version that it reads.
func TestClientsView(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s, d := scripts(10, 200).Draw(rt, "log"), chances(rt)
		p := newPair(wrap(t, rt), s.first)
		clients := make([]client, 3)
		for i := range s.steps {
			p.fold(&s.steps[i])
			if d.often(20) {
				p.engine = restarted(p, p.engine)
			}
			if d.often(30) {
				clients[d(len(clients))].read(p, p.engine)
			}
		}
		for i := range clients {
			clients[i].read(p, p.engine)
		}
	})
}

func restarted(t testing.TB, d *fold.Dashboard) *fold.Dashboard {
	r, err := decode(d.Append(nil))
	if err != nil {
		t.Fatalf("decode: %v", err)
	}
	return r
}

// Long histories: many groups and many windows that come and go, so that tombstones are dropped and
// tables grow.
func TestLongHistory(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 11))
	def := &definition.Definition{
		Tenant: testKey.Tenant, Dashboard: testKey.Dashboard,
		Time:   definition.Time{Bound: 2e9, Idle: 10e9, MaxFuture: 60e9, Lateness: 5e9},
		Dedupe: definition.Dedupe{By: definition.ByID, Horizon: 20e9}, Tie: definition.TieOrder,
		Panels: []definition.Panel{
			{ID: "hop", Window: definition.Window{Kind: definition.Hopping, Size: 10e9, Every: 2e9}, Keep: 8, MaxGroups: 20, GroupBy: []string{"labels.k"}, Aggregates: []string{"count", "sum", "p95"}},
			{ID: "visits", Window: definition.Window{Kind: definition.Session, Size: 3e9}, Keep: 4, MaxGroups: 30, GroupBy: []string{"labels.k"}, Aggregates: []string{"count", "rate"}},
		},
	}
	p := newPair(t, def)
	now := int64(1_000_000)
	var c client
	for i := range 6_000 {
		now += random.Int64N(200)
		e := foldtest.Event{ID: fmt.Sprint(i), Metric: "m", Value: random.NormFloat64(), Time: now - random.Int64N(6_000), Labels: map[string]string{"k": fmt.Sprint(random.IntN(40))}}
		p.fold(&step{append: now, event: e})
		if i%997 == 0 {
			p.check()
		}
		if i%701 == 0 {
			c.read(t, p.engine)
			p.engine = restarted(t, p.engine)
		}
	}
	p.check()
	c.read(t, p.engine)
}
