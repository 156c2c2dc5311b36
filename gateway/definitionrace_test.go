package gateway

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

// TestDefinitionRaceOfGateways: two gateways read the definition in force at the same moment, and
// both append. The order of the records decides, not which request came first. A client whose
// record is not in force is told so, and what is in force.
func TestDefinitionRaceOfGateways(t *testing.T) {
	const a, b, anew = "title: a\n" + rps, "title: b\n" + rps, "reset: true\ntitle: a\n" + rps
	for name, race := range map[string]struct {
		bodies [2]string // "": DELETE
		header []string
		agree  bool // both want the same definition
	}{
		"two definitions":   {[2]string{a, b}, nil, false},
		"under If-Match":    {[2]string{a, b}, []string{"If-Match", "*"}, false},
		"one takes it away": {[2]string{a, ""}, nil, false},
		"one begins anew":   {[2]string{anew, b}, nil, false},
		"both want it":      {[2]string{a, a}, nil, true},
		"both want it gone": {[2]string{"", ""}, nil, true},
	} {
		// in either order in the log
		for i, bodies := range [][2]string{race.bodies, {race.bodies[1], race.bodies[0]}} {
			for _, folds := range []time.Duration{0, time.Second} {
				t.Run(fmt.Sprintf("%s/%d/%v", name, i, folds), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { raceOfGateways(t, bodies, race.header, race.agree, folds) })
				})
			}
		}
	}
}

func raceOfGateways(t *testing.T, bodies [2]string, header []string, agree bool, folds time.Duration) {
	l := newDefinitionLog()
	k := messages.Key{Tenant: "acme", Dashboard: "checkout"}
	if w := ask(door(t, l), "PUT", definitionPath, rps); w.Code != 200 {
		t.Fatalf("put: %d %s", w.Code, w.Body)
	}
	l.takes, l.folds = time.Second, folds
	var answers [2]*httptest.ResponseRecorder
	var wg sync.WaitGroup
	for i, body := range bodies {
		h := door(t, l)
		wg.Go(func() {
			time.Sleep(time.Duration(i) * time.Millisecond)
			answers[i] = ask(h, methodOf(body), definitionPath, body, header...)
		})
	}
	wg.Wait()
	if len(l.records) != 3 || l.records[1].Revision != 2 || l.records[2].Revision != 2 {
		t.Fatalf("records are %+v, want two of revision 2", l.records)
	}
	in, lost := l.inForce[k], 0
	for i, body := range bodies {
		w := answers[i]
		var want *definition.Definition
		if body != "" {
			defs, err := definition.Parse("", []byte(body), definition.Options{Key: k})
			if err != nil {
				t.Fatal(err)
			}
			want = defs[0]
		}
		switch {
		case w.Code == 409:
			lost++
			if is(in, want) || w.Header().Get("ETag") != quote(in.Hash) || !strings.Contains(w.Body.String(), in.Hash) {
				t.Errorf("%q: 409, ETag %s, %s; in force is %s", body, w.Header().Get("ETag"), w.Body, in.Canonical)
			}
		case w.Code >= 300:
			t.Errorf("%q: %d %s", body, w.Code, w.Body)
		case !is(in, want) && (i == 1 || folds > 0):
			// the first may have been in force until the second came
			t.Errorf("%q: %d %s, and in force is %s", body, w.Code, w.Body, in.Canonical)
		}
	}
	if folds > 0 && agree != (lost == 0) {
		t.Errorf("%d of two lost, agree is %v", lost, agree)
	}
}

func methodOf(body string) string {
	if body == "" {
		return "DELETE"
	}
	return "PUT"
}

// A definition that is stored and not folded in time is neither in force nor lost yet.
func TestDefinitionIsNotFoldedYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newDefinitionLog()
		l.folds = time.Minute
		h := door(t, l)
		for _, body := range []string{rps, ""} {
			if w := ask(h, methodOf(body), definitionPath, body); w.Code != 202 || body != "" && !strings.Contains(w.Body.String(), `"pending":true`) {
				t.Errorf("%s: %d %s, want 202", methodOf(body), w.Code, w.Body)
			}
		}
	})
}
