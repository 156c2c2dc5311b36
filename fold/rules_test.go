package fold_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/fold"
	"github.com/dashfeed/dashfeed/fold/definition"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/event"
)

var rewrite = flag.Bool("rewrite", false, "write what the fold answers into testdata")

// TestRules runs every case of testdata; testdata/README.md describes the format.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			in, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out := runCase(t, string(in))
			if *rewrite {
				if err := os.WriteFile(file, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if out != string(in) {
				t.Errorf("%s: want\n%s\ngot\n%s", file, in, out)
			}
		})
	}
}

// ruleCase is a running case: it writes the case again, with what the fold answered.
type ruleCase struct {
	t        *testing.T
	d        *fold.Dashboard
	logTime  int64
	records  uint64
	revision uint64
	out      bytes.Buffer
}

func runCase(t *testing.T, in string) string {
	c := &ruleCase{t: t}
	scanner := bufio.NewScanner(strings.NewReader(in))
	var lines []string
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	for i := 0; i < len(lines); {
		line := lines[i]
		i++
		from := i
		for i < len(lines) && strings.HasPrefix(lines[i], "  ") {
			i++
		}
		c.line(line, lines[from:i])
	}
	return c.out.String()
}

// line runs one line; block is the indented lines below it.
func (c *ruleCase) line(line string, block []string) {
	fmt.Fprintln(&c.out, line)
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "", "#":
	case "define":
		c.define(block)
		for _, l := range block {
			fmt.Fprintln(&c.out, l)
		}
	case "event":
		c.event(rest)
	case "tick":
		c.logTime = max(c.logTime, c.number(rest))
		c.d.Advance(c.logTime)
	case "restart":
		c.restart()
	case "want":
		c.restart() // the same must follow from the encoded state
		for _, l := range c.answers(rest) {
			fmt.Fprintln(&c.out, " ", l)
		}
	default:
		c.t.Fatalf("line %q: unknown verb %q", line, verb)
	}
}

func (c *ruleCase) define(block []string) {
	defs, err := definition.Parse("case", []byte(strings.Join(block, "\n")), definition.Options{Aggregates: fold.Builtin().Names()})
	if err != nil {
		c.t.Fatal(err)
	}
	p, err := fold.Compile(defs[0], fold.Builtin())
	if err != nil {
		c.t.Fatal(err)
	}
	if c.d == nil { // the first one acts as the tenant's default
		c.d = fold.New(messages.Key{Tenant: "default", Dashboard: "case"}, "local", p)
		return
	}
	c.revision++
	c.d.Define(c.at(c.logTime), definition.Record{Revision: c.revision, Region: "local", Definition: defs[0]}, p)
}

func (c *ruleCase) at(appended int64) fold.At {
	c.records++
	c.logTime = max(c.logTime, appended)
	return fold.At{Position: messages.Position{Lo: c.records}, LogTime: c.logTime, Append: appended}
}

// event folds time=… value=… append=… id=… metric=… producer=… sequence=…; every other key is a
// label.
func (c *ruleCase) event(text string) {
	e := event.Event{Metric: "m", Value: 1, TimeStatus: event.Missing}
	appended, given := int64(0), false
	for _, field := range strings.Fields(text) {
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "time":
			e.Time, e.TimeStatus = c.statusNumber(value)
		case "value":
			e.Value, e.ValueStatus = c.value(value)
		case "append":
			appended, given = c.number(value), true
		case "id":
			e.ID = value
		case "metric":
			e.Metric = value
		case "metadata":
			e.Metadata = []byte(value)
		case "producer":
			e.Producer = value
		case "sequence":
			e.Sequence, e.HasSequence = uint64(c.number(value)), true
		default:
			e.Labels = append(e.Labels, event.Label{Name: key, Value: strings.Trim(value, `"`)})
		}
	}
	slices.SortFunc(e.Labels, func(a, b event.Label) int { return strings.Compare(a.Name, b.Name) })
	if !given {
		appended = max(c.logTime, e.Time)
	}
	c.d.Event(c.at(appended), &e)
}

var statusWords = map[string]event.Status{"missing": event.Missing, "type": event.Type, "range": event.Range}

func (c *ruleCase) value(s string) (float64, event.Status) {
	if status, ok := statusWords[s]; ok {
		return 0, status
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return f, event.OK
}

func (c *ruleCase) statusNumber(s string) (int64, event.Status) {
	if status, ok := statusWords[s]; ok {
		return 0, status
	}
	return c.number(s), event.OK
}

func (c *ruleCase) number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// restart continues from the state's bytes.
func (c *ruleCase) restart() {
	p := c.d.Program()
	b := c.d.Append(nil)
	d, err := fold.Decode(b, func([]byte) (*fold.Program, error) { return p, nil })
	if err != nil {
		c.t.Fatal(err)
	}
	if again := d.Append(nil); !bytes.Equal(b, again) {
		c.t.Fatalf("state changes by a restart:\n%x\n%x", b, again)
	}
	c.d = d
}

// answers returns what the fold says about cells, counters, late, refused or time.
func (c *ruleCase) answers(what string) []string {
	switch what {
	case "cells":
		return c.cells(c.d.Program().Schema()[:len(c.d.Program().Schema())])
	case "counters":
		b, err := json.MarshalIndent(c.d.Counters(), "", " ")
		if err != nil {
			c.t.Fatal(err)
		}
		return nonZero(string(b))
	case "late", "refused":
		list := c.d.Late()
		if what == "refused" {
			list = c.d.Refused()
		}
		var lines []string
		for _, l := range list {
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s at %s: time %d %s %s", l.Reason, l.Position, l.Time, l.Metric, l.ID)))
		}
		return lines
	case "time":
		next := "none"
		if at, ok := c.d.Deadline(); ok {
			next = strconv.FormatInt(at, 10)
		}
		watermark := "none"
		if w := c.d.Watermark(); w != messages.NoTime {
			watermark = strconv.FormatInt(w, 10)
		}
		return []string{fmt.Sprintf("version %d, time %d, watermark %s, next deadline %s", c.d.Version(), c.d.Time(), watermark, next)}
	}
	c.t.Fatalf("want %q: allowed: cells, counters, late, refused, time", what)
	return nil
}

// nonZero keeps the lines of the counters that are not 0.
func nonZero(s string) []string {
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.TrimRight(strings.TrimSpace(line), ",")
		if strings.HasSuffix(line, ": 0") || strings.HasSuffix(line, "{}") || strings.Trim(line, "{}") == "" {
			continue
		}
		lines = append(lines, strings.ReplaceAll(line, `"`, ""))
	}
	return lines
}

func (c *ruleCase) cells(schema any) []string {
	u, ok := c.d.Since(0)
	if !ok {
		c.t.Fatal("no snapshot")
	}
	visible := c.d.Schema()
	var lines []string
	for _, cell := range u.Cells {
		if int(cell.Panel) < len(visible) {
			lines = append(lines, fmt.Sprintf("%s [%d, %d) %s revision %d: %s", visible[cell.Panel].Panel, cell.Start, cell.End, groupText(cell.Group), cell.Revision, rowText(cell.Row)))
		}
	}
	slices.Sort(lines)
	for _, p := range visible {
		if p.Overflow != nil {
			lines = append(lines, fmt.Sprintf("%s: %d keys overflowed", p.Panel, p.Overflow.Groups))
		}
	}
	return lines
}

func groupText(g cells.Group) string {
	if g == cells.Overflow {
		return "overflow"
	}
	keys, err := g.Keys()
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, k := range keys {
		if k.Present {
			words = append(words, strconv.Quote(k.Key))
		} else {
			words = append(words, "null")
		}
	}
	return "(" + strings.Join(words, ", ") + ")"
}

func rowText(r cells.Row) string {
	var words []string
	r.Each(func(_ int, v cells.Value) bool {
		switch v.Kind {
		case cells.Float:
			words = append(words, strconv.FormatFloat(v.Float, 'g', -1, 64))
		case cells.Int:
			words = append(words, strconv.FormatInt(v.Int, 10))
		case cells.JSON:
			words = append(words, v.JSON)
		default:
			words = append(words, "null")
		}
		return true
	})
	return strings.Join(words, " ")
}
