package admin

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// However many errors a part has, readyz shows the first few and how many more there are, in one
// line.
func TestReadyzIsBounded(t *testing.T) {
	var h Health
	h.Expect("log", "shards")
	a := New(prometheus.NewRegistry(), &h, nil, 32, nil)
	for _, c := range []struct {
		troubles int
		want     string
	}{
		{0, "ok"},
		{2, "shard 0; shard 1"},
		{8, "shard 0; shard 1; shard 2; shard 3; shard 4; shard 5; shard 6; shard 7"},
		{9, "shard 0; shard 1; shard 2; shard 3; shard 4; shard 5; shard 6; shard 7; and 1 more"},
		{4096, "shard 0; shard 1; shard 2; shard 3; shard 4; shard 5; shard 6; shard 7; and 4088 more"},
	} {
		var errs []error
		for shard := range c.troubles {
			errs = append(errs, fmt.Errorf("shard %d", shard))
		}
		h.Minor("log", func() error { return errors.Join(errs...) })
		h.Of("shards", func() error { return errors.Join(errs...) })
		short := "shards: " + c.want
		if c.troubles == 0 {
			short = "ok"
		}
		for query, want := range map[string]string{"": short, "?verbose": "log: " + c.want + "\nshards: " + c.want} {
			w := httptest.NewRecorder()
			a.ready(w, httptest.NewRequest(http.MethodGet, "/readyz"+query, nil))
			if got := w.Body.String(); got != want+"\n" {
				t.Errorf("%d troubles, /readyz%s: %s, want %s", c.troubles, query, got, want)
			}
		}
	}
}
