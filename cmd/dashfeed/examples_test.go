package main

import (
	"io"
	"strings"
	"testing"
)

// TestExamples: the help of every command shows examples, and each of them parses.
func TestExamples(t *testing.T) {
	p := &program{Context: t.Context(), stdout: io.Discard, stderr: io.Discard}
	if _, err := p.parse([]string{"version"}); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, n := range p.parser.Model.Leaves(false) {
		commands++
		path := pathOf(n)
		ours := false
		for line := range strings.Lines(examples[path]) {
			for part := range strings.SplitSeq(strings.TrimSpace(line), " | ") {
				command, ok := strings.CutPrefix(strings.TrimPrefix(part, "source <("), "dashfeed ")
				if !ok {
					continue
				}
				command, _, _ = strings.Cut(strings.TrimSuffix(command, ")"), " ||")
				command, _, _ = strings.Cut(command, " <")
				command, _, _ = strings.Cut(command, " >")
				ours = ours || strings.HasPrefix(command+" ", path+" ")
				if _, err := p.parse(strings.Fields(command)); err != nil {
					t.Errorf("dashfeed %s: %v", command, err)
				}
			}
		}
		if !ours {
			t.Errorf("%s has no example", path)
		}
	}
	if commands < 30 || commands != len(examples) {
		t.Errorf("there are %d commands, and examples of %d", commands, len(examples))
	}
}

// TestSpelled: help and version can be asked for as in other programs.
func TestSpelled(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"help", "Operations"},
		{"help publish", "Examples:"},
		{"help definition apply", "definition apply checkout.yaml"},
		{"context use --help", "\n    dashfeed context use prod\n    dashfeed context use -\n"},
		{"--version", "fold format"},
		{"--version -o json", `"format"`},
	} {
		code, out, stderr := call(t, "", strings.Fields(c.args)...)
		if code != exitDone || !strings.Contains(out, c.says) {
			t.Errorf("dashfeed %s: exit %d, want %q in %q %s", c.args, code, c.says, out, stderr)
		}
	}
	if code, _, stderr := call(t, "", "help", "nonsense"); code != exitUsage || !strings.Contains(stderr, "nonsense") {
		t.Errorf("help nonsense: exit %d: %s", code, stderr)
	}
}
