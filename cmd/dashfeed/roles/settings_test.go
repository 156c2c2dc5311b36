package roles

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/dashfeed/dashfeed/gateway/token"
	"github.com/dashfeed/dashfeed/gateway/token/tokentest"
)

// A revocation counts at once, and after a restart, and not for tokens that are issued later. So
// does a tenant's own limit.
func TestSettingsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	bearer := func(issued time.Time) string {
		return tokentest.Sign(t, time.Hour, jwt.MapClaims{"permissions": "read publish", "iat": issued.Unix()})
	}
	old, young := bearer(time.Now().Add(-time.Minute)), bearer(time.Now().Add(20*time.Second))
	start := func() *Single {
		s := NewSingle(Process{Talk: func(string, ...any) {}, Log: io.Discard}, ServerFlags{
			PublicFlags:    PublicFlags{Listen: "127.0.0.1:0", Auth: token.Config{Keys: []token.Key{tokentest.Key(t)}}},
			AdminFlags:     AdminFlags{Admin: "127.0.0.1:0"},
			StorageFlags:   StorageFlags{Data: filepath.Join(dir, "data")},
			DashboardFlags: DashboardFlags{Checkpoint: time.Second, Sleep: time.Minute},
		}, nil)
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := start()
	want := func(method, path, text, body string, status int) {
		t.Helper()
		base := s.URL()
		if text == "" {
			base = addressOf(s.adminDoor, listenerCerts{})
		}
		r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if text != "" {
			r.Header.Set("Authorization", "Bearer "+text)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != status {
			t.Errorf("%s %s: %d %s, want %d", method, path, resp.StatusCode, answer, status)
		}
	}
	event := func(id int) string { return fmt.Sprintf(`{"id":"%d","dashboard":"d","metric":"m","value":1}`, id) }
	want("GET", "/v1/dashboards", old, "", 200)
	want("POST", "/v1/events", old, event(1), 202)
	want("POST", "/revocations", "", `{"kind":"subject","name":"ann","dry_run":true}`, 200)
	want("GET", "/v1/dashboards", old, "", 200)
	want("POST", "/revocations", "", `{"kind":"subject","name":"ann"}`, 200)
	want("POST", "/tenants/default/limits", "", `{"limits":{"events":"0"}}`, 200)
	want("POST", "/tenants/default/limits", "", `{"limits":{"tables":"0"}}`, 400)
	for range 2 {
		want("GET", "/v1/dashboards", old, "", 401)
		want("GET", "/v1/dashboards", young, "", 200)
		want("POST", "/v1/events", young, event(2), 429)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		s = start()
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}
