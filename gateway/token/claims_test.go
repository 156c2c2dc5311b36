package token

import (
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestTimesOfTokens(t *testing.T) {
	file := public(t, signers.ec)
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, acme("ES256", file))
		at := func(s int64) int64 { return time.Now().Unix() + s }
		for _, c := range []struct {
			name   string
			change jwt.MapClaims
			want   Reason
		}{
			{"exp has no leeway", jwt.MapClaims{"exp": at(0)}, Expired},
			{"exp a second ahead", jwt.MapClaims{"exp": at(1)}, ""},
			{"no exp", jwt.MapClaims{"exp": nil}, Malformed},
			{"exp is a text", jwt.MapClaims{"exp": "tomorrow"}, Malformed},
			{"exp is too far", jwt.MapClaims{"exp": 1e300}, Malformed},
			{"exp is below 0", jwt.MapClaims{"exp": -1}, Malformed},
			{"nbf within the leeway", jwt.MapClaims{"nbf": at(30)}, ""},
			{"nbf ahead", jwt.MapClaims{"nbf": at(31)}, NotYetValid},
			{"iat within the leeway", jwt.MapClaims{"iat": at(30)}, ""},
			{"iat ahead", jwt.MapClaims{"iat": at(31)}, NotYetValid},
			{"no aud", jwt.MapClaims{"aud": nil}, Audience},
			{"another aud", jwt.MapClaims{"aud": "mail"}, Audience},
			{"one aud of several", jwt.MapClaims{"aud": []string{"mail", "dashfeed"}}, ""},
			{"no list of aud", jwt.MapClaims{"aud": 7}, Malformed},
		} {
			t.Log(c.name)
			check(t, v, signed(t, jwt.SigningMethodES256, signers.ec, valid(c.change), nil), c.want)
		}

		// a token that was verified before expires, too
		text := signed(t, jwt.SigningMethodES256, signers.ec, valid(jwt.MapClaims{"exp": at(60)}), nil)
		check(t, v, text, "")
		time.Sleep(time.Minute)
		check(t, v, text, Expired)
	})
}

func TestClaims(t *testing.T) {
	k := acme("ES256").withDefaults()
	numbers := "[" + strings.TrimSuffix(strings.Repeat("1,", mostValues), ",") + "]"
	for _, c := range []struct {
		claims string
		want   Identity
		wrong  bool
	}{
		{claims: `{}`, want: Identity{Tenant: "default", Permissions: Read}},
		{claims: `{"sub":null,"tenant":null,"dashboards":null}`, want: Identity{Tenant: "default", Permissions: Read}},
		{claims: `{"SUB":"eve","Tenant":"other"}`, want: Identity{Tenant: "default", Permissions: Read}},
		{claims: `{"tenant":"acme","jti":"7","dashboards":"a*"}`, want: Identity{Tenant: "acme", ID: "7", Dashboards: Globs{"a*"}, Permissions: Read}},
		{claims: `{"permissions":"publish define"}`, want: Identity{Tenant: "default", Permissions: Publish | Define}},
		{claims: `{"permissions":["admin"]}`, want: Identity{Tenant: "default", Permissions: Admin}},
		{claims: `{"permissions":[]}`, want: Identity{Tenant: "default"}},
		{claims: `{"limits":{"connections":5}}`, want: Identity{Tenant: "default", Permissions: Read, Limits: map[string]float64{"connections": 5}}},
		{claims: `{"permissions":["write"]}`, wrong: true},
		{claims: `{"permissions":7}`, wrong: true},
		{claims: `{"tenant":""}`, wrong: true},
		{claims: `{"tenant":"a/b"}`, wrong: true},
		{claims: `{"tenant":7}`, wrong: true},
		{claims: `{"sub":{}}`, wrong: true},
		{claims: `{"sub":"a\u0000"}`, wrong: true},
		{claims: `{"sub":"` + strings.Repeat("x", mostTextBytes+1) + `"}`, wrong: true},
		{claims: `{"dashboards":[1]}`, wrong: true},
		{claims: `{"attributes":[]}`, wrong: true},
		{claims: `{"limits":{"connections":-1}}`, wrong: true},
		{claims: `{"limits":{"connections":"many"}}`, wrong: true},
	} {
		var said claims
		if err := json.Unmarshal([]byte(c.claims), &said); err != nil {
			t.Fatal(err)
		}
		var got Identity
		err := k.read(said, &got)
		if (err != nil) != c.wrong || err == nil && !reflect.DeepEqual(got, c.want) {
			t.Errorf("%.80s: got %+v, %v; want %+v, an error: %v", c.claims, got, err, c.want, c.wrong)
		}
	}
	for text, want := range map[string][]string{
		`"a"`: {"a"}, `7`: {"7"}, `-7`: {"-7"}, `42.0`: {"42"}, `["a",7]`: {"a", "7"},
		`9007199254740991`: {"9007199254740991"}, `9007199254740992`: nil, `1e400`: nil, `1.5`: nil, `9007199254740991.4`: nil,
		`""`: nil, `true`: nil, `null`: nil, `{}`: nil, `[]`: nil, `[[1]]`: nil, `["a",null]`: nil,
		numbers: slices.Repeat([]string{"1"}, mostValues), numbers[:len(numbers)-1] + ",1]": nil,
	} {
		values, why := attribute(json.RawMessage(text))
		if !slices.Equal(values, want) || (want == nil) == (why == "") {
			t.Errorf("attribute %.40s: got %.40q, %q; want %.40q", text, values, why, want)
		}
	}
}

// Whatever a token claims, it is refused with an error of ours or its identity keeps the bounds.
func FuzzClaims(f *testing.F) {
	for _, text := range []string{
		`{"aud":"dashfeed","exp":4000000000}`, `{"aud":["dashfeed"],"exp":4e9,"attributes":{"shop":["1",2],"x":true}}`,
		`{"aud":"dashfeed","exp":4000000000.5,"permissions":"read admin","limits":{"a":1}}`, `null`, `{"exp":1e400}`,
	} {
		f.Add(text)
	}
	k := acme("ES256").withDefaults()
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		var said claims
		if json.Unmarshal([]byte(text), &said) != nil {
			return
		}
		id, err := k.judge(said, now)
		if err != nil {
			if _, ours := err.(*Error); !ours {
				t.Fatalf("%T is no error of this package: %v", err, err)
			}
			return
		}
		if !id.Expires.After(now) || id.Issued.After(now.Add(leeway)) || id.Permissions > Read|Publish|Define|Admin {
			t.Fatalf("%+v", id)
		}
		if len(id.Attributes)+len(id.Unusable) > mostNames || len(id.Limits) > mostNames || len(id.Dashboards) > mostGlobs {
			t.Fatalf("over a bound: %+v", id)
		}
		for values := range maps.Values(id.Attributes) {
			if len(values) == 0 || len(values) > mostValues || slices.Contains(values, "") {
				t.Fatalf("values %q", values)
			}
		}
		for n := range maps.Values(id.Limits) {
			if n < 0 || math.IsNaN(n) {
				t.Fatalf("limit %v", n)
			}
		}
	})
}
