package main

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// TestExamples: what the help of a command shows can be called so.
func TestExamples(t *testing.T) {
	examples := 0
	for _, help := range helps(reflect.TypeFor[commands]()) {
		for line := range strings.Lines(help) {
			_, command, ours := strings.Cut(line, "dashfeed ")
			if !ours {
				continue
			}
			command, _, _ = strings.Cut(command, "|")
			command, _, _ = strings.Cut(command, "<")
			examples++
			p := &program{Context: t.Context(), stdout: io.Discard, stderr: io.Discard}
			if _, err := p.parse(strings.Fields(command)); err != nil {
				t.Errorf("dashfeed %s: %v", command, err)
			}
		}
	}
	if examples < 15 {
		t.Errorf("only %d examples were found", examples)
	}
}

// helps are the texts of all commands of a tree that have one.
func helps(tree reflect.Type) (all []string) {
	for i := range tree.NumField() {
		f := tree.Field(i)
		if _, isCommand := f.Tag.Lookup("cmd"); !isCommand {
			continue
		}
		if h, ok := reflect.Zero(f.Type).Interface().(kong.HelpProvider); ok {
			all = append(all, h.Help())
		}
		all = append(all, helps(f.Type)...)
	}
	return all
}

// TestSpelled: help and version may be asked for as with other programs.
func TestSpelled(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"help", "Operations"},
		{"help publish", "Examples:"},
		{"help definition apply", "definition apply checkout.yaml"},
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
