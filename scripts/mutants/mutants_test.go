package main

import (
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// leastMutants is how many breaks the lists must have, chosen is how many of them run with the
// other tests.
const (
	leastMutants = 40
	chosen       = 5
)

// TestEveryMutantIsUpToDate applies every break: each names a line that occurs once, and no line is
// broken twice.
func TestEveryMutantIsUpToDate(t *testing.T) {
	all := lists(t)
	if len(all) < leastMutants {
		t.Errorf("%d breaks are listed, want at least %d", len(all), leastMutants)
	}
	seen := map[[2]string]string{}
	for _, m := range all {
		source, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Errorf("%s: %v", m.at, err)
			continue
		}
		if _, err := m.apply(string(source)); err != nil {
			t.Errorf("%s: %v", m.at, err)
		}
		if !hasTest(t, m) {
			t.Errorf("%s: %s has no test %s", m.at, m.pkg, m.test)
		}
		if other := seen[[2]string{m.file, m.old}]; other != "" {
			t.Errorf("%s breaks the same line as %s", m.at, other)
		}
		seen[[2]string{m.file, m.old}] = m.at
	}
}

// hasTest reports whether the test that a break names exists.
func hasTest(t *testing.T, m mutant) bool {
	t.Helper()
	name, _, _ := strings.Cut(m.test, "/")
	files, err := filepath.Glob(filepath.Join(root, m.pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(f string) bool {
		source, err := os.ReadFile(f)
		return err == nil && strings.Contains(string(source), "func "+name+"(")
	})
}

// TestChosenMutants runs some of the breaks, others with every commit. `make mutants` runs all.
func TestChosenMutants(t *testing.T) {
	if os.Getenv("CI") == "" {
		t.Log("without CI two run")
	}
	all := lists(t)
	n := chosen
	if os.Getenv("CI") == "" {
		n = 2
	}
	commit, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		commit = []byte("no repository")
	}
	h := fnv.New64a()
	h.Write(commit)
	at, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	order := rand.New(rand.NewPCG(h.Sum64(), 1)).Perm(len(all))
	for _, i := range order[:min(n, len(order))] {
		m := all[i]
		t.Run(filepath.Base(m.at), func(t *testing.T) {
			if err := m.passes(at); err != nil {
				t.Fatalf("%s: %v", m.at, err)
			}
			switch err := m.run(at); {
			case errors.Is(err, errSurvived):
				t.Errorf("%s: %s: with this line broken %s %s passes", m.at, m.promise, m.pkg, m.test)
			case err != nil:
				t.Errorf("%s: %v", m.at, err)
			}
		})
	}
}

func TestApply(t *testing.T) {
	m := mutant{file: "x.go", old: "a := 1", new: "a := 2"}
	if got, err := m.apply("x\n\ta := 1\ny"); err != nil || got != "x\na := 2\ny" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, source := range []string{"x", "a := 1\n a := 1"} {
		if got, err := m.apply(source); err == nil {
			t.Errorf("%q was accepted: %q", source, got)
		}
	}
}

func TestParse(t *testing.T) {
	good := []string{"promise: p", "file: f.go", "test: ./f TestX/part", "- \told", "+ \tnew"}
	m, err := parse(good)
	if err != nil || m != (mutant{promise: "p", file: "f.go", pkg: "./f", test: "TestX/part", old: "old", new: "new"}) {
		t.Fatalf("got %+v, %v", m, err)
	}
	for i := range good {
		bad := append([]string(nil), good...)
		bad[i] = "nonsense"
		if _, err := parse(bad); err == nil {
			t.Errorf("line %d %q was accepted", i+1, bad[i])
		}
	}
	if _, err := parse(good[:4]); err == nil {
		t.Error("an entry of four lines was accepted")
	}
}

func lists(t *testing.T) []mutant {
	t.Helper()
	all, err := readLists(filepath.Join(root, "scripts/mutants"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}
