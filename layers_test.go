package dashfeed_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/dashfeed/dashfeed/"

// layers lists the groups of packages, lowest layer first: a package imports only packages of its
// own layer, or of layers before its own in this list.
var layers = []string{
	"messages", "messages/event", "messages/cells", "messages/wire",
	"fold/definition", "fold/foldtest", "fold",
	"eventlog", "eventlog/embedded", "eventlog/checkpoint", "eventlog/checkpoint/embedded",
	"eventlog/checkpoint/shared", "eventlog/checkpoint/blob", "eventlog/checkpoint/pulsar",
	"cluster", "feed", "actors", "gateway", "client", "connect",
	"examples", "cmd", "chaos", "bench",
}

// rule forbids an import to some packages.
type rule struct {
	where  []string // prefixes of the packages that the rule applies to; none: everywhere
	except []string // prefixes of packages that it does not apply to
	forbid string   // prefix of the import path
	reason string
}

var rules = []rule{
	{nil, []string{"actors"}, "github.com/asynkron/protoactor-go", "only package actors uses the actor library, so that everything else can be tested without it"},
	{nil, []string{"cluster/link", "feed/remote"}, "google.golang.org/grpc", "processes reach each other through the link, which checks the caller"},
	{nil, []string{"eventlog/embedded", "eventlog/checkpoint/embedded"}, "github.com/cockroachdb/pebble", "the log is an interface: a broker must be able to replace the storage engine behind it"},
	{nil, []string{"eventlog/pulsar", "eventlog/checkpoint/pulsar", "chaos/traffic"}, "github.com/apache/pulsar-client-go", "the log is an interface: no other package knows the broker; chaos plays foreign producers, who use the broker's own client"},
	{nil, []string{"eventlog/checkpoint/blob"}, "gocloud.dev", "the place of checkpoints is an interface: no other package knows object stores"},
	{pure, nil, "net", "pure packages decide and do not act: no network"},
	{pure, nil, "os", "pure packages decide and do not act: no files"},
	{pure, nil, "sync", "pure packages have one caller at a time"},
	{pure, nil, "math/rand", "a fold is a function of its log: no random number"},
	{pure, nil, "log", "pure packages return what happened"},
	{[]string{"actors/core"}, nil, module + "eventlog", "the state machine of a shard says what is to be done; the shell does it"},
	{[]string{"actors/core"}, nil, "github.com/asynkron", "the state machine of a shard is tested without actors"},
	{[]string{"actors/core"}, nil, "context", "nothing in the state machine of a shard waits"},
	{[]string{"feed"}, nil, module + "fold", "owners and viewers share terms, not an engine"},
	{[]string{"gateway"}, nil, module + "actors", "a gateway knows only the feed, so it can run on another machine"},
	{[]string{"gateway"}, nil, module + "cluster", "a gateway knows only the feed, never gossip"},
	{[]string{"connect"}, nil, module + "gateway", "sources and sinks use the log or a feed, like everything else"},
	{[]string{"client"}, nil, module + "gateway", "others build the client into their programs: it knows only messages and the wire"},
	{[]string{"client"}, nil, module + "actors", "others build the client into their programs: it knows only messages and the wire"},
	{[]string{"fold/foldtest"}, nil, module, "the reference shares no code with the engine that it checks"},
}

// pure packages have no clock, lock, goroutine or I/O. The one exception is the filter of a
// definition: it keeps a pool of virtual machines, so that one compiled definition serves many
// dashboards.
var pure = []string{"messages", "fold", "cluster/placement", "actors/core"}

// allowed lists single exceptions: "package import", with the reason.
var allowed = map[string]string{
	"fold/definition sync": "dashboards that fold at the same time share a compiled filter: its machines are pooled",
}

func TestLayers(t *testing.T) {
	seen := 0
	walkGo(t, func(path, dir string, file *ast.File) {
		seen++
		layer := layerOf(dir)
		if layer == "" && dir != "." {
			t.Errorf("%s: %q is not in the list of layers", path, dir)
		}
		for _, spec := range file.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			for _, r := range rules {
				if r.holds(dir) && under(imported, r.forbid) && allowed[dir+" "+imported] == "" {
					t.Errorf("%s imports %s: %s", path, imported, r.reason)
				}
			}
			if strings.HasPrefix(imported, module) && forTests(strings.TrimPrefix(imported, module)) && !forTests(dir) {
				t.Errorf("%s imports %s, which is test code", path, imported)
			}
			if other, ours := strings.CutPrefix(imported, module); ours && layerOf(other) != layer &&
				slices.Index(layers, layerOf(other)) > slices.Index(layers, layer) {
				t.Errorf("%s imports %s, which is in a later layer of the list", path, imported)
			}
		}
		if slices.ContainsFunc(pure, func(p string) bool { return under(dir, p) }) {
			ast.Inspect(file, func(n ast.Node) bool {
				if _, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s starts a goroutine in a pure package", path)
				}
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker", "Tick", "AfterFunc"}, sel.Sel.Name) {
						t.Errorf("%s uses time.%s in a pure package: time comes from records", path, sel.Sel.Name)
					}
				}
				return true
			})
		}
	})
	if seen < 20 {
		t.Fatalf("only %d files were examined: the walk is broken", seen)
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	said := map[string]bool{}
	walkGo(t, func(_, dir string, file *ast.File) {
		said[dir] = said[dir] || file.Doc != nil
	})
	for dir, ok := range said {
		if !ok {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}

// forTests reports whether a package is test code: its name ends in test, or it runs or measures
// the built binary.
func forTests(dir string) bool {
	return strings.HasSuffix(dir, "test") || under(dir, "chaos") || under(dir, "bench")
}

func (r rule) holds(dir string) bool {
	if slices.ContainsFunc(r.except, func(p string) bool { return under(dir, p) }) {
		return false
	}
	return r.where == nil || slices.ContainsFunc(r.where, func(p string) bool { return under(dir, p) })
}

// layerOf returns the innermost entry of layers that contains dir.
func layerOf(dir string) string {
	best := ""
	for _, r := range layers {
		if under(dir, r) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// walkGo parses the imports and bodies of every Go file except tests.
func walkGo(t *testing.T, visit func(path, dir string, file *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "data" || d.Name() == "bin" || d.Name() == "scripts" || d.Name() == "third_party") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		visit(path, filepath.ToSlash(filepath.Dir(path)), file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
