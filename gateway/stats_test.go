package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/messages/wire"
	"github.com/prometheus/client_golang/prometheus"
)

// The busiest dashboards are named, and the others are one series, however many there are.
func TestMetricsAreBounded(t *testing.T) {
	r := prometheus.NewRegistry()
	inBubble(t, Config{Registerer: r, Mirrors: Mirrors{Named: 2}}, func(t *testing.T, h *testGateway) {
		for i, viewers := range []int{1, 3, 2, 1} {
			for range viewers {
				h.dial(fmt.Sprintf("/dashboard/d%d", i)).text()
			}
		}
		h.dial("/dashboard/d1?tenant=acme").text()
		synctest.Wait()
		got := map[string]float64{}
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.Metric {
				if f.GetName() == "dashboard_active_connections" {
					got[m.Label[0].GetValue()] = m.Gauge.GetValue()
				}
				if f.GetName() == "dashfeed_sessions" && m.Gauge.GetValue() != 8 {
					t.Errorf("%v sessions", m.Gauge.GetValue())
				}
			}
		}
		if want := fmt.Sprint(map[string]float64{"d1": 3, "d2": 2, "_other": 3}); fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}

// A thousand sessions of one view cost one encoding per update.
func TestOneEncodingForACohort(t *testing.T) {
	const viewers = 1_000
	r := prometheus.NewRegistry()
	inBubble(t, Config{Registerer: r}, func(t *testing.T, h *testGateway) {
		h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, 1, 1) })
		for range viewers {
			c := h.connect()
			c.subscribe("")
			go func() {
				for {
					if _, _, err := c.ws.ReadMessage(); err != nil {
						return
					}
				}
			}()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		encodes, frames := value(t, r, "dashfeed_encodes_total"), value(t, r, "dashfeed_frames_total")
		for range 10 {
			h.step(func(b *board, v uint64) { b.put(v, panelRPS, "DE", 0, float64(v), 1) })
			time.Sleep(20 * time.Millisecond)
		}
		synctest.Wait()
		if n := value(t, r, "dashfeed_encodes_total") - encodes; n != 10 {
			t.Errorf("%v encodings of 10 updates", n)
		}
		if n := value(t, r, "dashfeed_frames_total") - frames; n != 10*viewers {
			t.Errorf("%v frames of 10 updates for %d viewers", n, viewers)
		}
	})
}

func value(t *testing.T, r *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].Counter.GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// An invalid config is refused, and the error names what is allowed.
func TestConfig(t *testing.T) {
	for _, c := range []Config{{}, {Feed: newLocalFeed(), Flush: time.Second}, {Feed: newLocalFeed(), MaxRate: 0.1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
	if rate, err := rateClass(49.9); rate != 20 || err != nil {
		t.Error(rate, err)
	}
	if _, err := rateClass(0.19); asError(err).Code != wire.CodeBadOption {
		t.Error(err)
	}
}
