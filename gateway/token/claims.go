package token

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/golang-jwt/jwt/v5"

	"github.com/dashfeed/dashfeed/messages"
)

// The bounds of claims.
const (
	mostTextBytes = 256   // of one text: as many as a label's value has
	mostGlobs     = 1_000 //
	mostValues    = 1_000 // of an attribute
	mostNames     = 64    // of attributes, and of limits
	leeway        = 30 * time.Second
)

// claims are the claims of one token as its text has them. Names are compared exactly, which a
// struct would not do.
type claims map[string]json.RawMessage

// The parser asks for none of these: judge does.
func (claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (claims) GetIssuer() (string, error)                   { return "", nil }
func (claims) GetSubject() (string, error)                  { return "", nil }
func (claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }

// has returns the claim's text, if the token has it. null is as good as none.
func (c claims) has(name string) (json.RawMessage, bool) {
	raw, found := c[name]
	return raw, found && string(raw) != "null"
}

// text returns a claim that is a text; "" if there is none.
func (c claims) text(name string) (string, error) {
	raw, found := c.has(name)
	if !found {
		return "", nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", refuse(Malformed, "the token's claim %s is not a text", name)
	}
	if len(s) > mostTextBytes {
		return "", refuse(Malformed, "the token's claim %s has more than %d bytes", name, mostTextBytes)
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		return "", refuse(Malformed, "the token's claim %s has control characters", name)
	}
	return s, nil
}

// texts returns a claim that is a text or a list of at most the given number of texts.
func (c claims) texts(name string, most int) (all []string, found bool, err error) {
	raw, found := c.has(name)
	if !found {
		return nil, false, nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		all = []string{one}
	} else if json.Unmarshal(raw, &all) != nil {
		return nil, false, refuse(Malformed, "the token's claim %s is neither a text nor a list of texts", name)
	}
	if len(all) > most {
		return nil, false, refuse(Malformed, "the token's claim %s has %d entries, at most %d are allowed", name, len(all), most)
	}
	if slices.ContainsFunc(all, func(s string) bool { return len(s) > mostTextBytes }) {
		return nil, false, refuse(Malformed, "an entry of the token's claim %s has more than %d bytes", name, mostTextBytes)
	}
	return all, true, nil
}

// moment returns a claim that is a time in seconds since 1970, maybe with a fraction; zero if there
// is none.
func (c claims) moment(name string) (time.Time, error) {
	const latest = 253402300800 // the year 10000
	raw, found := c.has(name)
	if !found {
		return time.Time{}, nil
	}
	var s float64
	if json.Unmarshal(raw, &s) != nil || s < 0 || s >= latest {
		return time.Time{}, refuse(Malformed, "the token's claim %s is not a time in seconds since 1970", name)
	}
	whole, fraction := math.Modf(s)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// judge returns what the claims say at this time. Their signature is checked.
func (k *Key) judge(c claims, now time.Time) (*Identity, error) {
	audience, found, err := c.texts("aud", mostGlobs)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, refuse(Audience, "the token has no audience (aud)")
	}
	if !slices.ContainsFunc(audience, func(a string) bool { return slices.Contains(k.Audience, a) }) {
		return nil, refuse(Audience, "the token is for another audience than %s", strings.Join(k.Audience, ", "))
	}
	id := &Identity{Issuer: k.Issuer}
	if id.Expires, err = c.moment("exp"); err != nil {
		return nil, err
	}
	if id.Issued, err = c.moment("iat"); err != nil {
		return nil, err
	}
	from, err := c.moment("nbf")
	if err != nil {
		return nil, err
	}
	switch {
	case id.Expires.IsZero():
		return nil, refuse(Malformed, "the token has no time at which it expires (exp)")
	case !now.Before(id.Expires):
		return nil, expired(id.Expires)
	case from.After(now.Add(leeway)):
		return nil, refuse(NotYetValid, "the token is not valid before %s (nbf)", from.UTC().Format(time.RFC3339))
	case id.Issued.After(now.Add(leeway)):
		return nil, refuse(NotYetValid, "the token was issued in the future, at %s (iat): compare the clocks", id.Issued.UTC().Format(time.RFC3339))
	}
	return id, k.read(c, id)
}

func expired(at time.Time) error {
	return refuse(Expired, "the token has expired at %s", at.UTC().Format(time.RFC3339))
}

// read reads what the bearer may do.
func (k *Key) read(c claims, id *Identity) (err error) {
	if id.Subject, err = c.text(k.Claims.Subject); err != nil {
		return err
	}
	if id.ID, err = c.text("jti"); err != nil {
		return err
	}
	if id.Tenant, err = k.tenant(c); err != nil {
		return err
	}
	if id.Dashboards, _, err = c.texts(k.Claims.Dashboards, mostGlobs); err != nil {
		return err
	}
	if id.Permissions, err = k.permissions(c); err != nil {
		return err
	}
	if id.Attributes, id.Unusable, err = k.attributes(c); err != nil {
		return err
	}
	id.Limits, err = k.limits(c)
	return err
}

// tenant returns the entry's tenant, or that of the claim. Without both it is the tenant of all who
// name none.
func (k *Key) tenant(c claims) (string, error) {
	if k.Tenant != "" {
		return k.Tenant, nil
	}
	t, err := c.text(k.Claims.Tenant)
	if err != nil {
		return "", err
	}
	if _, found := c.has(k.Claims.Tenant); !found {
		return messages.DefaultTenant, nil
	}
	// tenants that begin with _ are the system's own
	if !messages.ValidName(strings.TrimPrefix(t, "_")) {
		return "", refuse(Malformed, "the token's claim %s is no name of a tenant", k.Claims.Tenant)
	}
	return t, nil
}

var permissionWords = []string{"read", "publish", "define", "admin"} // in the order of the bits

// permissions returns the permissions of a list, or of a text of words with spaces between them.
func (k *Key) permissions(c claims) (p Permissions, err error) {
	words, found, err := c.texts(k.Claims.Permissions, mostNames)
	if err != nil {
		return 0, err
	}
	if !found {
		return Read, nil
	}
	for _, w := range strings.Fields(strings.Join(words, " ")) {
		i := slices.Index(permissionWords, w)
		if i < 0 {
			return 0, refuse(Malformed, "the token's claim %s has an unknown word: allowed are %s", k.Claims.Permissions, strings.Join(permissionWords, ", "))
		}
		p |= 1 << i
	}
	return p, nil
}

// attributes returns the attributes that can be a scope's values, and why the others can't.
func (k *Key) attributes(c claims) (usable map[string][]string, unusable map[string]string, err error) {
	raw, found := c.has(k.Claims.Attributes)
	if !found {
		return nil, nil, nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil, nil, refuse(Malformed, "the token's claim %s is not an object", k.Claims.Attributes)
	}
	if len(all) > mostNames {
		return nil, nil, refuse(Malformed, "the token's claim %s has %d names, at most %d are allowed", k.Claims.Attributes, len(all), mostNames)
	}
	usable, unusable = map[string][]string{}, map[string]string{}
	for name, raw := range all {
		if len(name) > mostTextBytes {
			return nil, nil, refuse(Malformed, "a name in the token's claim %s has more than %d bytes", k.Claims.Attributes, mostTextBytes)
		}
		values, why := attribute(raw)
		if why != "" {
			unusable[name] = why
			continue
		}
		usable[name] = values
	}
	return usable, unusable, nil
}

// attribute returns the values of an attribute, or why it has none.
func attribute(raw json.RawMessage) (values []string, why string) {
	list := []json.RawMessage{raw}
	if raw[0] == '[' {
		if json.Unmarshal(raw, &list) != nil {
			return nil, "it can't be read"
		}
	}
	if len(list) == 0 {
		return nil, "the list is empty"
	}
	if len(list) > mostValues {
		return nil, "the list has more than " + strconv.Itoa(mostValues) + " values"
	}
	for _, raw := range list {
		v, why := value(raw)
		if why != "" {
			return nil, why
		}
		values = append(values, v)
	}
	return values, ""
}

// integer is a whole number, maybe with a fraction of zeros as some encoders write it.
var integer = regexp.MustCompile(`^(-?[0-9]+)(\.0+)?$`)

// value returns one value of an attribute as text.
func value(raw json.RawMessage) (text, why string) {
	if raw[0] == '"' {
		switch err := json.Unmarshal(raw, &text); {
		case err != nil:
			return "", "it can't be read"
		case text == "":
			return "", "a text is empty"
		case len(text) > mostTextBytes:
			return "", "a text has more than " + strconv.Itoa(mostTextBytes) + " bytes"
		}
		return text, ""
	}
	const unusable = "it is no text, no whole number below 2^53 and no list of them"
	m := integer.FindSubmatch(raw)
	if m == nil {
		return "", unusable
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil || n >= 1<<53 || n <= -(1<<53) {
		return "", unusable
	}
	return strconv.FormatInt(n, 10), ""
}

// limits returns the limits of a token.
func (k *Key) limits(c claims) (limits map[string]float64, err error) {
	raw, found := c.has(k.Claims.Limits)
	if !found {
		return nil, nil
	}
	if json.Unmarshal(raw, &limits) != nil {
		return nil, refuse(Malformed, "the token's claim %s is not an object of numbers", k.Claims.Limits)
	}
	if len(limits) > mostNames {
		return nil, refuse(Malformed, "the token's claim %s has %d names, at most %d are allowed", k.Claims.Limits, len(limits), mostNames)
	}
	for name, n := range limits {
		if n < 0 || len(name) > mostTextBytes {
			return nil, refuse(Malformed, "the token's claim %s has a number below 0, or a name of more than %d bytes", k.Claims.Limits, mostTextBytes)
		}
	}
	return limits, nil
}
