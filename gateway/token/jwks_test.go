package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// keyServer is an issuer's host of keys inside a bubble: its connections are pipes.
type keyServer struct {
	asked  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func (s *keyServer) serve(f http.HandlerFunc) { s.answer.Store(&f) }

// newKeyServer returns a host of keys and a verifier that trusts them.
func newKeyServer(t *testing.T, k Key, answer http.HandlerFunc) (*keyServer, *Verifier) {
	t.Helper()
	s := &keyServer{}
	s.serve(answer)
	l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
	host := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		(*s.answer.Load())(w, r)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = host.Serve(l) }()
	k.Issuer, k.Audience, k.JWKS = "https://issuer.test", []string{"dashfeed"}, "http://127.0.0.1/keys"
	if k.Algorithms == nil {
		k.Algorithms = []string{"ES256"}
	}
	v, err := newVerifierOver(Config{Keys: []Key{k}}, l.dial)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close(); _ = host.Close(); <-done })
	return s, v
}

// pipes is a listener of connections within the process.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
	case <-ctx.Done():
	}
	return nil, errors.New("nobody listens")
}

func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l *pipes) Close() error   { close(l.closed); return nil }
func (l *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// setOf answers with a set of public keys, by kid.
func setOf(t *testing.T, keys map[string]any) http.HandlerFunc {
	t.Helper()
	var set struct {
		Keys []jwkset.JWKMarshal `json:"keys"`
	}
	for kid, key := range keys {
		j, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{KID: kid}})
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, j.Marshal())
	}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(b) }
}

// signedBy returns a token whose header names kid.
func signedBy(t *testing.T, key any, kid string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": "https://issuer.test", "aud": "dashfeed", "exp": time.Now().Add(24 * time.Hour).Unix(),
	})
	token.Header["kid"] = kid
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func wantReason(t *testing.T, v *Verifier, text string, want Reason) {
	t.Helper()
	_, err := v.Verify(context.Background(), text)
	if err == nil || Why(err) != want {
		t.Errorf("the token is answered with %v, want reason %s", err, want)
	}
}

func wantAccepted(t *testing.T, v *Verifier, text string) {
	t.Helper()
	if _, err := v.Verify(context.Background(), text); err != nil {
		t.Errorf("the token is refused: %v", err)
	}
}

func TestKeySetRotates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newKeyServer(t, Key{}, setOf(t, map[string]any{"old": signers.ec.Public()}))
		wantAccepted(t, v, signedBy(t, signers.ec, "old"))

		s.serve(setOf(t, map[string]any{"new": signers.ecOther.Public()}))
		time.Sleep(askEvery)
		wantAccepted(t, v, signedBy(t, signers.ecOther, "new")) // an unknown kid is asked for at once
		wantReason(t, v, signedBy(t, signers.ec, "old"), UnknownKey)
	})
}

// All clients come back with a new key's tokens at once, and the host of keys takes a second.
func TestTokensShareTheFetchUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newKeyServer(t, Key{}, setOf(t, map[string]any{"old": signers.ec.Public()}))
		wantAccepted(t, v, signedBy(t, signers.ec, "old"))
		renewed := setOf(t, map[string]any{"new": signers.ecOther.Public()})
		s.serve(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			renewed(w, r)
		})
		time.Sleep(askEvery)
		var clients sync.WaitGroup
		for range 20 {
			text := signedBy(t, signers.ecOther, "new")
			clients.Go(func() { wantAccepted(t, v, text) })
			time.Sleep(40 * time.Millisecond)
		}
		clients.Wait()
		if n := s.asked.Load(); n != 2 {
			t.Errorf("the host was asked %d times, want 2", n)
		}
	})
}

// A set that is fetched again and is the same costs no signature.
func TestSameKeySetKeepsWhatWasVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newKeyServer(t, Key{}, setOf(t, map[string]any{"one": signers.ec.Public()}))
		text := signedBy(t, signers.ec, "one")
		wantAccepted(t, v, text)
		time.Sleep(3 * refreshEvery)
		wantAccepted(t, v, text)
		if n, cached := s.asked.Load(), testutil.ToFloat64(v.metrics.cached); n < 3 || cached != 1 {
			t.Errorf("after %d fetches %v tokens were known, want 1", n, cached)
		}
	})
}

// Tokens with made-up kids must not make the gateway flood the issuer's host.
func TestUnknownKidsAreAskedForRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newKeyServer(t, Key{}, setOf(t, map[string]any{"one": signers.ec.Public()}))
		wantAccepted(t, v, signedBy(t, signers.ec, "one"))
		for i := range 600 { // a minute
			wantReason(t, v, signedBy(t, signers.ec, fmt.Sprint("kid-", i)), UnknownKey)
			time.Sleep(100 * time.Millisecond)
		}
		if n := s.asked.Load(); n > 7 {
			t.Errorf("the host was asked %d times in a minute, at most 1 in 10 s and the first are allowed", n)
		}
	})
}

func TestKeysOutliveTheirHostByTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, v := newKeyServer(t, Key{}, setOf(t, map[string]any{"one": signers.ec.Public()}))
		text := signedBy(t, signers.ec, "one")
		wantAccepted(t, v, text)
		s.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		time.Sleep(time.Hour)
		wantAccepted(t, v, text)
		if v.Trouble() == nil {
			t.Error("the host is away and no trouble is reported")
		}
		time.Sleep(10 * time.Minute)
		wantReason(t, v, text, Unreachable) // also if the token was verified before
		asked := s.asked.Load()
		if most := int32(5 + 70 + 3); asked > most {
			t.Errorf("a host that fails was asked %d times in 70 minutes: the breaker does not hold", asked)
		}

		s.serve(setOf(t, map[string]any{"one": signers.ec.Public()}))
		time.Sleep(2 * time.Minute)
		wantAccepted(t, v, text)
		if err := v.Trouble(); err != nil {
			t.Errorf("the host is back, and still: %v", err)
		}
	})
}

func TestSlowKeyHostDelaysATokenLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, v := newKeyServer(t, Key{}, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		began := time.Now()
		wantReason(t, v, signedBy(t, signers.ec, "one"), Unreachable)
		if took := time.Since(began); took > fetchWait {
			t.Errorf("it took %v, at most %v is allowed", took, fetchWait)
		}
	})
}

func TestBadKeySets(t *testing.T) {
	ec := func() string {
		j, _ := jwkset.NewJWKFromKey(signers.ec.Public(), jwkset.JWKOptions{})
		b, _ := json.Marshal(j.Marshal())
		return string(b)
	}()
	for name, body := range map[string]string{
		"huge":      `{"keys":[` + ec + `],"x":"` + strings.Repeat("x", mostKeyBytes) + `"}`,
		"many keys": `{"keys":[` + strings.Repeat(ec+",", mostKeys) + ec + `]}`,
		"no keys":   `{"keys":[]}`,
		"html":      `<html>`,
		"a secret":  `{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}`,
		"encrypts":  `{"keys":[` + strings.Replace(ec, "{", `{"use":"enc",`, 1) + `]}`,
		"otherwise": `{"keys":[` + strings.Replace(ec, "{", `{"alg":"ES512",`, 1) + `]}`,
		"redirects": "redirect",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, v := newKeyServer(t, Key{}, func(w http.ResponseWriter, r *http.Request) {
					if body == "redirect" {
						http.Redirect(w, r, "/keys", http.StatusFound)
						return
					}
					_, _ = w.Write([]byte(body))
				})
				wantReason(t, v, signedBy(t, signers.ec, ""), Malformed) // an empty kid
				token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{"iss": "https://issuer.test", "aud": "dashfeed", "exp": time.Now().Add(time.Hour).Unix()})
				text, _ := token.SignedString(signers.ec)
				wantReason(t, v, text, Unreachable)
			})
		})
	}
}

func TestKeySetURL(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://issuer.test/keys": true, "http://127.0.0.1:1/keys": true, "http://localhost/keys": true,
		"http://issuer.test/keys": false, "ftp://issuer.test": false, "keys.json": false, "": false, "file:///etc/keys": false,
	} {
		if err := checkURL(url); (err == nil) != ok {
			t.Errorf("%q: %v", url, err)
		}
	}
}
