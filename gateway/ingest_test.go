package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/eventlog/embedded"
	"github.com/dashfeed/dashfeed/messages"
)

func TestIngest(t *testing.T) {
	for _, c := range []struct {
		name, target, contentType, encoding, body string

		status int
		answer string // "": neither answer nor stored is checked
		stored string
	}{
		{
			"one object over several lines", "/v1/events", form, "", "\n{\"dashboard\":\"a\",\n\"metric\":\"m\",\"value\":1}\n", 202,
			`{"accepted":1,"refused":[],"refusedCount":0,"positions":{"1":"1"}}`,
			"default/a {\"dashboard\":\"a\",\n\"metric\":\"m\",\"value\":1}",
		},
		{
			"objects laid out one after another, one of them broken", "/v1/events", "application/json", "",
			"{\n \"dashboard\":\"a\",\n \"metric\":\"m\"\n}\n{\n \"dashboard\" \"a\"\n}\n{\n \"dashboard\":\"a\",\n \"metric\":\"n\"\n} {\"dashboard\":\"a\",\"metric\":\"o\"}", 202,
			`{"accepted":3,"refused":[{"index":1,"reason":"malformed","message":"event 1: unexpected '\"' at byte 15"}],"refusedCount":1,"positions":{"1":"3"}}`,
			"default/a {\n \"dashboard\":\"a\",\n \"metric\":\"m\"\n}\ndefault/a {\n \"dashboard\":\"a\",\n \"metric\":\"n\"\n}\ndefault/a {\"dashboard\":\"a\",\"metric\":\"o\"}",
		},
		{
			"a form with a file in it", "/v1/events", "Multipart/Form-Data; boundary=x", "", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n{\"dashboard\":\"a\",\"metric\":\"m\"}\r\n--x--\r\n", 400,
			`{"accepted":0,"refused":[],"refusedCount":0,"positions":{},"error":{"code":1105,"message":"Content-Type \"Multipart/Form-Data; boundary=x\" is no body of events: send them as they are, as curl --data-binary @FILE does","retry":false,"after":0}}`, "",
		},
		{
			"an array: refused ones are named, the good ones stored", "/v1/events", "", "",
			`[{"dashboard":"a","metric":"m"}, {"dashboard":"a"}, 7, {"tenant":"t","dashboard":"b","metric":"m"},{"dashboard":"a","metric":"n","value":"x","time":{}}]`, 202,
			`{"accepted":3,"refused":[{"index":1,"reason":"missing_metric","message":"event 1: \"metric\" is missing"},` +
				`{"index":2,"reason":"not_an_object","message":"event 2: an event is a JSON object, this is another JSON value"}],"refusedCount":2,"positions":{"0":"1","1":"2"}}`,
			"t/b {\"tenant\":\"t\",\"dashboard\":\"b\",\"metric\":\"m\"}\ndefault/a {\"dashboard\":\"a\",\"metric\":\"m\"}\ndefault/a {\"dashboard\":\"a\",\"metric\":\"n\",\"value\":\"x\",\"time\":{}}",
		},
		{
			"a syntax error refuses a whole array", "/v1/events", "application/json", "", `[{"dashboard":"a","metric":"m"},{"dashboard":"a","metric":"m","value":NaN}]`, 400,
			`{"accepted":0,"refused":[],"refusedCount":0,"positions":{},"error":{"code":1100,"message":"the body is not a JSON array: unexpected 'N' at byte 70","retry":false,"after":0}}`, "",
		},
		{
			"in NDJSON only its line", "/v1/events", "application/x-ndjson", "", "{\"dashboard\":\"a\",\"metric\":\"m\"}\r\n\n{\"dashboard\":\"a\",\"metric\":\"m\",\"value\":NaN}\n{\"dashboard\":\"a\",\"metric\":\"n\"}", 202,
			`{"accepted":2,"refused":[{"index":1,"reason":"malformed","message":"event 1: unexpected 'N' at byte 38"}],"refusedCount":1,"positions":{"1":"2"}}`,
			"default/a {\"dashboard\":\"a\",\"metric\":\"m\"}\ndefault/a {\"dashboard\":\"a\",\"metric\":\"n\"}",
		},
		{
			"the query names what events do not", "/v1/events?dashboard=a&tenant=t", "", "", `[{"metric":"m"},{"dashboard":"b","tenant":"t","metric":"m"},{"metric":"m","tenant":"u"}]`, 202,
			`{"accepted":2,"refused":[{"index":2,"reason":"wrong_tenant","message":"event 2: the event names tenant \"u\", the request is for \"t\""}],"refusedCount":1,"positions":{"0":"1","1":"1"}}`,
			"t/b {\"dashboard\":\"b\",\"tenant\":\"t\",\"metric\":\"m\"}\nt/a {\"metric\":\"m\"}",
		},
		{
			"nothing to store", "/v1/events", "", "", `{"metric":"m"}`, 400,
			`{"accepted":0,"refused":[{"index":0,"reason":"missing_dashboard","message":"event 0: \"dashboard\" is missing"}],"refusedCount":1,"positions":{},` +
				`"error":{"code":1103,"message":"none of 1 events was stored; the first: event 0: \"dashboard\" is missing","retry":false,"after":0}}`, "",
		},
		{"no body", "/v1/events", "", "", ``, 400, `{"accepted":0,"refused":[],"refusedCount":0,"positions":{},"error":{"code":1100,"message":"the body holds no event","retry":false,"after":0}}`, ""},
		{"an empty array", "/v1/events", "", "", `[]`, 400, `{"accepted":0,"refused":[],"refusedCount":0,"positions":{},"error":{"code":1100,"message":"the body holds no event","retry":false,"after":0}}`, ""},
		{
			"MessagePack", "/v1/events", "application/msgpack; x=y", "", packed(t, []any{map[string]any{"metric": "m"}}) + packed(t, map[string]any{"dashboard": "a"}) + packed(t, 7), 400,
			`{"accepted":0,"refused":[{"index":0,"reason":"missing_dashboard","message":"event 0: \"dashboard\" is missing"},{"index":1,"reason":"missing_metric","message":"event 1: \"metric\" is missing"},` +
				`{"index":2,"reason":"not_an_object","message":"event 2: an event is a JSON object, this is another JSON value"}],"refusedCount":3,"positions":{},` +
				`"error":{"code":1103,"message":"none of 3 events was stored; the first: event 0: \"dashboard\" is missing","retry":false,"after":0}}`, "",
		},
		{
			"MessagePack, stored as JSON", "/v1/events?dashboard=a", "application/msgpack", "", packed(t, map[string]any{"metric": "m"}), 202,
			`{"accepted":1,"refused":[],"refusedCount":0,"positions":{"1":"1"}}`, `default/a {"metric":"m"}`,
		},
		{
			"gzip", "/v1/events", "", "gzip", zipped(t, `{"dashboard":"a","metric":"m"}`), 202,
			`{"accepted":1,"refused":[],"refusedCount":0,"positions":{"1":"1"}}`, `default/a {"dashboard":"a","metric":"m"}`,
		},
		{"no gzip", "/v1/events", "", "gzip", `{"dashboard":"a","metric":"m"}`, 400, `{"error":{"code":1100,"message":"the body is not gzip: gzip: invalid header","retry":false,"after":0}}`, ""},
		{"half a gzip", "/v1/events", "", "gzip", zipped(t, `{"dashboard":"a","metric":"m"}`)[:30], 400, "", ""},
		{"another encoding", "/v1/events", "", "br", `{}`, 415, `{"error":{"code":1105,"message":"Content-Encoding \"br\" is not known: gzip, identity or none","retry":false,"after":0}}`, ""},
		{"a bad dashboard", "/v1/events?dashboard=-", "", "", `{}`, 400, "", ""},
		{"a bad tenant", "/v1/events?tenant=a/b", "", "", `{}`, 400, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openLog(t, nil)
			w := post(newIngest(t, IngestConfig{Log: l}), c.target, c.contentType, c.encoding, strings.NewReader(c.body))
			if w.Code != c.status {
				t.Errorf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			// TestWarnings checks these
			got, _, warned := strings.Cut(strings.TrimSpace(w.Body.String()), `,"warnings":`)
			if warned {
				got += "}"
			}
			if c.answer != "" && got != c.answer {
				t.Errorf("answer\n%s\nwant\n%s", got, c.answer)
			}
			if got := stored(t, l); c.answer != "" && got != c.stored {
				t.Errorf("stored\n%s\nwant\n%s", got, c.stored)
			}
		})
	}
}

func TestIngestListsAtMostAHundred(t *testing.T) {
	l := openLog(t, nil)
	body := strings.Repeat("{}\n", 250) + `{"dashboard":"a","metric":"m"}`
	w := post(newIngest(t, IngestConfig{Log: l}), "/v1/events", "", "", strings.NewReader(body))
	var a ingestAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	if w.Code != 202 || a.Accepted != 1 || a.RefusedCount != 250 || len(a.Refused) != 100 || a.Refused[99].Index != 99 {
		t.Errorf("status %d, accepted %d, %d refused, %d listed; want 202, 1, 250, 100", w.Code, a.Accepted, a.RefusedCount, len(a.Refused))
	}
}

// unsized hides the length of a body.
func unsized(s string) io.Reader { return struct{ io.Reader }{strings.NewReader(s)} }

// endless returns n bytes without announcing their number.
func endless(n int64) io.Reader {
	return struct{ io.Reader }{io.LimitReader(spaces{}, n)}
}

type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func TestIngestBoundsBodies(t *testing.T) {
	l := openLog(t, nil)
	g := newIngest(t, IngestConfig{Log: l, BodyBytes: 100_000})
	evt := `{"dashboard":"a","metric":"m"}`
	fits := evt + strings.Repeat(" ", 100_000-len(evt))
	text := map[string]any{"dashboard": "a", "metric": "m", "x": strings.Repeat("\x01", 9000)}
	for _, c := range []struct {
		name, contentType, encoding string
		body                        io.Reader
		status                      int
	}{
		{"as large as allowed", "", "", strings.NewReader(fits), 202},
		{"a byte more", "", "", strings.NewReader(fits + " "), 413},
		{"a byte more, length not told", "", "", endless(100_001), 413},
		{"far more, length not told", "", "", endless(1 << 30), 413},
		{"inflated as large as allowed", "", "gzip", strings.NewReader(zipped(t, fits)), 202},
		{"inflated a byte more", "", "gzip", strings.NewReader(zipped(t, fits+" ")), 413},
		{"a bomb", "", "gzip", strings.NewReader(zipped(t, strings.Repeat(" ", 30_000_000))), 413},
		{"empty members without end", "", "gzip", unsized(strings.Repeat(zipped(t, ""), 5000)), 413},
		{"members that end where the limit lies", "", "gzip", unsized(zipped(t, evt) + strings.Repeat(zipped(t, ""), (100_000-len(zipped(t, evt)))/len(zipped(t, ""))) + zipped(t, evt)), 413},
		{"small MessagePack, great JSON", "application/msgpack", "", strings.NewReader(packed(t, []any{text, text, text, text, text})), 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := post(g, "/v1/events", c.contentType, c.encoding, c.body)
			if w.Code != c.status {
				t.Errorf("status %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if w.Code == 413 && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
	if r := g.bodies.room; r.held != 0 || len(r.clients) != 0 || len(r.reading) != 0 {
		t.Errorf("not every byte was given back: %d of %d clients, %d bodies", r.held, len(r.clients), len(r.reading))
	}
}

// failing is a log in which one partition fails.
type failing struct {
	eventlog.Appender
	partition int
	err       error
}

func (f failing) Append(ctx context.Context, entries []eventlog.Entry) ([]eventlog.Receipt, error) {
	receipts := make([]eventlog.Receipt, len(entries))
	for i, e := range entries {
		if receipts[i].Partition, _ = f.PartitionOf(e.Key); receipts[i].Partition == f.partition {
			continue
		}
		one, err := f.Appender.Append(ctx, entries[i:i+1])
		if err != nil {
			return receipts, err
		}
		receipts[i] = one[0]
	}
	return receipts, f.err
}

// apart is a log that separates tenants and knows one.
type apart struct {
	eventlog.Appender
	tenant string
}

func (a apart) PartitionOf(k messages.Key) (int, error) {
	if k.Tenant != a.tenant {
		return 0, fmt.Errorf("tenant %q: %w", k.Tenant, eventlog.ErrUnknownTenant)
	}
	return a.Appender.PartitionOf(k)
}

func TestIngestRefusesUnknownTenants(t *testing.T) {
	body := `[{"dashboard":"a","metric":"m","tenant":"acme"},{"dashboard":"a","metric":"m","tenant":"other"},{"dashboard":"a","metric":"m"}]`
	w := post(newIngest(t, IngestConfig{Log: apart{openLog(t, nil), "acme"}}), "/v1/events", "", "", strings.NewReader(body))
	want := `{"accepted":1,"refused":[{"index":1,"reason":"unknown_tenant","message":"event 1: tenant \"other\" is not known here"},` +
		`{"index":2,"reason":"unknown_tenant","message":"event 2: tenant \"default\" is not known here"}],"refusedCount":2,`
	if w.Code != http.StatusAccepted || !strings.HasPrefix(w.Body.String(), want) {
		t.Errorf("got %d %s\nwant 202 %s…", w.Code, w.Body, want)
	}
}

func TestIngestAcknowledgesOnlyWhatIsStored(t *testing.T) {
	both := `[{"dashboard":"a","metric":"m"},{"dashboard":"b","metric":"m"},{"dashboard":"b"}]`
	refused := `"refused":[{"index":2,"reason":"missing_metric","message":"event 2: \"metric\" is missing"}],"refusedCount":1`
	for _, c := range []struct {
		name, answer, retry string
		log                 func(*embedded.Log) eventlog.Appender
		change              func(*embedded.Config)
	}{
		{
			"a full disk", `{"accepted":0,` + refused + `,"positions":{},"error":{"code":1302,`, "5", nil,
			func(c *embedded.Config) { c.Storage.ReserveBytes = 1 << 60 },
		},
		{
			"one partition unreachable", `{"accepted":1,` + refused + `,"positions":{"0":"1"},"error":{"code":1303,`, "1",
			func(l *embedded.Log) eventlog.Appender {
				return failing{l, 1, fmt.Errorf("append: %w", eventlog.ErrUnreachable)}
			}, nil,
		},
		{
			"one partition full", `{"accepted":1,` + refused + `,"positions":{"1":"1"},"error":{"code":1302,`, "5",
			func(l *embedded.Log) eventlog.Appender { return failing{l, 0, eventlog.ErrFull} }, nil,
		},
		{
			"a log that says nothing", `{"accepted":1,` + refused + `,"positions":{"1":"1"},"error":{"code":1303,`, "1",
			func(l *embedded.Log) eventlog.Appender { return failing{l, 0, nil} }, nil,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openLog(t, c.change)
			var a eventlog.Appender = l
			if c.log != nil {
				a = c.log(l)
			}
			w := post(newIngest(t, IngestConfig{Log: a}), "/v1/events", "", "", strings.NewReader(both))
			if w.Code != http.StatusServiceUnavailable || !strings.HasPrefix(w.Body.String(), c.answer) || w.Header().Get("Retry-After") != c.retry {
				t.Errorf("got %d, Retry-After %s, %s\nwant 503, %s, %s…", w.Code, w.Header().Get("Retry-After"), w.Body, c.retry, c.answer)
			}
		})
	}
}

func TestIngestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	g := newIngest(t, IngestConfig{Log: openLog(t, nil), Registerer: reg})
	post(g, "/v1/events", "", "", strings.NewReader(`[{"dashboard":"a","metric":"m"},{"dashboard":"a","metric":"m"},{},7]`))
	post(g, "/v1/events", "", "", strings.NewReader(`[`))
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += "/" + l.GetValue()
			}
			if got[name] = m.GetCounter().GetValue(); m.GetHistogram() != nil {
				got[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	for name, want := range map[string]float64{
		"dashfeed_ingest_accepted_total": 2, "dashfeed_ingest_refused_total/missing_metric": 1, "dashfeed_ingest_refused_total/not_an_object": 1,
		"dashfeed_ingest_refused_total/bad_name": 0, "dashfeed_ingest_requests_total/202": 1, "dashfeed_ingest_requests_total/400": 1,
		"dashfeed_ingest_bytes_total": 69, "dashfeed_ingest_seconds": 2,
	} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: got %v, want %v", name, v, want)
		}
	}
}

func TestNewIngestRefuses(t *testing.T) {
	if _, err := NewIngest(IngestConfig{}); err == nil {
		t.Error("no log, no error")
	}
	if _, err := NewIngest(IngestConfig{Log: openLog(t, nil), BodyBytes: -1}); err == nil {
		t.Error("a negative limit, no error")
	}
}

// A client that is still sending when it is refused must get the answer, not a broken connection.
func TestIngestAnswersWhoSendsTooMuch(t *testing.T) {
	server := httptest.NewServer(mounted(Config{Events: newIngest(t, IngestConfig{Log: openLog(t, nil)})}))
	defer server.Close()
	for name, body := range map[string]io.Reader{"length told": bytes.NewReader(make([]byte, 10_000_000)), "length not told": endless(10_000_000)} {
		resp, err := server.Client().Post(server.URL+"/v1/events", "application/json", body)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != 413 || !strings.Contains(string(answer), `"code":1106`) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, answer)
		}
	}
}
