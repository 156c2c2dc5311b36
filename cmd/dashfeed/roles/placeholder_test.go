package roles

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// While a server starts, its address answers at once that it is starting. Afterwards the server
// uses the same address.
func TestTheLobbyAnswersUntilTheDoorOpens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newPlaceholder(l, nil)
	ended := make(chan error, 1)
	go func() { ended <- b.serve(l) }()
	ask := func(method, path string) (*http.Response, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+l.Addr().String()+path, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	for _, r := range [][2]string{{"GET", "/v1/dashboards/d"}, {"POST", "/v1/events"}, {"GET", "/v1/ws"}, {"GET", "/"}} {
		resp, body := ask(r[0], r[1])
		var told struct{ Error struct{ Code int } }
		if err := json.Unmarshal([]byte(body), &told); err != nil || resp.StatusCode != http.StatusServiceUnavailable || told.Error.Code != 1300 || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%v: %s %s %v", r, resp.Status, body, err)
		}
	}
	// a client that has connected and sends nothing does not delay the server
	idle, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	door := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the door") })}
	go door.Serve(l)
	defer door.Shutdown(context.Background())
	if _, body := ask("GET", "/"); body != "the door" {
		t.Errorf("afterwards: %s", body)
	}
}
