package gateway

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages/event"
	"github.com/dashfeed/dashfeed/messages/wire"
)

func TestCallers(t *testing.T) {
	proxies, err := ParseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, forwarded string
		query           query
		want            caller
	}{
		{"192.0.2.7:4000", "", nil, caller{address: netip.MustParseAddr("192.0.2.7")}},
		{"192.0.2.7:4000", "198.51.100.1", nil, caller{address: netip.MustParseAddr("192.0.2.7")}},
		{"10.1.1.1:4000", "198.51.100.1", nil, caller{address: netip.MustParseAddr("198.51.100.1"), named: netip.MustParseAddr("198.51.100.1")}},
		{"10.1.1.1:4000", "", query{"tenant": "acme"}, caller{tenant: "acme", address: netip.MustParseAddr("10.1.1.1"), local: true}},
		{"127.0.0.1:4000", "", nil, caller{address: netip.MustParseAddr("127.0.0.1"), local: true}},
	} {
		r := &http.Request{RemoteAddr: c.from, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got, err := (callers{proxies: proxies}).of(r, c.query, needsToken); err != nil || got != c.want {
			t.Errorf("from %s, forwarded for %q, %v: %+v, %v; want %+v", c.from, c.forwarded, c.query, got, err, c.want)
		}
	}
	if _, err := (callers{}).of(&http.Request{}, query{"tenant": "a/b"}, needsToken); err == nil {
		t.Error("a tenant that is no name is taken")
	}
}

// TestCallersKeys: a caller whose address names a tenant gets nothing of another tenant, with any
// permission.
func TestCallersKeys(t *testing.T) {
	for _, c := range []struct{ bound, tenant, dashboard, want string }{
		{"", "", "d", "default/d"},
		{"", "acme", "d", "acme/d"},
		{"acme", "", "d", "acme/d"},
		{"acme", "acme", "d", "acme/d"},
		{"acme", "globex", "d", "1104"},
		{"acme", "default", "d", "1104"},
		{"", "a/b", "d", "1103"},
		{"acme", "", "", "1103"},
	} {
		for _, do := range []permission{read, publish, define} {
			k, err := caller{tenant: c.bound}.key(c.tenant, c.dashboard, do)
			got := k.String()
			var e *wire.Error
			if errors.As(err, &e) {
				got = map[wire.Code]string{wire.CodeUnknownDashboard: "1104", wire.CodeBadField: "1103"}[e.Code]
			}
			if got != c.want {
				t.Errorf("bound to %q, %q of %q: %s, %v; want %s", c.bound, c.dashboard, c.tenant, got, err, c.want)
			}
		}
	}
	b := newBatch(event.Route{}, caller{tenant: "globex"}, openLog(t, nil))
	b.add(0, []byte(`{"tenant":"acme","dashboard":"d","metric":"m","value":1}`), nil)
	if len(b.entries) != 0 || b.reasons[event.ReasonWrongTenant] != 1 {
		t.Errorf("an event goes where its caller may not publish: %+v, refused %v", b.entries, b.reasons)
	}
}

// onlyThere lists words that only some files of the package may use: every access is a route, which
// gets its caller, and the client's identity is read from a request in one place.
var onlyThere = []struct {
	reason string
	words  []string
	files  []string
}{
	{"a handler is a route, so that it gets its caller", []string{"Handle", "HandleFunc", "NewServeMux"}, []string{"routes.go"}},
	{"what is no route stands before all of them", []string{"HandlerFunc", "ServeHTTP"}, []string{"routes.go", "connections.go", "host.go", "cors.go", "safety.go"}},
	{"parameters are read once, before the handler", []string{"RawQuery", "Query", "Form", "PostForm", "FormValue", "PostFormValue", "ParseForm", "ParseMultipartForm"}, []string{"request.go"}},
	{"a session knows a transport, no socket", []string{"SetWriteDeadline", "CloseWrite", "NetConn", "Upgrade", "WriteTo"}, []string{"websocket.go", "wsconn.go"}},
	{"who asks is the caller", []string{"Client", "named", "Cookies", "CookiesNamed", "BasicAuth", `"tenant"`, `"Authorization"`, `"X-Forwarded-For"`}, []string{"credentials.go", "proxies.go"}},
}

func TestEveryHandlerHasItsCaller(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			word := ""
			switch n := n.(type) {
			case *ast.FuncDecl:
				word = n.Name.Name
			case *ast.SelectorExpr:
				x, _ := n.X.(*ast.Ident)
				if x != nil && slices.Contains([]string{"c.named", "feed.Query"}, x.Name+"."+n.Sel.Name) {
					return true // the caller's field, not a request's
				}
				word = n.Sel.Name
			case *ast.IndexExpr:
				if s, ok := n.Index.(*ast.BasicLit); ok {
					word = s.Value
				}
			case *ast.CallExpr: // the name of a header
				if s, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 0 && (s.Sel.Name == "Get" || s.Sel.Name == "Values") {
					if s, ok := n.Args[0].(*ast.BasicLit); ok {
						word = s.Value
					}
				}
			}
			for _, rule := range onlyThere {
				if !slices.Contains(rule.words, word) {
					continue
				}
				used[rule.reason] = true
				if !slices.Contains(rule.files, name) {
					t.Errorf("%s uses %s: %s, and that is in %s", name, word, rule.reason, strings.Join(rule.files, ", "))
				}
			}
			return true
		})
	}
	if len(used) != len(onlyThere) {
		t.Errorf("only %v were looked at: the walk is broken", used)
	}
}
