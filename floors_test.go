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

// rooms are the house from the ground up: a room imports only rooms above it in this list, or its
// own.
var rooms = []string{
	"messages", "messages/event", "messages/cells", "messages/wire",
	"fold/definition", "fold/foldtest", "fold",
	"eventlog", "eventlog/embedded", "eventlog/checkpoint", "eventlog/checkpoint/embedded",
	"eventlog/checkpoint/shared", "eventlog/checkpoint/blob", "eventlog/checkpoint/pulsar",
	"cluster", "feed", "actors", "gateway", "client", "connect",
	"examples", "cmd", "chaos", "bench",
}

// rule forbids imports to part of the house.
type rule struct {
	rooms  []string // prefixes the rule holds for; none: everywhere
	except []string // prefixes it does not hold for
	forbid string   // prefix of the import path
	reason string
}

var rules = []rule{
	{nil, []string{"actors"}, "github.com/asynkron/protoactor-go", "actors are how dashboards live; whoever else knows them can't be tested without them"},
	{nil, []string{"cluster/link", "feed/remote"}, "google.golang.org/grpc", "processes reach each other by the link: it checks who calls"},
	{nil, []string{"eventlog/embedded", "eventlog/checkpoint/embedded"}, "github.com/cockroachdb/pebble", "the log is an interface: one storage engine behind it must be replaceable by a broker"},
	{nil, []string{"eventlog/pulsar", "eventlog/checkpoint/pulsar", "chaos/traffic"}, "github.com/apache/pulsar-client-go", "the log is an interface: nobody above it knows the broker; chaos plays the strangers who write to it with its own client"},
	{nil, []string{"eventlog/checkpoint/blob"}, "gocloud.dev", "where checkpoints lie is an interface: nobody else knows of object stores"},
	{pure, nil, "net", "pure rooms decide, they do not perform: no network"},
	{pure, nil, "os", "pure rooms decide, they do not perform: no files"},
	{pure, nil, "sync", "pure rooms have one caller at a time"},
	{pure, nil, "math/rand", "a fold is a function of its log: no random number"},
	{pure, nil, "log", "pure rooms return what happened"},
	{[]string{"actors/core"}, nil, module + "eventlog", "the state machine of a shard says what is to be done; the shell does it"},
	{[]string{"actors/core"}, nil, "github.com/asynkron", "the state machine of a shard is tested without actors"},
	{[]string{"actors/core"}, nil, "context", "nothing in the state machine of a shard waits"},
	{[]string{"feed"}, nil, module + "fold", "owners and viewers agree on words, not on an engine"},
	{[]string{"gateway"}, nil, module + "actors", "a gateway knows the feed only, so it can stand on another machine"},
	{[]string{"gateway"}, nil, module + "cluster", "a gateway knows the feed only, never gossip"},
	{[]string{"connect"}, nil, module + "gateway", "sources and sinks use the log or a feed, like everybody"},
	{[]string{"client"}, nil, module + "gateway", "the client is built by strangers: it knows the words and the wire"},
	{[]string{"client"}, nil, module + "actors", "the client is built by strangers: it knows the words and the wire"},
	{[]string{"fold/foldtest"}, nil, module, "the reference shares no code with what it judges"},
}

// pure rooms have no clock, lock, goroutine or I/O. The filter of a definition keeps a pool of
// virtual machines, so that one compiled definition serves many dashboards.
var pure = []string{"messages", "fold", "cluster/placement", "actors/core"}

// allowed are single exceptions: "room import" with its reason.
var allowed = map[string]string{
	"fold/definition sync": "a compiled filter is shared by dashboards that fold at the same time: its machines are pooled",
}

func TestFloors(t *testing.T) {
	seen := 0
	walkGo(t, func(path, dir string, file *ast.File) {
		seen++
		room := roomOf(dir)
		if room == "" && dir != "." {
			t.Errorf("%s: no room of the house is called %q", path, dir)
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
			if other, ours := strings.CutPrefix(imported, module); ours && roomOf(other) != room &&
				slices.Index(rooms, roomOf(other)) > slices.Index(rooms, room) {
				t.Errorf("%s imports %s, which lies below it in the house", path, imported)
			}
		}
		if slices.ContainsFunc(pure, func(p string) bool { return under(dir, p) }) {
			ast.Inspect(file, func(n ast.Node) bool {
				if _, ok := n.(*ast.GoStmt); ok {
					t.Errorf("%s starts a goroutine in a pure room", path)
				}
				if sel, ok := n.(*ast.SelectorExpr); ok {
					if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "NewTimer", "NewTicker", "Tick", "AfterFunc"}, sel.Sel.Name) {
						t.Errorf("%s uses time.%s in a pure room: time comes from records", path, sel.Sel.Name)
					}
				}
				return true
			})
		}
	})
	if seen < 20 {
		t.Fatalf("only %d files were looked at: the walk is broken", seen)
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
	return r.rooms == nil || slices.ContainsFunc(r.rooms, func(p string) bool { return under(dir, p) })
}

// roomOf is the innermost room that dir lies in.
func roomOf(dir string) string {
	best := ""
	for _, r := range rooms {
		if under(dir, r) && len(r) > len(best) {
			best = r
		}
	}
	return best
}

func under(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, strings.TrimSuffix(prefix, "/")+"/")
}

// walkGo parses the imports and bodies of every Go file of the house but its tests.
func walkGo(t *testing.T, visit func(path, dir string, file *ast.File)) {
	t.Helper()
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules" || d.Name() == "testdata" || d.Name() == "data" || d.Name() == "bin" || d.Name() == "scripts") {
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
