package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// TestVisible: no part of a client's text acts on a terminal, and ordinary text stays unchanged.
func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"Müller 😀 \\ \"x\"":             "Müller 😀 \\ \"x\"",
		"\x1b[2J\x1b[31m":               `\x1b[2J\x1b[31m`,
		"\x1b]0;title\a":                `\x1b]0;title\x07`,
		"a\nb\tc\rd\x00":                `a\nb\tc\x0dd\x00`,
		"\x7f\u009b31m":                 `\x7f\u009b31m`,
		"\u202eabc\u2066\u200f\u061c":   `\u202eabc\u2066\u200f\u061c`,
		"a\u2028b\u2029":                `a\u2028b\u2029`,
		"M\xfcller \x9b31m\xe2\x80":     `M\xfcller \x9b31m\xe2\x80`,
		"\ufffd is a character as well": "\ufffd is a character as well",
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	if got := visibleLines("a\n\x1b"); got != "a\n\\x1b" {
		t.Errorf("got %q", got)
	}
}

const hostile = "\x1b[2J\x1b[31m\u202e\nx"

// TestHostileTexts: they are harmless in every output for people.
func TestHostileTexts(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	define(t, s.public, "dashboard: sales\npanels: [{id: a, window: latest, group_by: [labels.l]}]\n")
	lines := `{"dashboard":"sales","metric":"m","value":1,"labels":{"l":"\u001b[2J\u001b[31m\u202e\nx"},"metadata":"\u0085\u202e"}` + "\n{\"\x1b[31m\n"
	p := publish(t, s.public, "a.ndjson", lines)
	p.has(t, exitRefused, "accepted 1, counted 1, refused 1")
	out, stop := watching(t, s.public, "sales", "table")
	defer stop()
	if line := lineWith(t, out, "a ["); !strings.Contains(line, `[\x1b[2J\x1b[31m\u202e\nx]`) {
		t.Errorf("watch: %q", line)
	}
	harmless(t, "refusals", p.stderr)
	_, json, _ := call(t, "", "definition", "check", write(t, "\x1b[31m.yaml", "dashboard: d\npanels: [{id: a, window: latest}]\n"))
	harmless(t, "a table", json)
	_, _, stderr := call(t, "", "definition", "check", "/nowhere/\x1b[31m")
	harmless(t, "an error", stderr)
	text := hostile
	b := board{dashboard: text, note: text, schema: wire.Schema{{Panel: "p", Title: text, GroupBy: []string{"labels." + text}, Columns: []string{text}}}}
	b.cells = []shownCell{{Panel: "p", Group: []*string{&text}}}
	m := &screenModel{boards: []board{b}, width: 200, height: 50}
	for _, line := range m.lines() {
		if strings.Contains(line, "\x1b[2J") || strings.Contains(line, "\x1b[31m") || strings.ContainsAny(line, "\n\u202e") {
			t.Errorf("terminal: %q", line)
		}
	}
}

// harmless fails the test if a terminal would act on a text, apart from its line breaks.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	if text == "" || visibleLines(text) != text {
		t.Errorf("%s: %q", what, text)
	}
}

// watching runs watch on a dashboard; stop ends it.
func watching(t *testing.T, server, dashboard, format string) (out *bufio.Scanner, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	lines, w := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx, []string{"watch", dashboard, "--wait", "--server", server, "-o", format}, strings.NewReader(""), w, w)
		w.Close()
	}()
	return bufio.NewScanner(lines), func() { cancel(); lines.Close(); <-done }
}

// lineWith reads up to a line that contains the text.
func lineWith(t *testing.T, out *bufio.Scanner, text string) string {
	t.Helper()
	for out.Scan() {
		if strings.Contains(out.Text(), text) {
			return out.Text()
		}
	}
	t.Fatalf("no line holds %q", text)
	return ""
}

// TestWatchCounts: watch says why a dashboard shows nothing, in every form of output.
func TestWatchCounts(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	for format, want := range map[string]string{
		"table": "counters 3 records: 1 accepted, 2 invalid (time 1, type 1), 0 late, 0 future, 0 duplicates",
		"json":  `"event":"counters","dashboard":"json","counters":{"records":3,"accepted":1,"invalid":2`,
		"yaml":  "event: counters",
	} {
		out, stop := watching(t, s.public, format, format)
		lineWith(t, out, format+": no event yet: waiting")
		publish(t, s.public, "a.ndjson", strings.ReplaceAll(`{"dashboard":"D","metric":"m","value":1,"time":"noon"}
{"dashboard":"D","metric":"m","value":"1"}
{"dashboard":"D","metric":"m","value":1}
`, "D", format)).has(t, exitRefused, "accepted 3, counted 1, invalid 2")
		lineWith(t, out, want)
		stop()
	}
}

// TestPumpCounts: the terminal shows that line, too, and says what it waits for.
func TestPumpCounts(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	server, err := client.New(client.Options{Server: s.public})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	boards := make(chan board)
	done := make(chan error, 1)
	go func() {
		done <- pump(ctx, server, client.SubscribeOptions{Dashboard: "d"}, func(b board) {
			select {
			case boards <- b:
			case <-ctx.Done():
			}
		})
	}()
	seen := func(want string) {
		t.Helper()
		for {
			select {
			case b := <-boards:
				m := &screenModel{boards: []board{b}, width: 200, height: 50}
				if strings.Contains(fmt.Sprint(m.lines()), want) {
					return
				}
			case <-ctx.Done():
				t.Fatalf("never saw %q", want)
			}
		}
	}
	seen("no event yet: waiting")
	publish(t, s.public, "a.ndjson", `{"dashboard":"d","metric":"m","value":null}`+"\n").has(t, exitRefused, "accepted 1, invalid 1")
	seen("1 records: 0 accepted, 1 invalid (missing 1)")
	cancel()
	<-done
}
