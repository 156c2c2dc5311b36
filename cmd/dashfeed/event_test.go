package main

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// TestEventPost: typed events are posted, each as a new one, and the sum says what became of them.
func TestEventPost(t *testing.T) {
	s := start(t, io.Discard, "run", "--data", t.TempDir())
	defer s.stop(t)
	const one = `{"metric":"m","value":1,"labels":{"a":"b"}}`
	for _, c := range []struct {
		stdin string
		code  int
		says  string // on stdout or stderr
		want  map[string]float64
		args  []string
	}{
		{"", exitDone, "", map[string]float64{"accepted": 1, "counted": 1}, []string{one, "--dashboard", "d"}},
		{"", exitDone, "", map[string]float64{"accepted": 1, "counted": 1}, []string{one, "--dashboard", "d"}},
		{"", exitDone, "", map[string]float64{"accepted": 2, "counted": 2}, []string{one, one, "--dashboard", "d"}},
		{one + "\n[" + one + "," + one + "]", exitDone, "", map[string]float64{"accepted": 3, "counted": 3}, []string{"-", "--dashboard", "d"}},
		{"", exitDone, "", map[string]float64{"counted": 1}, []string{"--dashboard", "d", "--metric", "m", "--value=-2.5", "--label", "a=b=c", "--label", "e=,", "--id", "x"}},
		{"", exitDone, "counted already", map[string]float64{"accepted": 1, "duplicates": 1}, []string{"--dashboard", "d", "--metric", "m", "--value", "1", "--id", "x"}},
		{"", exitDone, "", map[string]float64{"counted": 1}, []string{"--dashboard", "t", "--metric", "m", "--value", "1", "--time", "2024-01-02T03:04:05Z"}},
		{"", exitDone, "", map[string]float64{"counted": 1}, []string{"--dashboard", "u", "--metric", "m", "--value", "1", "--time", "1700000000000"}},
		{"", exitRefused, "missing_dashboard", map[string]float64{"refused": 1}, []string{`{"metric":"m","value":1}`}},
		{"", exitRefused, "malformed", map[string]float64{"refused": 1}, []string{`{`}},
		{"", exitUsage, "no event", nil, nil},
		{"", exitUsage, "not both", nil, []string{one, "--metric", "m"}},
		{"", exitUsage, "needs --metric and --value", nil, []string{"--metric", "m"}},
		{"", exitUsage, "value NaN is not allowed", nil, []string{"--metric", "m", "--value", "nan"}},
		{"", exitUsage, `dashboard name "a/b" is not allowed`, nil, []string{one, "--dashboard", "a/b"}},
	} {
		code, out, stderr := call(t, c.stdin, append([]string{"event", "post", "-o", "json", "--server", s.public}, c.args...)...)
		var sum []map[string]any
		if c.want != nil {
			if err := json.Unmarshal([]byte(out), &sum); err != nil || len(sum) != 1 {
				t.Errorf("%v: %v: %s %s", c.args, err, out, stderr)
				continue
			}
		}
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%v: exit %d, want %d and %q: %s %s", c.args, code, c.code, c.says, out, stderr)
		}
		for what, want := range c.want {
			if sum[0][what] != want {
				t.Errorf("%v: %s is %v, want %v: %s", c.args, what, sum[0][what], want, stderr)
			}
		}
	}
	does(t, "", exitDone, "14 Nov 22", "dashboard", "get", "u", "--server", s.public)
	does(t, "", exitUnreachable, "127.0.0.1:1", "event", "post", one, "--dashboard", "d", "--server", "http://127.0.0.1:1")
}
