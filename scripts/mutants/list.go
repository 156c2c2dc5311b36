package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one line of the code broken on purpose, and the test that must notice it.
type mutant struct {
	at       string // FILE:LINE of its entry in the list
	promise  string // the guarantee that the broken line implements
	file     string // of the source, from the root of the repository
	pkg      string // of the test, ./dir
	test     string // its name, TestX or TestX/part
	old, new string // the source line and its replacement, without leading white space
}

// fields lists the prefixes of an entry's lines, in order.
var fields = []string{"promise: ", "file: ", "test: ", "- ", "+ "}

// readLists reads every list of the directory, ordered by name.
func readLists(dir string) ([]mutant, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []mutant
	for _, name := range names {
		list, err := readList(name)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// readList reads entries that are separated by empty lines.
func readList(name string) ([]mutant, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var all []mutant
	var entry []string
	number := 0
	end := func() error {
		if len(entry) == 0 {
			return nil
		}
		m, err := parse(entry)
		m.at = fmt.Sprintf("%s:%d", name, number-len(entry)+1)
		if err != nil {
			return fmt.Errorf("%s: %w", m.at, err)
		}
		all, entry = append(all, m), nil
		return nil
	}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			if err := end(); err != nil {
				return nil, err
			}
		} else {
			entry = append(entry, lines.Text())
		}
		number++
	}
	return all, errors.Join(lines.Err(), end())
}

func parse(lines []string) (m mutant, err error) {
	if len(lines) != len(fields) {
		return m, fmt.Errorf("an entry has the lines %q, this one has %d", fields, len(lines))
	}
	values := make([]string, len(fields))
	for i, prefix := range fields {
		value, ok := strings.CutPrefix(lines[i], prefix)
		if values[i] = strings.TrimSpace(value); !ok || values[i] == "" && prefix != "+ " {
			return m, fmt.Errorf("line %d of an entry begins with %q and a text, got %q", i+1, prefix, lines[i])
		}
	}
	pkg, test, ok := strings.Cut(values[2], " ")
	if !ok {
		return m, fmt.Errorf("test: want a package and a test's name, got %q", values[2])
	}
	return mutant{promise: values[0], file: values[1], pkg: pkg, test: test, old: values[3], new: values[4]}, nil
}

// apply returns the source with the mutant's line replaced. The line must occur once.
func (m mutant) apply(source string) (string, error) {
	lines := strings.Split(source, "\n")
	found := -1
	for i, line := range lines {
		if strings.TrimSpace(line) != m.old {
			continue
		}
		if found >= 0 {
			return "", fmt.Errorf("%s has the line %q more than once (lines %d and %d)", m.file, m.old, found+1, i+1)
		}
		found = i
	}
	if found < 0 {
		return "", fmt.Errorf("%s has no line %q", m.file, m.old)
	}
	lines[found] = m.new
	return strings.Join(lines, "\n"), nil
}
