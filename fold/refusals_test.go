package fold_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// refused makes a record that the log does not accept as what it claims to be.
func refused(at uint64, dashboard, why string) messages.Record {
	return messages.Record{
		Position: messages.Position{Lo: at}, Append: int64(1000 * at), Kind: messages.KindEvent,
		Key: messages.Key{Tenant: "default", Dashboard: dashboard}, Refused: why, Producer: fmt.Sprint("p-", at),
	}
}

// A refused record counts once: at the dashboard that its key names if that dashboard's home is
// here, else at the shard, which lists it. It moves log time, and a restored state continues as if
// it had not been saved.
func TestRefusedRecordsAreCountedAndListed(t *testing.T) {
	s := fold.NewShard("local", fold.Builtin())
	s.Home(func(k messages.Key) bool { return k.Dashboard != "elsewhere" })
	for i, r := range []messages.Record{
		refused(1, "", "no_dashboard"), refused(2, "d", "encrypted"), refused(3, "elsewhere", "bad_mac"),
		forwarded(4, "d", 3, 10), refused(5, "", "no_dashboard"),
	} {
		s.Fold(r)
		b := s.State().Append(nil)
		again, err := fold.DecodeShardState(b, fold.Builtin())
		if err != nil || string(again.Append(nil)) != string(b) {
			t.Fatalf("after record %d: %v", i, err)
		}
	}
	c := s.Dashboard(messages.Key{Tenant: "default", Dashboard: "d"}).Counters()
	if c.Invalid != 1 || c.InvalidReasons["encrypted"] != 1 || c.Records != 2 || len(s.Keys()) != 1 || s.State().LogTime() != 5000 {
		t.Errorf("counters %+v, dashboards %v, log time %d", c, s.Keys(), s.State().LogTime())
	}
	if got := fmt.Sprint(s.State().RefusedCounts()); got != "map[bad_mac:1 no_dashboard:2]" {
		t.Errorf("counted %s", got)
	}
	want := "[{1 1000 p-1 no_dashboard} {3 3000 p-3 bad_mac} {5 5000 p-5 no_dashboard}]"
	if got := fmt.Sprint(s.State().Refusals()); got != want {
		t.Errorf("listed %s, want %s", got, want)
	}
}

// A refused record has no effect, whatever it claims to be.
func TestRefusedRecordsHaveNoEffect(t *testing.T) {
	s := fold.NewShardState(fold.Builtin())
	origin := refused(1, "", "bad_mac")
	origin.Origin = messages.Origin{Partition: 3, Position: messages.Position{Lo: 1000}}
	definition := refused(2, "", "bad_mac")
	definition.Kind, definition.Payload = messages.KindDefinition, []byte(`{"revision":9,"region":"r"}`)
	for _, r := range []messages.Record{origin, definition} {
		if at, err := s.Observe(r); err != nil || at.Repeated {
			t.Errorf("record at %s: %v, repeated %v", r.Position, err, at.Repeated)
		}
	}
	if at, err := s.Observe(forwarded(3, "d", 3, 10)); err != nil || at.Repeated {
		t.Errorf("a forwarded record is ignored: %v", err)
	}
	if revision, _ := s.DefaultRevision("default"); revision != 0 {
		t.Errorf("revision %d of the default is in force", revision)
	}
}

func TestRefusalsAreBounded(t *testing.T) {
	s := fold.NewShardState(fold.Builtin())
	const records = 1000
	for i := range uint64(records) {
		r := refused(i+1, "", fmt.Sprint("reason-", i, strings.Repeat("é", 100)))
		r.Producer = strings.Repeat("x", 1<<20)
		if _, err := s.Observe(r); err != nil {
			t.Fatal(err)
		}
	}
	counts, list := s.RefusedCounts(), s.Refusals()
	if len(counts) != fold.MaxReasons || counts["other"] != records-fold.MaxReasons+1 {
		t.Errorf("%d reasons, %d others", len(counts), counts["other"])
	}
	if len(list) != fold.MaxListed || list[0].Position.Lo != records-fold.MaxListed+1 || len(list[0].Producer) > 64 || !strings.HasPrefix(list[0].Reason, "reason-900é") {
		t.Errorf("%d are listed, the first is %.200v", len(list), list[0])
	}
	b := s.Append(nil)
	if len(b) > 20_000 {
		t.Errorf("the state takes %d bytes", len(b))
	}
	for cut := range b {
		if _, err := fold.DecodeShardState(b[:cut], fold.Builtin()); err == nil {
			t.Fatalf("cut at %d of %d: understood", cut, len(b))
		}
	}
}

// An event without a time takes the time that its producer set beside it, else the append time.
func TestEventTimeReplacesAMissingOne(t *testing.T) {
	s := fold.NewShard("local", fold.Builtin())
	for i, at := range []int64{0, 2_500} {
		r := forwarded(uint64(i+3), "d", i, 1)
		r.Payload, r.EventTime = []byte(`{"dashboard":"d","metric":"m","value":1}`), at
		s.Fold(r)
		want := []int64{3_000 - 2_000, 3_000 - 2_000}[i] // W: the newest time less the bound
		if got := s.Dashboard(r.Key).Watermark(); got != want {
			t.Errorf("event time %d: watermark %d, want %d", at, got, want)
		}
	}
	r := forwarded(9, "e", 7, 1)
	r.Payload, r.EventTime = []byte(`{"dashboard":"e","metric":"m","value":1}`), 2_500
	s.Fold(r)
	if got := s.Dashboard(r.Key).Watermark(); got != 2_500-2_000 {
		t.Errorf("watermark %d, want 500", got)
	}
	r.Position.Lo, r.Origin.Position.Lo, r.Payload = 10, 2, []byte(`{"dashboard":"e","metric":"m","value":1,"time":6000}`)
	s.Fold(r)
	if got := s.Dashboard(r.Key).Watermark(); got != 6_000-2_000 {
		t.Errorf("watermark %d, want 4000: its own time counts", got)
	}
}

// An event that names another dashboard than its key is invalid, at the key's dashboard.
func TestKeyAndEventNameDifferentDashboards(t *testing.T) {
	s := fold.NewShard("local", fold.Builtin())
	for i, payload := range []string{
		`{"dashboard":"e","metric":"m","value":1,"time":1000}`, `{"tenant":"other","dashboard":"d","metric":"m","value":1,"time":1000}`,
		`{"metric":"m","value":1,"time":1000}`, `{"tenant":"default","dashboard":"d","metric":"m","value":1,"time":1000}`,
	} {
		r := forwarded(uint64(i+1), "d", i, 1)
		r.Payload = []byte(payload)
		s.Fold(r)
	}
	c := s.Dashboard(messages.Key{Tenant: "default", Dashboard: "d"}).Counters()
	if c.InvalidReasons[fold.KeyMismatch] != 2 || c.Accepted != 2 || len(s.Keys()) != 1 {
		t.Errorf("counters %+v of %v", c, s.Keys())
	}
}
