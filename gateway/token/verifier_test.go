package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signers are keys for the tests; to make an RSA key takes a while.
var signers = struct {
	ec, ecOther *ecdsa.PrivateKey
	rsa         *rsa.PrivateKey
	ed          ed25519.PrivateKey
	secret      []byte
}{ecKey(elliptic.P256()), ecKey(elliptic.P256()), rsaKey(2048), edKey(), []byte("a secret of more than 32 bytes, for tests")}

func ecKey(c elliptic.Curve) *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
}

func rsaKey(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

func edKey() ed25519.PrivateKey {
	_, k, _ := ed25519.GenerateKey(rand.Reader)
	return k
}

// public writes the public half of a key into a file, and returns its path.
func public(t testing.TB, signer crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	return written(t, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func written(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// newVerifier returns a verifier that is closed at the end of the test.
func newVerifier(t testing.TB, keys ...Key) *Verifier {
	t.Helper()
	v, err := NewVerifier(Config{Keys: keys, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

// acme is an entry for the tests.
func acme(algorithm string, files ...string) Key {
	return Key{Issuer: "https://acme.example", Audience: []string{"dashfeed"}, Algorithms: []string{algorithm}, Files: files}
}

// valid returns claims that acme's entry accepts, with some changed; nil removes one.
func valid(change jwt.MapClaims) jwt.MapClaims {
	c := jwt.MapClaims{"iss": "https://acme.example", "aud": "dashfeed", "exp": time.Now().Add(time.Hour).Unix(), "sub": "ada", "dashboards": []string{"sales-*"}}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func signed(t testing.TB, m jwt.SigningMethod, key any, c jwt.MapClaims, header map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(m, c)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// check verifies a token and compares the reason; "" is an accepted token.
func check(t *testing.T, v *Verifier, text string, want Reason) *Identity {
	t.Helper()
	id, err := v.Verify(t.Context(), text)
	got := Reason("")
	if err != nil {
		got = Why(err)
		for part := range strings.SplitSeq(text, ".") {
			if len(part) > 8 && strings.Contains(err.Error(), part) {
				t.Errorf("the error %q contains a part of the token", err)
			}
		}
	}
	if got != want || (id == nil) == (want == "") {
		t.Fatalf("got %q (%v), want %q", got, err, want)
	}
	return id
}

func TestEachKindOfKeyVerifies(t *testing.T) {
	ec384, ec521 := ecKey(elliptic.P384()), ecKey(elliptic.P521())
	for _, c := range []struct {
		method jwt.SigningMethod
		signer any
		file   string
	}{
		{jwt.SigningMethodES256, signers.ec, public(t, signers.ec)},
		{jwt.SigningMethodES384, ec384, public(t, ec384)},
		{jwt.SigningMethodES512, ec521, public(t, ec521)},
		{jwt.SigningMethodRS256, signers.rsa, public(t, signers.rsa)},
		{jwt.SigningMethodPS512, signers.rsa, public(t, signers.rsa)},
		{jwt.SigningMethodEdDSA, signers.ed, public(t, signers.ed)},
		{jwt.SigningMethodHS256, signers.secret, written(t, signers.secret)},
	} {
		t.Run(c.method.Alg(), func(t *testing.T) {
			v := newVerifier(t, acme(c.method.Alg(), c.file))
			text := signed(t, c.method, c.signer, valid(nil), nil)
			id := check(t, v, text, "")
			if id.Subject != "ada" || id.Tenant != "default" || !id.Dashboards.Match("sales-eu") || id.Permissions != Read {
				t.Errorf("got %+v", id)
			}
			check(t, v, text, "") // from the cache
			i := strings.LastIndexByte(text, '.')
			signature, _ := base64.RawURLEncoding.DecodeString(text[i+1:])
			signature[len(signature)/2] ^= 1
			check(t, v, text[:i+1]+base64.RawURLEncoding.EncodeToString(signature), Signature)
		})
	}
}

// The algorithm is the key's. What a token says can't turn a public key into a secret, or end the
// check.
func TestTokensDoNotChooseTheAlgorithm(t *testing.T) {
	file := public(t, signers.rsa)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, acme("RS256", file))
	check(t, v, signed(t, jwt.SigningMethodHS256, text, valid(nil), nil), Algorithm)
	check(t, v, signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, valid(nil), nil), Algorithm)
	check(t, v, signed(t, jwt.SigningMethodPS256, signers.rsa, valid(nil), nil), Algorithm)
	for _, name := range []any{"None", "", "rs256", "ES256K", 7, nil, []string{"RS256"}} {
		check(t, v, signed(t, jwt.SigningMethodRS256, signers.rsa, valid(nil), map[string]any{"alg": name}), Algorithm)
	}
	check(t, v, signed(t, jwt.SigningMethodRS256, signers.rsa, valid(nil), map[string]any{"crit": []string{"b64"}}), Malformed)
	check(t, v, signed(t, jwt.SigningMethodRS256, signers.rsa, valid(nil), map[string]any{"kid": []int{1}}), Malformed)
}

// A key speaks for its own issuer only.
func TestAnotherIssuersKeyIsNoHelp(t *testing.T) {
	other := acme("ES256", public(t, signers.ecOther))
	other.Issuer = "https://other.example"
	v := newVerifier(t, acme("ES256", public(t, signers.ec)), other)
	check(t, v, signed(t, jwt.SigningMethodES256, signers.ecOther, valid(nil), nil), Signature)
	check(t, v, signed(t, jwt.SigningMethodES256, signers.ec, valid(jwt.MapClaims{"iss": other.Issuer}), nil), Signature)
	check(t, v, signed(t, jwt.SigningMethodES256, signers.ecOther, valid(jwt.MapClaims{"iss": other.Issuer}), nil), "")
	check(t, v, signed(t, jwt.SigningMethodES256, signers.ec, valid(jwt.MapClaims{"iss": "https://nobody.example"}), nil), Issuer)
	check(t, v, signed(t, jwt.SigningMethodES256, signers.ec, valid(jwt.MapClaims{"iss": nil}), nil), Issuer)
	check(t, v, signed(t, jwt.SigningMethodES256, signers.ec, valid(jwt.MapClaims{"iss": nil, "ISS": "https://acme.example"}), nil), Issuer)
}
