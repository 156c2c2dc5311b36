package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestSummary(t *testing.T) {
	const pass = `{"Action":"output","Package":"p","Test":"TestA","Output":"noise\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`
	for _, c := range []struct {
		name, in, says string
		strict, well   bool
	}{
		{"passed", pass, "1 passed, 0 failed, 0 skipped", true, true},
		{"a package that ended", pass, "    1 passed   0 failed   0 skipped      1.5s", true, true},
		{"named at the end", pass + `{"Action":"fail","Package":"q","Test":"TestB"}` + "\n" + `{"Action":"fail","Package":"q"}`, "failed: q TestB\n1 passed, 1 failed", true, false},
		{"failed", pass + `{"Action":"output","Package":"q","Test":"TestB","Output":"why\n"}` + "\n" + `{"Action":"fail","Package":"q","Test":"TestB"}`, "why", false, false},
		{"did not build", pass + `{"Action":"build-output","ImportPath":"r","Output":"no such thing\n"}` + "\n" + `{"Action":"fail","Package":"r"}`, "1 passed, 1 failed", false, false},
		{"did not end", pass + `{"Action":"output","Package":"q","Test":"TestB","Output":"the stacks\n"}` + "\n" + `{"Action":"fail","Package":"q"}`, "the stacks\n", false, false},
		{"named if it did not end", pass + `{"Action":"output","Package":"q","Test":"TestB","Output":"why\n"}` + "\n" + `{"Action":"fail","Package":"q"}`, "failed: q TestB (did not end)\n1 passed, 1 failed", false, false},
		{"skipped without CI", pass + `{"Action":"skip","Package":"q","Test":"TestC"}`, "skipped: q TestC", false, true},
		{"skipped in CI", pass + `{"Action":"skip","Package":"q","Test":"TestC"}`, "1 skipped", true, false},
		{"nothing ran", "", "0 passed", false, false},
	} {
		s := summary{suites: map[string]*suite{}, output: map[string][]string{}}
		var out bytes.Buffer
		if err := s.read(strings.NewReader(c.in), &out); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if well := s.print(&out, c.strict); well != c.well || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: well %v, want %v and %q in:\n%s", c.name, well, c.well, c.says, out.String())
		}
		if strings.Contains(out.String(), "noise") {
			t.Errorf("%s: the output of a test that passed was printed", c.name)
		}
	}
}
