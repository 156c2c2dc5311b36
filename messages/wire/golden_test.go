package wire

import (
	"bufio"
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/messages/cells"
)

// golden returns the lines of testdata/NAME that are not comments. Other clients read the same
// files.
func golden(t *testing.T, name string) (lines []string) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// Every golden frame can be read and is written back unchanged; every type has one.
func TestGoldenFrames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range []struct {
		file  string
		types map[string]func() Frame
	}{{"client.ndjson", fromClient}, {"server.ndjson", fromServer}} {
		for _, line := range golden(t, c.file) {
			f, _, err := parse([]byte(line), c.types)
			if err != nil {
				t.Errorf("%s: %v", line, err)
				continue
			}
			seen[f.frameType()] = true
			if got := string(Encode(f)); got != line {
				t.Errorf("\nread  %s\nwrote %s", line, got)
			}
		}
		for name := range c.types {
			if !seen[name] {
				t.Errorf("%s has no %s", c.file, name)
			}
		}
	}
}

// AppendUpdate writes the golden updates: the same bytes that Encode produces from what a client
// reads.
func TestGoldenUpdates(t *testing.T) {
	for _, line := range golden(t, "server.ndjson") {
		if !bytes.HasPrefix([]byte(line), updateHead) {
			continue
		}
		f, err := ParseFrame([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		u := f.(*Update)
		p := &Projection{View: u.View, Schema: Schema{{}, {Axis: Axis{Grows: true}}}, panels: []int32{0, 1}}
		w := cells.Update{Epoch: u.Epoch, From: u.From, To: u.To}
		for _, c := range u.Cells {
			born := u.To
			if !c.Whole || c.Panel == 1 {
				born = u.From
			}
			w.Cells = append(w.Cells, cells.Cell{Number: c.Number, Revision: c.Revision, Panel: c.Panel, Start: c.Start, End: c.End, Group: c.Group, Row: c.Row, Created: born, Changed: u.To})
		}
		for _, n := range u.Removed {
			w.Removed = append(w.Removed, cells.Tombstone{Number: n, Removed: u.To})
		}
		if got := string(AppendUpdate(nil, p, &w, u.Time)); got != line && !u.More {
			t.Errorf("\ngot  %s\nwant %s", got, line)
		}
	}
}

// An error about a bad message uses the protocol's terms, not Go's.
func TestBadMessagesAreNamed(t *testing.T) {
	for in, want := range map[string]string{"[]": "unexpected array", "5": "unexpected number", `{"type":5}`: "message type 5 is not a string"} {
		if _, _, err := ParseRequest([]byte(in)); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want …%s", in, err, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		f    float64
		want string
	}{
		{0, "0"},
		{-3, "-3"},
		{815, "815"},
		{0.1, "0.1"},
		{9007199254740991, "9007199254740991"},
		{9007199254740992, "9007199254740992"},
		{1e20, "100000000000000000000"},
		{1e21, "1e+21"},
		{1e308, "1e+308"},
		{5e-324, "5e-324"},
		{1e-7, "1e-07"},
		{-0.000001, "-0.000001"},
	} {
		if got := string(AppendNumber(nil, c.f)); got != c.want {
			t.Errorf("%v is %s, want %s", c.f, got, c.want)
		}
	}
}

// AppendUpdate is on a hot path: a frame of a hundred cells allocates nothing but its bytes.
func TestAppendUpdateAllocatesNothing(t *testing.T) {
	p, u := hundredCells(t)
	b := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() { b = AppendUpdate(b[:0], p, u, 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAppendUpdate(b *testing.B) {
	p, u := hundredCells(b)
	buf := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendUpdate(buf[:0], p, u, 1)
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkParseUpdate(b *testing.B) {
	p, u := hundredCells(b)
	frame := AppendUpdate(nil, p, u, 1)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseFrame(frame); err != nil {
			b.Fatal(err)
		}
	}
}

// From 2^53 on a number's digits are only the shortest that identify the double: a client reads the
// double.
func TestLargeNumbersRoundTrip(t *testing.T) {
	for _, f := range []float64{1<<53 - 1, 1 << 53, 1<<53 + 2, 1 << 60, -(1 << 60), 1<<63 - 1024, 1 << 63, 9.3e18, 1e20, 1e21, 1.7976931348623157e308, -1e300} {
		row, err := parseRow(AppendRow(nil, cells.Row(cells.AppendFloat(nil, f))))
		if err != nil {
			t.Fatal(err)
		}
		row.Each(func(_ int, v cells.Value) bool {
			got := v.Float
			if v.Kind == cells.Int {
				got = float64(v.Int)
				if got >= maxExact || got <= -maxExact {
					t.Errorf("%v came back as the whole number %d", f, v.Int)
				}
			}
			if got != f {
				t.Errorf("%v came back as %v", f, got)
			}
			return true
		})
	}
}
