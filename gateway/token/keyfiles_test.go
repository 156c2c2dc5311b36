package token

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A file of keys that is replaced counts within the next reading; one that can't be read leaves the
// keys of before.
func TestFilesOfKeysAreReadAgain(t *testing.T) {
	file, next := public(t, signers.ec), public(t, signers.ecOther)
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, acme("ES256", file))
		before := signed(t, jwt.SigningMethodES256, signers.ec, valid(nil), nil)
		check(t, v, before, "")

		if err := os.WriteFile(file, []byte("half a ke"), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rereadEvery + time.Second)
		check(t, v, before, "")
		if v.Trouble() == nil {
			t.Error("the file can't be read and no trouble is reported")
		}

		if err := os.Rename(next, file); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rereadEvery)
		check(t, v, before, Signature) // although it was verified before
		check(t, v, signed(t, jwt.SigningMethodES256, signers.ecOther, valid(nil), nil), "")
		if err := v.Trouble(); err != nil {
			t.Error(err)
		}
	})
}

func TestBadKeys(t *testing.T) {
	private, err := x509.MarshalPKCS8PrivateKey(signers.ec)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SECRET_OF_32", strings.Repeat("x", 32))
	t.Setenv("SECRET_OF_31", strings.Repeat("x", 31))
	ec := public(t, signers.ec)
	for _, c := range []struct {
		change func(k *Key)
		field  string
		said   string // "": it is right
	}{
		{func(*Key) {}, "", ""},
		{func(k *Key) { k.Audience = nil }, "audience", "missing"},
		{func(k *Key) { k.Issuer = "" }, "issuer", "missing"},
		{func(k *Key) { k.Algorithms = nil }, "algorithms", "missing"},
		{func(k *Key) { k.Algorithms = []string{"none"} }, "algorithms", "not allowed"},
		{func(k *Key) { k.Algorithms = []string{"ES256", "HS256"} }, "algorithms", "never both"},
		{func(k *Key) { k.Algorithms = []string{"RS256"} }, "file", "a key on P-256 does not sign with RS256"},
		{func(k *Key) { k.Algorithms = []string{"ES256", "RS256"} }, "file", "no key signs with RS256"},
		{func(k *Key) { k.Algorithms = []string{"HS256"} }, "file", "this is a PEM file"},
		{func(k *Key) { k.Files = []string{"nowhere.pem"} }, "file", "nowhere.pem"},
		{func(k *Key) { k.Files = []string{filepath.Join(t.TempDir(), "*.pem")} }, "file", "matches no file"},
		{func(k *Key) { k.Files = nil }, "issuer", "has 0 of jwks, file and secret"},
		{func(k *Key) { k.JWKS = "https://issuer.example/keys" }, "issuer", "has 2 of jwks, file and secret"},
		{func(k *Key) {
			k.Files = []string{written(t, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))}
		}, "file", "private key"},
		{func(k *Key) { k.Files = []string{written(t, []byte("hello"))} }, "file", "no public key"},
		{func(k *Key) { k.Files = []string{public(t, ecKey(elliptic.P384()))} }, "file", "P-384"},
		{func(k *Key) { k.Files, k.Algorithms = []string{public(t, rsaKey(1024))}, []string{"RS256"} }, "file", "1024 bits"},
		{func(k *Key) { k.Files, k.Algorithms, k.Secret = nil, []string{"HS256"}, "SECRET_OF_32" }, "", ""},
		{func(k *Key) { k.Files, k.Algorithms, k.Secret = nil, []string{"HS256"}, "SECRET_OF_31" }, "secret", "31 bytes"},
		{func(k *Key) { k.Files, k.Algorithms, k.Secret = nil, []string{"HS256"}, "NO_SUCH_SECRET" }, "secret", "no variable"},
		{func(k *Key) { k.Files, k.JWKS = nil, "http://issuer.example/keys" }, "jwks", "https"},
		{func(k *Key) { k.Tenant = "a b" }, "tenant", "not allowed"},
	} {
		k := acme("ES256", ec)
		c.change(&k)
		v, err := NewVerifier(Config{Keys: []Key{k}})
		if err == nil {
			v.Close()
		}
		said := ""
		for _, p := range Problems(err) {
			said += fmt.Sprintln(p.Field, p)
		}
		if (err == nil) != (c.said == "") || !strings.Contains(said, c.said) || !strings.HasPrefix(said, c.field) {
			t.Errorf("got %v, want %s: %s", err, c.field, c.said)
		}
	}
	twice, err := NewVerifier(Config{Keys: []Key{acme("ES256", ec), acme("ES256", ec)}})
	if err == nil || !strings.Contains(err.Error(), "auth.keys[1].issuer") {
		t.Errorf("two entries for one issuer: %v, %v", twice, err)
	}
}

func TestTokensAreBounded(t *testing.T) {
	v := newVerifier(t, acme("ES256", public(t, signers.ec)))
	check(t, v, strings.Repeat("x", MaxBytes+1), TooBig)
	for _, text := range []string{"", ".", "..", "a.b.c", strings.Repeat(".", MaxBytes), "eyJ.e30.", "e30.bnVsbA.x"} {
		if _, err := v.Verify(t.Context(), text); err == nil {
			t.Errorf("%.20q is accepted", text)
		}
	}
}

func BenchmarkVerifyES256(b *testing.B) {
	v := newVerifier(b, acme("ES256", public(b, signers.ec)))
	text := signed(b, jwt.SigningMethodES256, signers.ec, valid(nil), nil)
	for name, known := range map[string]bool{"first": false, "known": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !known {
					v.cache.InvalidateAll()
				}
				if _, err := v.Verify(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
