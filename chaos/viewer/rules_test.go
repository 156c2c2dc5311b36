package viewer

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestRules lets a server break one rule at a time; the viewer must report it, and must report
// nothing of a server that keeps the rules.
func TestRules(t *testing.T) {
	const (
		subscribed = `{"type":"subscribed","id":1,"dashboard":"d","view":"00000000000000aa","rate":0,"resumed":false,"schema":[{"panel":"p","title":"","window":{"latest":true},"keep":1,"groupBy":[],"columns":["count"]}]}`
		first      = `{"type":"update","view":"00000000000000aa","epoch":"00000001","from":0,"to":5,"cells":[[0,0,0,0,[],0,[5]]]}`
	)
	update := func(epoch, from, to, cells string) string {
		return `{"type":"update","view":"00000000000000aa","epoch":"` + epoch + `","from":` + from + `,"to":` + to + `,"cells":[` + cells + `]}`
	}
	gap := `{"type":"gap","view":"00000000000000aa","why":"epoch"}`
	for _, c := range []struct {
		name, says string
		frames     []string
	}{
		{"all right", "", []string{first, update("00000001", "5", "7", "[0,0,[7]]"), update("00000001", "4", "9", "[0,0,[9]]"), gap, update("00000002", "0", "1", "[0,0,0,0,[],0,[1]]")}},
		{"a gap in the versions", "an update from 6 follows one to 5", []string{first, update("00000001", "6", "7", "[0,0,[7]]")}},
		{"a version goes back", "an update to 4 follows one to 5", []string{first, update("00000001", "3", "4", "[0,0,[4]]")}},
		{"a snapshot goes back", "a snapshot of 3 follows an update to 5", []string{first, update("00000001", "0", "3", "[0,0,0,0,[],0,[3]]")}},
		{"backward in itself", "goes back from 7 to 6", []string{first, update("00000001", "7", "6", "")}},
		{"another epoch", "of epoch 00000002 in epoch 00000001", []string{first, update("00000002", "5", "6", "[0,0,[6]]")}},
		{"no snapshot after a gap", "where only one from 0 may come", []string{first, gap, update("00000001", "5", "6", "[0,0,[6]]")}},
		{"a cell nobody has", "cell 3 is not known", []string{first, update("00000001", "5", "6", "[3,0,[6]]")}},
		{"a view nobody asked for", "which has no subscription", []string{first, `{"type":"gap","view":"00000000000000bb","why":"epoch"}`}},
		{"back within an epoch after a gap", "version went back from 5 to 2 within epoch 00000001", []string{first, gap, update("00000001", "0", "2", "[0,0,0,0,[],0,[2]]")}},
		{"no frame", "does not parse", []string{first, `{`}},
		{"refused", "error 1103", []string{`{"type":"error","id":1,"code":1103,"message":"no","retry":false,"after":0}`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			sent := make(chan struct{})
			var once atomic.Bool
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if once.Swap(true) {
					http.Error(w, "once", http.StatusServiceUnavailable)
					return
				}
				ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
				if err != nil {
					t.Error(err)
					return
				}
				defer ws.Close()
				if _, _, err := ws.ReadMessage(); err != nil {
					t.Error(err)
				}
				for _, f := range append([]string{subscribed}, c.frames...) {
					if err := ws.WriteMessage(websocket.TextMessage, []byte(f)); err != nil {
						t.Error(err)
					}
				}
				ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
				ws.ReadMessage() // until the viewer has read everything and leaves
				close(sent)
			}))
			defer server.Close()
			v := Watch(Config{Name: "v", Gateways: []string{server.URL}, Dashboards: []string{"d"}, Record: true})
			<-sent
			v.Close()
			said, _ := json.Marshal(v.Problems())
			if c.says == "" && len(v.Problems()) > 0 || !strings.Contains(string(said), c.says) {
				t.Errorf("want %q, got %s", c.says, said)
			}
			if c.says == "" && v.Places()["d"].Version != 1 {
				t.Errorf("the viewer is at %s", v.Places()["d"])
			}
		})
	}
}

// TestBounds checks that what a viewer keeps is bounded, whatever a server does.
func TestBounds(t *testing.T) {
	v := &Viewer{config: Config{Name: "v"}}
	for range 10 * maxProblems {
		v.problem("again")
	}
	if got := v.Problems(); len(got) != maxProblems+1 || got[maxProblems] != "v: and 180 more" {
		t.Errorf("%d problems are kept, the last is %q", len(got), got[len(got)-1])
	}
}
