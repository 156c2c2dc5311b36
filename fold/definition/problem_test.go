package definition_test

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
)

var rewrite = flag.Bool("rewrite", false, "write the actual output as the wanted output")

// TestProblems reads testdata/problems.txt: a case begins with "=== name", and after "---" is what
// Parse says about the text.
func TestProblems(t *testing.T) {
	const file = "testdata/problems.txt"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	cases := strings.Split(string(text), "=== ")
	out.WriteString(cases[0])
	for _, c := range cases[1:] {
		name, rest, _ := strings.Cut(c, "\n")
		src, want, ok := strings.Cut(rest, "---\n")
		if !ok {
			t.Fatalf("case %s has no line ---", name)
		}
		src = strings.ReplaceAll(src, "--+", "---") // a document's end inside a case
		got := "ok\n"
		if _, err := definition.Parse("d.yaml", []byte(src), definition.Options{}); err != nil {
			got = err.Error() + "\n"
		}
		if strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("%s:\ngot\n%swant\n%s", name, got, want)
		}
		out.WriteString("=== " + name + "\n" + strings.ReplaceAll(src, "---", "--+") + "---\n" + got + "\n")
	}
	if *rewrite {
		if err := os.WriteFile(file, []byte(strings.TrimRight(out.String(), "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProblemsBounds(t *testing.T) {
	long := "dashboard: d\npanels: [{id: a, window: latest}]\n#" + strings.Repeat("x", definition.MaxBytes)
	many := "dashboard: d\npanels:\n" + strings.Repeat(" - {id: a, window: latest}\n", definition.MaxPanels+1)
	wrong := strings.Repeat("x: 1\n", 1000)
	laughs := "a: &a [l, l, l, l, l, l, l, l, l]\n"
	for c := 'b'; c < 'z'; c++ {
		laughs += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 9) + "]\n"
	}
	for _, c := range []struct {
		name, src, want string
		problems        int
	}{
		{"bytes", long, "at most 262144 are allowed", 1},
		{"panels", many, "65 panels, at most 64 are allowed", 64},
		{"problems", wrong, "unknown key", definition.MaxProblems},
		{"aliases", "dashboard: d\npanels: *y\n" + laughs, "unknown anchor", 1},
		{"more aliases", laughs + "dashboard: d\npanels: *y\n", "unknown key", 25 + 9},
		{"alias of itself", "dashboard: d\npanels: &p [*p]\n", "want a mapping of keys, got a list", 1},
		{"depth", strings.Repeat("[", 100_000), "not YAML", 1},
	} {
		_, err := definition.Parse("", []byte(c.src), definition.Options{})
		var ps definition.Problems
		if !errors.As(err, &ps) || !strings.Contains(err.Error(), c.want) || len(ps) != c.problems {
			t.Errorf("%s: %d problems, want %d and %q: %.300v", c.name, len(ps), c.problems, c.want, err)
		}
	}
}

func TestParseOf(t *testing.T) {
	const panels = "panels: [{id: a, window: latest}]\n"
	for _, c := range []struct {
		key       messages.Key
		src, want string
	}{
		{messages.Key{Tenant: "acme", Dashboard: "d"}, panels, "acme/d"},
		{messages.Key{Tenant: "acme", Dashboard: "d"}, "tenant: acme\ndashboard: d\n" + panels, "acme/d"},
		{messages.Key{Tenant: "acme"}, panels, "acme/"},
		{messages.Key{Tenant: "acme"}, "dashboard: \"\"\n" + panels, "acme/"},
		{messages.Key{Tenant: "acme", Dashboard: "d"}, "dashboard: e\n" + panels, `1:12: dashboard: "e" is not the dashboard this is for; allowed: d`},
		{messages.Key{Tenant: "acme", Dashboard: "d"}, "tenant: beta\n" + panels, `1:9: tenant: "beta" is not the tenant this is for; allowed: acme`},
		{messages.Key{Tenant: "acme"}, "dashboard: e\n" + panels, `1:12: dashboard: a tenant's default names no dashboard`},
		{messages.Key{}, panels, `1:1: dashboard: missing`},
	} {
		defs, err := definition.Parse("", []byte(c.src), definition.Options{Key: c.key})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = messages.Key{Tenant: defs[0].Tenant, Dashboard: defs[0].Dashboard}.String()
		}
		if got != c.want {
			t.Errorf("%v %q:\ngot  %s\nwant %s", c.key, c.src, got, c.want)
		}
	}
}
