// Package tokentest makes tokens, and the keys that verify them, for tests.
package tokentest

import (
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/dashfeed/dashfeed/gateway/token"
)

const secret = "a secret of more than 32 bytes, for tests"

// Key returns an entry that trusts the tokens of Sign.
func Key(t testing.TB) token.Key {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return token.Key{Issuer: "https://issuer.test", Audience: []string{"dashfeed"}, Algorithms: []string{"HS256"}, Files: []string{file}}
}

// Verifier returns a verifier of the tokens of Sign. It is closed at the end of the test.
func Verifier(t testing.TB) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(token.Config{Keys: []token.Key{Key(t)}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// Sign returns a token for ann that expires in life and reads all dashboards, with more claims.
func Sign(t testing.TB, life time.Duration, more jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": "https://issuer.test", "aud": "dashfeed", "sub": "ann", "dashboards": []string{"*"}, "exp": time.Now().Add(life).Unix(),
	}
	maps.Copy(claims, more)
	text, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
