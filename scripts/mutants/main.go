// Command mutants breaks the code on purpose, one line at a time, and runs for each break the test
// that must notice it. It shows that the tests can fail. The breaks are in scripts/mutants/*.txt:
//
//	promise: a standby appends no tick
//	file: actors/tick.go
//	test: ./actors TestStandbyDoesNotTick
//	- 	if !s.acts() {
//	+ 	if false {
//
// Run it from the root of the repository with `make mutants`, or with words that select the entries
// that contain all of them, as in `go run ./scripts/mutants actors/`. It exits 1 if a break
// survives, does not compile, or is out of date. The tests of this package run five breaks, chosen
// by the commit.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(words []string) error {
	root, err := os.Getwd()
	if err != nil {
		return err
	}
	all, err := readLists("scripts/mutants")
	if err != nil {
		return err
	}
	caught, survived, wrong := 0, 0, 0
	for _, m := range all {
		if !m.has(words) {
			continue
		}
		err := m.passes(root)
		if err == nil {
			err = m.run(root)
		}
		switch {
		case err == nil:
			caught++
			fmt.Printf("caught    %s: %s\n", m.at, m.promise)
		case errors.Is(err, errSurvived):
			survived++
			fmt.Printf("SURVIVED  %s: %s: %s %s passes\n", m.at, m.promise, m.pkg, m.test)
		default:
			wrong++
			fmt.Printf("WRONG     %s: %v\n", m.at, err)
		}
	}
	fmt.Printf("mutants: %d caught, %d survived, %d wrong\n", caught, survived, wrong)
	if survived+wrong > 0 || caught == 0 {
		return errors.New("some breaks are not caught")
	}
	return nil
}

// has reports whether the entry contains every word.
func (m mutant) has(words []string) bool {
	entry := strings.Join([]string{m.at, m.promise, m.file, m.pkg, m.test}, "\n")
	for _, w := range words {
		if !strings.Contains(entry, w) {
			return false
		}
	}
	return true
}
