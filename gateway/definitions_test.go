package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// definitionLog is a log of definition records, and the feed of the resulting definitions: all that
// these handlers use of either.
type definitionLog struct {
	feed.Feed // Read and Default only

	mu       sync.Mutex
	records  []definition.Record
	keys     []messages.Key
	inForce  map[messages.Key]feed.DefinitionInForce
	orders   map[messages.Key]definition.Order
	defaults map[string]*definition.Definition
	err      error
	fails    messages.Key  // the key that gets err; none: all keys get it
	takes    time.Duration // how long an Append takes
	folds    time.Duration // how long a record takes to be folded
}

const definitionPartitions = 4

func newDefinitionLog() *definitionLog {
	return &definitionLog{inForce: map[messages.Key]feed.DefinitionInForce{}, orders: map[messages.Key]definition.Order{}, defaults: map[string]*definition.Definition{}}
}

func (l *definitionLog) Partitions() int                         { return definitionPartitions }
func (l *definitionLog) Tenant(string) (first, n int, err error) { return 0, definitionPartitions, nil }

func (l *definitionLog) PartitionOf(k messages.Key) (int, error) {
	return len(k.Dashboard) % definitionPartitions, nil
}

func (l *definitionLog) Append(_ context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	time.Sleep(l.takes) // more than nothing only in a bubble
	l.mu.Lock()
	defer l.mu.Unlock()
	var receipts []eventlog.Receipt
	for _, e := range entries {
		if l.err != nil && (l.fails == messages.Key{} || l.fails == e.Key) {
			return make([]eventlog.Receipt, len(entries)), l.err
		}
		r, err := definition.ParseRecord(e.Payload)
		if err != nil || e.Kind != messages.KindDefinition {
			return nil, fmt.Errorf("%s record: %w", e.Kind, err)
		}
		l.records, l.keys = append(l.records, r), append(l.keys, e.Key)
		partition := e.Partition
		if e.Key.Dashboard != "" {
			partition, _ = l.PartitionOf(e.Key)
		}
		receipts = append(receipts, eventlog.Receipt{Partition: partition, Position: messages.Position{Lo: uint64(len(l.records))}})
		l.fold(e.Key, r)
	}
	return receipts, nil
}

func (l *definitionLog) fold(k messages.Key, r definition.Record) {
	if k.Dashboard == "" {
		l.defaults[k.Tenant] = r.Definition
		return
	}
	def := r.Definition
	if def == nil {
		def = l.defaultOf(k.Tenant)
	}
	if r.Order().After(l.orders[k]) {
		l.orders[k] = r.Order()
		l.inForce[k] = feed.DefinitionInForce{Canonical: def.Canonical(), Hash: def.Hash(), Revision: r.Revision, Default: r.Definition == nil}
	}
}

func (l *definitionLog) defaultOf(tenant string) *definition.Definition {
	if def := l.defaults[tenant]; def != nil {
		return def
	}
	return definition.Default(tenant)
}

func (l *definitionLog) Read(ctx context.Context, k messages.Key, q feed.Query) (feed.Reading, error) {
	if q.After != nil && l.folds > 0 {
		select {
		case <-time.After(l.folds):
		case <-ctx.Done():
			return feed.Reading{}, feed.ErrNotInTime
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	in, ok := l.inForce[k]
	if !ok {
		return feed.Reading{}, feed.ErrUnknown
	}
	return feed.Reading{Update: feed.Update{Position: messages.Position{Lo: uint64(len(l.records))}}, Definition: in}, nil
}

func (l *definitionLog) Default(_ context.Context, k messages.Key) (feed.DefinitionInForce, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	def := l.defaultOf(k.Tenant)
	return feed.DefinitionInForce{Canonical: def.Canonical(), Hash: def.Hash(), Default: true}, nil
}

// door returns the handlers over a log, as the server mounts them.
func door(t *testing.T, l *definitionLog) http.Handler { return doorOf(t, l, l) }

func doorOf(t *testing.T, f feed.Feed, l *definitionLog) http.Handler {
	t.Helper()
	d, err := NewDefinitions(DefinitionsConfig{Feed: f, Log: l})
	if err != nil {
		t.Fatal(err)
	}
	return mounted(Config{Definitions: d})
}

func ask(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const (
	definitionPath = "/v1/dashboards/checkout/definition?tenant=acme"
	rps            = "panels:\n  - {id: rps, window: {tumbling: 10s}}\n"
	rpsJSON        = `{"dashboard":"checkout","panels":[{"id":"rps","window":{"tumbling":"10s"}}]}`
)

func TestDefinitionDoors(t *testing.T) {
	l := newDefinitionLog()
	h := door(t, l)
	def, err := definition.Parse("", []byte(rps), definition.Options{Key: messages.Key{Tenant: "acme", Dashboard: "checkout"}})
	if err != nil {
		t.Fatal(err)
	}
	hash, defaultHash := def[0].Hash(), definition.Default("acme").Hash()
	put := func(position string, changed bool) string {
		return fmt.Sprintf(`{"dashboard":"checkout","hash":"%s","position":"%s","changed":%v}`+"\n", hash, position, changed)
	}
	for _, c := range []struct {
		name, method, body, ifMatch string
		status                      int
		// answer: the whole answer, or a part of it if it begins with …
		etag, answer string
		records      int // in the log afterwards
	}{
		{"default", "GET", "", "", 200, defaultHash, "…dashboard: checkout\ntenant: acme\n", 0},
		{"delete nothing", "DELETE", "", "", 204, "", "", 0},
		{"other than in force", "PUT", rps, `"0123456789abcdef"`, 409, "", `…"code":1109`, 0},
		{"put", "PUT", rps, quote(defaultHash), 200, hash, put("0:1", true), 1},
		{"put the same", "PUT", rps, "", 200, hash, put("0:1", false), 1},
		{"put the same as JSON", "PUT", rpsJSON, quote(hash), 200, hash, put("0:1", false), 1},
		{"reset is always a record", "PUT", rps + "reset: true", "", 200, "", `…"changed":true`, 2},
		{"and again", "PUT", rps + "reset: true", "", 200, "", `…"changed":true`, 3},
		{"and back", "PUT", rps, "*", 200, hash, put("0:4", true), 4},
		{"get", "GET", "", "", 200, hash, "…tumbling: 10s", 4},
		{
			"problems", "PUT", "panels:\n  - id: rps\n    windw: latest\n", "", 422, "",
			`…"problems":[{"line":3,"column":5,"path":"panels[0].windw","message":"unknown key","allowed":["id","title","filter","window","keep","group_by","aggregates","rate","fill","max_groups","unscoped"],"nearest":"window"}]`, 4,
		},
		{"other dashboard", "PUT", "dashboard: till\n" + rps, "", 422, "", `…is not the dashboard this is for`, 4},
		{"other tenant", "PUT", "tenant: beta\n" + rps, "", 422, "", `…is not the tenant this is for`, 4},
		{"two", "PUT", rps + "---\n" + rps, "", 422, "", `…is defined twice`, 4},
		{"empty", "PUT", "", "", 422, "", `…no definition in it`, 4},
		{"too big", "PUT", rps + "#" + strings.Repeat("x", definition.MaxBytes), "", 413, "", `…"code":1106`, 4},
		{"delete another", "DELETE", "", quote(defaultHash), 409, "", `…"code":1109`, 4},
		{"delete", "DELETE", "", quote(hash), 204, "", "", 5},
		{"default again", "GET", "", "", 200, defaultHash, "…id: latest", 5},
		{"delete again", "DELETE", "", "", 204, "", "", 5},
		{"POST", "POST", rps, "", 405, "", `…"code":1100`, 5},
	} {
		header := []string{}
		if c.ifMatch != "" {
			header = []string{"If-Match", c.ifMatch}
		}
		w := ask(h, c.method, definitionPath, c.body, header...)
		got := w.Body.String()
		part, isPart := strings.CutPrefix(c.answer, "…")
		if w.Code != c.status || isPart && !strings.Contains(got, part) || !isPart && got != c.answer {
			t.Errorf("%s: got %d\n%s\nwant %d\n%s", c.name, w.Code, got, c.status, c.answer)
		}
		if etag := w.Header().Get("ETag"); c.etag != "" && etag != quote(c.etag) {
			t.Errorf("%s: ETag is %s, want %q", c.name, etag, c.etag)
		}
		if got, want := w.Header().Get("X-Dashfeed-Default"), c.etag == defaultHash; (got == "true") != want {
			t.Errorf("%s: X-Dashfeed-Default is %q", c.name, got)
		}
		if len(l.records) != c.records {
			t.Fatalf("%s: %d records, want %d", c.name, len(l.records), c.records)
		}
	}
	for i, r := range l.records {
		if r.Revision != uint64(i+1) || r.Region != "local" || l.keys[i] != (messages.Key{Tenant: "acme", Dashboard: "checkout"}) {
			t.Errorf("record %d is %+v of %v", i, r, l.keys[i])
		}
	}
}

func TestDefinitionFormats(t *testing.T) {
	h := door(t, newDefinitionLog())
	for accept, want := range map[string]string{
		"": "application/yaml", "*/*": "application/yaml", "text/html, */*": "application/yaml",
		"application/json": "application/json", "text/html, application/json;q=0.9, */*": "application/json",
		"application/yaml, application/json": "application/yaml",
	} {
		w := ask(h, "GET", definitionPath, "", "Accept", accept)
		if got := w.Header().Get("Content-Type"); got != want || (want == "application/json") != json.Valid(w.Body.Bytes()) {
			t.Errorf("Accept %q: %s, want %s:\n%s", accept, got, want, w.Body)
		}
		// A definition from GET can be used for PUT.
		if w := ask(h, "PUT", definitionPath, w.Body.String()); w.Code != 200 {
			t.Errorf("Accept %q: put back: %d %s", accept, w.Code, w.Body)
		}
	}
	etag := ask(h, "GET", definitionPath, "").Header().Get("ETag")
	if w := ask(h, "GET", definitionPath, "", "If-None-Match", etag); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("If-None-Match: %d %s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/v1/schema/definition.json", ""); w.Code != 200 || w.Body.String() != string(definition.Schema()) {
		t.Errorf("schema: %d %.200s", w.Code, w.Body)
	}
	if w := ask(h, "GET", "/v1/dashboards/-x/definition", ""); w.Code != 400 || !strings.Contains(w.Body.String(), "1103") {
		t.Errorf("bad name: %d %s", w.Code, w.Body)
	}
}

func TestDefinitionLogFails(t *testing.T) {
	l := newDefinitionLog()
	h := door(t, l)
	for err, code := range map[error]string{eventlog.ErrFull: "1302", eventlog.ErrUnreachable: "1303"} {
		l.err = err
		w := ask(h, "PUT", definitionPath, rps)
		if w.Code != 503 || !strings.Contains(w.Body.String(), code) || w.Header().Get("Retry-After") == "" {
			t.Errorf("%v: %d %s, want 503 and %s", err, w.Code, w.Body, code)
		}
	}
}

// Of many clients that read the same definition and change it under If-Match, one wins. In a bubble
// all come while the log is still writing.
func TestDefinitionRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newDefinitionLog()
		l.takes = time.Millisecond
		h := door(t, l)
		seen := quote(definition.Default("acme").Hash())
		codes := make([]int, 16)
		var wg sync.WaitGroup
		for i := range codes {
			wg.Go(func() {
				codes[i] = ask(h, "PUT", definitionPath, fmt.Sprintf("title: t%d\n%s", i, rps), "If-Match", seen).Code
			})
		}
		wg.Wait()
		won := 0
		for _, code := range codes {
			if code == 200 {
				won++
			} else if code != 409 {
				t.Errorf("status %d, want 200 or 409", code)
			}
		}
		if won != 1 || len(l.records) != 1 {
			t.Errorf("%d won with %d records, want 1 and 1", won, len(l.records))
		}
	})
}

func TestDefinitionFiles(t *testing.T) {
	l := newDefinitionLog()
	var saved []byte
	files := DefinitionFiles{
		Feed: l, Log: l,
		Load: func() ([]byte, error) { return saved, nil },
		Save: func(b []byte) error { saved = b; return nil },
	}
	parse := func(src string, k messages.Key) []*definition.Definition {
		t.Helper()
		defs, err := definition.Parse("f", []byte(src), definition.Options{Key: k})
		if err != nil {
			t.Fatal(err)
		}
		return defs
	}
	apply := func(source string, defs []*definition.Definition, want, records int) {
		t.Helper()
		changed, err := files.Apply(t.Context(), source, defs)
		if err != nil || changed != want || len(l.records) != records {
			t.Fatalf("%d applied, %d records, %v; want %d and %d", changed, len(l.records), err, want, records)
		}
	}
	checkout := messages.Key{Tenant: "acme", Dashboard: "checkout"}
	two := parse("dashboard: checkout\ntenant: acme\n"+rps+"---\ndashboard: till\n"+rps, messages.Key{})
	apply("a.yaml", two, 2, 2)
	if l.records[0].Source != "a.yaml" || l.records[0].Revision != 1 {
		t.Errorf("record %+v, want its source and revision 1", l.records[0])
	}
	apply("a.yaml", two, 0, 2)

	// A later PUT survives the next start, until the file changes.
	ask(door(t, l), "PUT", definitionPath, "title: mine\n"+rps)
	apply("a.yaml", two, 0, 3)
	apply("a.yaml", parse("title: theirs\ndashboard: checkout\ntenant: acme\n"+rps, messages.Key{}), 1, 4)
	if got := string(l.inForce[checkout].Canonical); !strings.Contains(got, "theirs") {
		t.Errorf("in force is %s, want the file's", got)
	}

	// The same definition in another file is in force already.
	apply("b.yaml", parse("title: theirs\ndashboard: checkout\ntenant: acme\n"+rps, messages.Key{}), 0, 4)

	// A tenant's default goes to every partition.
	def := parse(rps, messages.Key{Tenant: "acme"})
	apply("defaults/acme.yaml", def, 1, 4+definitionPartitions)
	apply("defaults/acme.yaml", def, 0, 4+definitionPartitions)
	if w := ask(door(t, l), "GET", "/v1/dashboards/new/definition?tenant=acme", ""); w.Header().Get("ETag") != quote(def[0].Hash()) {
		t.Errorf("a new dashboard has %s\n%s", w.Header().Get("ETag"), w.Body)
	}

	// A definition that could not be stored is applied again.
	l.err = eventlog.ErrFull
	if _, err := files.Apply(t.Context(), "c.yaml", parse("dashboard: c\n"+rps, messages.Key{})); err == nil {
		t.Error("a full log took a definition")
	}
	l.err = nil
	apply("c.yaml", parse("dashboard: c\n"+rps, messages.Key{}), 1, 5+definitionPartitions)

	// A definition that the same file contained before is not appended again: a PUT in between stays.
	records := len(l.records)
	two = parse("title: again\ndashboard: checkout\ntenant: acme\n"+rps+"---\ntitle: again\ndashboard: till\n"+rps, messages.Key{})
	l.err, l.fails = eventlog.ErrFull, messages.Key{Tenant: "default", Dashboard: "till"}
	if n, err := files.Apply(t.Context(), "a.yaml", two); n != 1 || !errors.Is(err, eventlog.ErrFull) {
		t.Errorf("%d applied, %v; want 1 and a full log", n, err)
	}
	ask(door(t, l), "PUT", definitionPath, "title: meanwhile\n"+rps)
	l.err = nil
	apply("a.yaml", two, 1, records+3)
	if got := string(l.inForce[checkout].Canonical); !strings.Contains(got, "meanwhile") {
		t.Errorf("in force is %s, want what was put", got)
	}
}
