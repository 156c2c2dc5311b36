package gateway

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// query holds the parameters of a request, each at most once, and only those that its path knows.
// Otherwise a misspelt parameter would be ignored silently, and of a tenant given twice a proxy
// might check the first while the gateway obeys the last.
type query map[string]string

// mayBeEmpty lists the parameters that mean the same whether empty or left out.
var mayBeEmpty = []string{"prefix", "cursor"}

// queryOf parses the parameters of a request whose path takes the allowed ones.
func queryOf(r *http.Request, allowed []string) (query, error) {
	if r.URL.RawQuery == "" {
		return nil, nil
	}
	values, err := url.ParseQuery(r.URL.RawQuery) // r.URL.Query drops what it can't read
	if err != nil {
		return nil, wire.Errorf(wire.CodeBadMessage, "the query %.100q cannot be read: %v", r.URL.RawQuery, err)
	}
	q := make(query, len(values))
	for name, given := range values {
		switch {
		case tokenInQuery(name) != nil:
			return nil, tokenInQuery(name)
		case !slices.Contains(allowed, name):
			return nil, wire.Errorf(wire.CodeBadMessage, "query parameter %.40q is not known: %s takes %s", name, r.URL.Path, listOf(allowed))
		case len(given) > 1:
			return nil, wire.Errorf(wire.CodeBadOption, "query parameter %q is given %d times", name, len(given))
		case given[0] == "" && !slices.Contains(mayBeEmpty, name):
			return nil, wire.Errorf(wire.CodeBadOption, "%s is empty: leave it out where it is not meant", name)
		case !utf8.ValidString(given[0]):
			return nil, wire.Errorf(wire.CodeBadOption, "%s %.100q is not UTF-8", name, given[0])
		}
		q[name] = given[0]
	}
	return q, nil
}

func listOf(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
