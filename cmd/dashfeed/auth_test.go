package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
)

// authFiles writes a configuration file beside a public key, key.pem, and a secret, secret.
func authFiles(t *testing.T, text string) (path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"key.pem":        string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
		"secret":         strings.Repeat("s", 32),
		"short":          "too short",
		"dashfeed.yaml":  text,
		"keys/empty.txt": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "dashfeed.yaml")
}

func TestAuthIsRead(t *testing.T) {
	path := authFiles(t, `
listen: 127.0.0.1:0
auth:
  keys:
    - issuer: https://acme.example
      audience: [dashfeed, other]
      algorithms: ES256
      file: [key.pem]
      tenant: acme
    - issuer: https://issuer.example
      audience: dashfeed
      algorithms: [RS256, ES256]
      jwks: https://issuer.example/keys
      jwks_grace: 30m
      tenant: {claim: org}
      claims: {permissions: scope, dashboards: boards}
    - issuer: https://secret.example
      audience: dashfeed
      algorithms: [HS256]
      file: secret
`)
	var f roles.PublicFlags
	if err := (&config{path: path}).readAuth(&f); err != nil {
		t.Fatal(err)
	}
	k := f.Auth.Keys
	if len(k) != 3 || !slices.Equal(k[0].Audience, []string{"dashfeed", "other"}) || k[0].Tenant != "acme" || k[0].Files[0] != filepath.Join(filepath.Dir(path), "key.pem") ||
		k[1].JWKSGrace.Minutes() != 30 || k[1].Claims.Tenant != "org" || k[1].Claims.Permissions != "scope" || k[1].Claims.Dashboards != "boards" || k[2].Algorithms[0] != "HS256" {
		t.Errorf("read %+v", k)
	}
}

// Whatever is wrong is told before anything starts, with file and line.
func TestBadAuthNamesItsLine(t *testing.T) {
	entry := func(lines ...string) string {
		return "auth:\n  keys:\n    - issuer: i\n" + strings.Join(lines, "\n") + "\n"
	}
	const audience, es256, file = "      audience: a", "      algorithms: [ES256]", "      file: key.pem"
	for name, c := range map[string]struct{ text, want string }{
		"no audience":       {entry(es256, file), `yaml:3: auth.keys[0].audience: it is missing`},
		"no file":           {entry(audience, es256, "      file: absent.pem"), `yaml:6: auth.keys[0].file: read key: open `},
		"no match":          {entry(audience, es256, `      file: "*.der"`), `matches no file`},
		"no key in it":      {entry(audience, es256, `      file: keys/empty.txt`), `yaml:6: auth.keys[0].file: `},
		"short secret":      {entry(audience, "      algorithms: [HS256]", "      file: short"), `yaml:6: auth.keys[0].file: `},
		"public as secret":  {entry(audience, "      algorithms: [HS256]", file), `this is a PEM file`},
		"secret's variable": {entry(audience, "      algorithms: [HS256]", "      secret: DASHFEED_TEST_NOT_SET"), `yaml:6: auth.keys[0].secret: the environment has no variable DASHFEED_TEST_NOT_SET`},
		"another key":       {entry(audience, "      algorithms: [RS256]", file), `yaml:6: auth.keys[0].file: `},
		"no such algorithm": {entry(audience, "      algorithms: [none]", file), `yaml:5: auth.keys[0].algorithms: "none" is not allowed`},
		"twice":             {entry(audience, es256, file, "    - issuer: i", audience, es256, file), `yaml:7: auth.keys[1].issuer: "i" has an entry already`},
		"unknown key":       {entry(audience, es256, "      files: key.pem"), `yaml:6: auth.keys[0]: unknown key "files"; did you mean "file"?`},
		"given twice":       {entry(audience, es256, file, `    - {issuer: j, issuer: k}`), `already defined`},
		"http":              {entry(audience, es256, "      jwks: http://issuer.example/keys"), `yaml:6: auth.keys[0].jwks: "http://issuer.example/keys" is not allowed`},
		"two sources":       {entry(audience, es256, file, "      jwks: https://issuer.example/keys"), `yaml:3: auth.keys[0].issuer: the entry of "i" has 2 of jwks, file and secret`},
		"bad grace":         {entry(audience, es256, file, "      jwks_grace: long"), `yaml:7: auth.keys[0].jwks_grace "long" is not a duration`},
		"unknown claim":     {entry(audience, es256, file, "      claims: {roles: r}"), `yaml:7: auth.keys[0].claims: unknown key "roles"`},
		"bad tenant":        {entry(audience, es256, file, "      tenant: a/b"), `yaml:7: auth.keys[0].tenant: `},
		"no list":           {"auth:\n  keys: {}\n", `yaml:2: auth.keys is not a list of issuers`},
		"empty":             {"auth: {}\n", `auth.keys is not a list of issuers`},
		"nothing":           {"auth:\n", `auth is not a mapping`},
	} {
		t.Run(name, func(t *testing.T) {
			path := authFiles(t, c.text)
			code, _, stderr := call(t, "", "run", "--config", path, "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
			if code != exitUsage || !strings.Contains(stderr, c.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", code, exitUsage, c.want, stderr)
			}
		})
	}
}

// With keys a public address needs no --insecure.
func TestAuthMakesAnAddressPublic(t *testing.T) {
	f := roles.ServerFlags{}
	f.Listen, f.Admin, f.Data, f.RetentionAge, f.Checkpoint, f.Sleep = ":0", "127.0.0.1:0", "data", 1, 1, 1
	if err := f.Check(); err == nil || !strings.Contains(err.Error(), "auth in the configuration file") {
		t.Errorf("without keys: %v", err)
	}
	path := authFiles(t, "auth: {keys: [{issuer: i, audience: a, algorithms: ES256, file: key.pem}]}")
	if err := (&config{path: path}).readAuth(&f.PublicFlags); err != nil {
		t.Fatal(err)
	}
	if err := f.Check(); err != nil {
		t.Errorf("with keys: %v", err)
	}
}
