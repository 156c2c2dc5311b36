package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/gateway/token/tokentest"
)

// issue returns a token that the test's server takes for so long.
func issue(t *testing.T, life time.Duration, dashboards ...string) string {
	return tokentest.Sign(t, life, jwt.MapClaims{
		"iat": time.Now().Unix(), "tenant": "acme", "dashboards": dashboards, "permissions": []string{"read", "publish"},
	})
}

// withTokens runs a test with a server that needs tokens. The test makes its clients by connect.
func withTokens(t *testing.T, test func(t *testing.T, connect func(client.Options) *client.Client)) {
	synctest.Test(t, func(t *testing.T) {
		handler, stop := newServer(gateway.Config{Tokens: tokentest.Verifier(t), Hosts: []string{"dashfeed.test"}})
		t.Cleanup(stop)
		dial := client.Pipe(t, handler)
		test(t, func(o client.Options) *client.Client {
			o.Server, o.DialContext = "http://dashfeed.test", dial
			c, err := client.New(o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			return c
		})
	})
}

// publish posts one event, so that the dashboard has a record.
func publish(t *testing.T, c *client.Client, dashboard string) error {
	p := c.Publisher(client.PublisherOptions{})
	return errors.Join(p.Publish(t.Context(), client.Event{Dashboard: dashboard, Metric: "m", Value: 1}), p.Close(t.Context()))
}

// watch subscribes and returns everything that happens until the time is over or the subscription
// ends: the number of disconnections, and the end.
func watch(t *testing.T, c *client.Client, dashboard string, during time.Duration) (disconnected int, end error) {
	s := c.Subscribe(client.SubscribeOptions{Dashboard: dashboard})
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	for {
		e, err := s.Next(ctx)
		if err != nil {
			return disconnected, err
		}
		if _, is := e.(*client.Disconnected); is {
			disconnected++
		}
	}
}

// TestTokenIsRenewedInPlace: a subscription outlives its tokens without a disconnection, and asks
// for no more of them than it needs.
func TestTokenIsRenewedInPlace(t *testing.T) {
	withTokens(t, func(t *testing.T, connect func(client.Options) *client.Client) {
		calls := 0
		c := connect(client.Options{TokenFunc: func(context.Context) (string, error) {
			calls++
			return issue(t, 100*time.Second, "*"), nil
		}})
		if err := publish(t, c, "checkout"); err != nil {
			t.Fatal(err)
		}
		lost, err := watch(t, c, "checkout", 10*time.Minute)
		if lost != 0 || !errors.Is(err, context.DeadlineExceeded) || calls < 7 || calls > 9 {
			t.Errorf("%d disconnections, %d tokens, end %v; want none, about one in 80 s", lost, calls, err)
		}
	})
}

// TestBadTokenEndsTheClient: after the server refused two tokens the client stops, and says why.
func TestBadTokenEndsTheClient(t *testing.T) {
	withTokens(t, func(t *testing.T, connect func(client.Options) *client.Client) {
		calls := 0
		c := connect(client.Options{TokenFunc: func(context.Context) (string, error) {
			calls++
			return issue(t, -time.Hour, "*"), nil
		}})
		lost, err := watch(t, c, "checkout", time.Hour)
		if lost != 1 || calls != 2 || err == nil || !strings.Contains(err.Error(), "and then another one") || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%d disconnections, %d tokens, end %v", lost, calls, err)
		}
		calls = 0
		_, err = c.Read(t.Context(), "checkout", client.ReadOptions{})
		if calls > 2 || err == nil || !strings.Contains(err.Error(), "expired") {
			t.Errorf("%d tokens, %v", calls, err)
		}
		fixed := connect(client.Options{Token: issue(t, -time.Hour, "*")})
		if lost, err := watch(t, fixed, "checkout", time.Hour); lost != 0 || err == nil || !strings.Contains(err.Error(), "refused the token") {
			t.Errorf("%d disconnections, end %v", lost, err)
		}
		none := connect(client.Options{})
		if lost, err := watch(t, none, "checkout", time.Hour); lost != 0 || err == nil || !strings.Contains(err.Error(), "needs a token") {
			t.Errorf("%d disconnections, end %v", lost, err)
		}
	})
}

// TestReconnectsOnceWithNewToken: while no token comes the old one ends. The client then connects
// again with a new one, and ends when that is refused too.
func TestReconnectsOnceWithNewToken(t *testing.T) {
	withTokens(t, func(t *testing.T, connect func(client.Options) *client.Client) {
		began, calls := time.Now(), 0
		c := connect(client.Options{TokenFunc: func(context.Context) (string, error) {
			calls++
			switch passed := time.Since(began); {
			case passed < 10*time.Second:
				return issue(t, 100*time.Second, "*"), nil
			case passed < 100*time.Second:
				return "", errors.New("the issuer is away")
			case passed < 180*time.Second:
				return issue(t, 100*time.Second, "*"), nil
			}
			return "bad", nil
		}})
		if err := publish(t, c, "checkout"); err != nil {
			t.Fatal(err)
		}
		lost, err := watch(t, c, "checkout", time.Hour)
		if lost < 2 || lost > 4 || calls > 20 || err == nil || !strings.Contains(err.Error(), "and then another one") {
			t.Errorf("%d disconnections, %d tokens, end %v", lost, calls, err)
		}
	})
}

// TestRequestGetsNewToken: a request whose token has expired is repeated with a new one.
func TestRequestGetsNewToken(t *testing.T) {
	withTokens(t, func(t *testing.T, connect func(client.Options) *client.Client) {
		calls := 0
		c := connect(client.Options{TokenFunc: func(context.Context) (string, error) {
			calls++
			return issue(t, time.Minute, "*"), nil
		}})
		for want := 1; want <= 3; want++ {
			if err := publish(t, c, "checkout"); err != nil || calls != want {
				t.Errorf("%d tokens, %v; want %d", calls, err, want)
			}
			time.Sleep(2 * time.Minute) // virtual
		}
	})
}

// TestNewTokenAllowsLess: a refresh that ends the view ends the subscription, in words.
func TestNewTokenAllowsLess(t *testing.T) {
	withTokens(t, func(t *testing.T, connect func(client.Options) *client.Client) {
		sees := "checkout"
		c := connect(client.Options{TokenFunc: func(context.Context) (string, error) {
			text := issue(t, 100*time.Second, sees)
			sees = "other"
			return text, nil
		}})
		if err := publish(t, c, "checkout"); err != nil {
			t.Fatal(err)
		}
		if lost, err := watch(t, c, "checkout", time.Hour); lost != 0 || err == nil || !strings.Contains(err.Error(), "does not allow dashboard checkout") {
			t.Errorf("%d disconnections, end %v", lost, err)
		}
	})
}
