package fold_test

import (
	"fmt"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/messages"
)

// forwarded makes a record of the dashboard that was forwarded from another partition.
func forwarded(at uint64, dashboard string, from int, was uint64) messages.Record {
	return messages.Record{
		Position: messages.Position{Lo: at}, Append: int64(1000 * at), Kind: messages.KindEvent,
		Key:     messages.Key{Tenant: "default", Dashboard: dashboard},
		Origin:  messages.Origin{Partition: from, Position: messages.Position{Lo: was}},
		Payload: fmt.Appendf(nil, `{"dashboard":%q,"metric":"m","value":1,"time":1000}`, dashboard),
	}
}

// Repeated forwarded records count once and are no step, also after the state was saved; they move
// log time as any record does.
func TestForwardedRecordsCountOnce(t *testing.T) {
	s := fold.NewShard("local", fold.Builtin())
	s.Home(func(k messages.Key) bool { return k.Dashboard != "misrouted" })
	for i, r := range []messages.Record{
		forwarded(1, "d", 3, 10), forwarded(2, "d", 3, 12), forwarded(3, "e", 0, 5),
		forwarded(4, "d", 3, 10), forwarded(5, "d", 3, 12), // repeated
		forwarded(6, "d", 3, 13), forwarded(7, "e", 3, 13), // repeated, of any dashboard
		forwarded(8, "misrouted", 9, 1), // misrouted: no state of it remains
		forwarded(9, "d", -1, 99),
	} {
		s.Fold(r)
		b := s.State().Append(nil)
		again, err := fold.DecodeShardState(b, fold.Builtin())
		if err != nil || string(again.Append(nil)) != string(b) {
			t.Fatalf("after record %d: %v", i, err)
		}
	}
	d, e := s.Dashboard(messages.Key{Tenant: "default", Dashboard: "d"}), s.Dashboard(messages.Key{Tenant: "default", Dashboard: "e"})
	if d.Counters().Accepted != 3 || e.Counters().Accepted != 1 || len(s.Keys()) != 2 || s.State().LogTime() != 9000 {
		t.Errorf("accepted %d and %d, %d dashboards, log time %d", d.Counters().Accepted, e.Counters().Accepted, len(s.Keys()), s.State().LogTime())
	}
	b := s.State().Append(nil)
	for cut := range b {
		if _, err := fold.DecodeShardState(b[:cut], fold.Builtin()); err == nil {
			t.Errorf("cut at %d of %d: understood", cut, len(b))
		}
	}
}

func TestOriginsAreBounded(t *testing.T) {
	s := fold.NewShardState(fold.Builtin())
	for i := range fold.MaxOrigins {
		if at, err := s.Observe(forwarded(uint64(i+1), "d", i, 1)); err != nil || at.Repeated {
			t.Fatalf("partition %d: %v", i, err)
		}
	}
	if at, err := s.Observe(forwarded(1_000_000, "d", fold.MaxOrigins, 1)); err == nil || !at.Repeated {
		t.Error("one more partition is taken")
	}
	if at, err := s.Observe(forwarded(1_000_001, "d", 7, 2)); err != nil || at.Repeated {
		t.Errorf("a known one is not taken: %v", err)
	}
}

func FuzzDecodeShardState(f *testing.F) {
	s := fold.NewShardState(fold.Builtin())
	f.Add(s.Append(nil))
	for i := range 5 {
		_, _ = s.Observe(forwarded(uint64(i+1), "d", i*i, uint64(1<<i)))
		f.Add(s.Append(nil))
	}
	for i := range uint64(3) {
		_ = s.Skip(messages.Position{Lo: 10 * i}, messages.Position{Hi: i, Lo: 10*i + 5})
		f.Add(s.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := fold.DecodeShardState(b, fold.Builtin())
		if err != nil {
			return
		}
		again, err := fold.DecodeShardState(s.Append(nil), fold.Builtin())
		if err != nil || string(again.Append(nil)) != string(s.Append(nil)) {
			t.Fatalf("a state that was understood is not, written again: %v", err)
		}
	})
}
