// Command testsummary reads `go test -json` on stdin. It prints a line for each package when the
// package ends, and the output of each failed test. At the end it prints the names of the tests
// that failed or were skipped, and the totals in one line. It exits 1 if a test failed or, with CI
// set, was skipped.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

type line struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type suite struct {
	passed, failed, skipped int
	elapsed                 float64 // s
}

func main() {
	s := summary{suites: map[string]*suite{}, output: map[string][]string{}}
	if err := s.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	if !s.print(os.Stdout, os.Getenv("CI") != "") {
		os.Exit(1)
	}
}

type summary struct {
	suites  map[string]*suite
	output  map[string][]string // of tests that have not ended
	failed  []string
	skipped []string
}

// read reads the whole stream. It prints a test's output only if the test failed.
func (s *summary) read(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			fmt.Fprintln(out, lines.Text()) // not a test event: a message of the go tool
			continue
		}
		s.take(l, out)
	}
	return lines.Err()
}

func (s *summary) take(l line, out io.Writer) {
	key := l.Package + "\x00" + l.Test
	switch l.Action {
	case "build-output":
		fmt.Fprint(out, l.Output)
	case "output":
		s.output[key] = append(s.output[key], l.Output)
	case "pass", "fail", "skip":
		if l.Action == "fail" {
			fmt.Fprint(out, strings.Join(s.output[key], ""))
		}
		delete(s.output, key)
		s.count(l)
		if l.Test == "" {
			s.unfinished(l.Package, out)
			s.suites[l.Package].print(out, l.Package)
		}
	}
}

// unfinished prints the output of the tests that had not ended when their package did: the stacks
// of a time-out are in it.
func (s *summary) unfinished(pkg string, out io.Writer) {
	for _, key := range slices.Sorted(maps.Keys(s.output)) {
		if in, test, _ := strings.Cut(key, "\x00"); in == pkg {
			fmt.Fprint(out, strings.Join(s.output[key], ""))
			delete(s.output, key)
			s.failed = append(s.failed, pkg+" "+test+" (did not end)")
		}
	}
}

func (s *summary) count(l line) {
	p := s.suites[l.Package]
	if p == nil {
		p = &suite{}
		s.suites[l.Package] = p
	}
	switch {
	case l.Test == "":
		p.elapsed = l.Elapsed
		// the package did not build, or ended outside a test
		if l.Action == "fail" && p.failed == 0 {
			p.failed = 1
			s.failed = append(s.failed, l.Package)
		}
	case l.Action == "pass":
		p.passed++
	case l.Action == "fail":
		p.failed++
		s.failed = append(s.failed, l.Package+" "+l.Test)
	default:
		p.skipped++
		s.skipped = append(s.skipped, l.Package+" "+l.Test)
	}
}

// print writes the line of a package that has ended; a package without tests has none.
func (p *suite) print(out io.Writer, name string) {
	if p.passed+p.failed+p.skipped > 0 {
		fmt.Fprintf(out, "%-60s %5d passed %3d failed %3d skipped %8.1fs\n", name, p.passed, p.failed, p.skipped, p.elapsed)
	}
}

// print writes the names of the tests that failed or were skipped, and the totals; it reports
// whether all is well.
func (s *summary) print(out io.Writer, strict bool) bool {
	var sum suite
	for _, p := range s.suites {
		sum.passed += p.passed
		sum.failed += p.failed
		sum.skipped += p.skipped
	}
	for _, t := range s.failed {
		fmt.Fprintln(out, "failed:", t)
	}
	for _, t := range s.skipped {
		fmt.Fprintln(out, "skipped:", t)
	}
	fmt.Fprintf(out, "%d passed, %d failed, %d skipped\n", sum.passed, sum.failed, sum.skipped)
	return sum.failed == 0 && sum.passed > 0 && (!strict || sum.skipped == 0)
}
