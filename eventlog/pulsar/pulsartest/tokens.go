package pulsartest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
)

// authenticate makes the broker require tokens signed with a new secret. The role admin may do
// everything.
func (c *Cluster) authenticate() error {
	c.secret = make([]byte, 32)
	_, _ = rand.Read(c.secret)
	file := filepath.Join(c.Dir, "token.key")
	if err := os.WriteFile(file, c.secret, 0o600); err != nil {
		return err
	}
	c.options.Settings = append([]string{
		"authenticationEnabled=true",
		"authorizationEnabled=true",
		"authenticationProviders=org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
		"tokenSecretKey=file://" + file,
		"superUserRoles=admin",
		"brokerClientAuthenticationPlugin=org.apache.pulsar.client.impl.auth.AuthenticationToken",
		"brokerClientAuthenticationParameters=token:" + c.Token("admin"),
	}, c.options.Settings...)
	return nil
}

// Token returns a token of the role, for a cluster with Options.Tokens: "admin" may do everything,
// other roles only what they are granted.
func (c *Cluster) Token(role string) string {
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"HS256"}`)) + "." + encode(fmt.Appendf(nil, `{"sub":%q}`, role))
	mac := hmac.New(sha256.New, c.secret)
	mac.Write([]byte(text))
	return text + "." + encode(mac.Sum(nil))
}
