package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// crowded is the error of an owner for a dashboard whose records it refuses.
func crowded(k messages.Key) error {
	return fmt.Errorf("%w: tenant %s has 3 dashboards in its shard, and at most 3 are allowed", feed.ErrCrowded, k.Tenant)
}

type crowdedFeed struct{ *definitionLog }

func (crowdedFeed) Read(_ context.Context, k messages.Key, _ feed.Query) (feed.Reading, error) {
	return feed.Reading{}, crowded(k)
}

// The definition of a dashboard that cannot get a record is refused before it is appended.
func TestDefinitionOfOneTooMany(t *testing.T) {
	l := newDefinitionLog()
	h := doorOf(t, crowdedFeed{l}, l)
	for _, body := range []string{rps, ""} {
		w := ask(h, methodOf(body), definitionPath, body)
		if w.Code != 507 || code(t, w.Body.String()) != wire.CodeCrowded || !strings.Contains(w.Body.String(), "at most 3") {
			t.Errorf("%s: %d %s", methodOf(body), w.Code, w.Body)
		}
	}
	if len(l.records) != 0 {
		t.Errorf("%d records were appended", len(l.records))
	}
}

// Events of dashboards that cannot get a record are refused one by one. Each dashboard is checked
// once per request.
func TestEventsOfOneTooMany(t *testing.T) {
	asked := map[string]int{}
	g := newIngest(t, IngestConfig{Log: openLog(t, nil), Room: func(_ context.Context, k messages.Key, _, _ int) (bool, error) {
		asked[k.Dashboard]++
		if strings.HasPrefix(k.Dashboard, "new") {
			return true, crowded(k)
		}
		return false, nil
	}})
	body := ""
	for _, name := range []string{"old", "new1", "old", "new1", "new2", "old2"} {
		body += fmt.Sprintf(`{"dashboard":%q,"metric":"m","value":1}`+"\n", name)
	}
	w := post(g, "/v1/events", form, "", strings.NewReader(body))
	var a ingestAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != 202 || a.Accepted != 3 || a.RefusedCount != 3 {
		t.Fatalf("%d %s, want 3 accepted and 3 refused", w.Code, w.Body)
	}
	for _, r := range a.Refused {
		if r.Reason != "too_many_dashboards" || !strings.Contains(r.Message, `dashboard "new`) || !strings.Contains(r.Message, "at most 3") {
			t.Errorf("refused with %+v", r)
		}
	}
	for name, n := range asked {
		if n != 1 {
			t.Errorf("%s was asked about %d times", name, n)
		}
	}
}

// TestDashboardsOfOneRequest: those that get their first record in one request count together, by
// shard, so that one request does not bring more than the limit allows.
func TestDashboardsOfOneRequest(t *testing.T) {
	l := openLog(t, nil)
	g := newIngest(t, IngestConfig{
		Log: l, Limits: limitsOf(t, limits.Values{limits.TenantDashboards: 3}),
		Room: func(_ context.Context, k messages.Key, most, _ int) (bool, error) {
			if most <= 1 { // one is there already in each shard
				return true, crowded(k)
			}
			return true, nil
		},
	})
	body := ""
	for i := range 20 {
		body += fmt.Sprintf(`{"dashboard":"d%d","metric":"m","value":1}`+"\n", i)
	}
	w := post(g, "/v1/events", form, "", strings.NewReader(body))
	var a ingestAnswer
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || a.Accepted != 2*l.Partitions() || !strings.Contains(w.Body.String(), "limit dashboards is reached") {
		t.Errorf("%d %s, want two in each shard", w.Code, w.Body)
	}
}
