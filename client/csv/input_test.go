package csv

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/dashfeed/dashfeed/client/lines"
)

// rowsOf reads a file of the columns a and b, where a is a number. It returns the values of a that
// were read, and every error message.
func rowsOf(t *testing.T, file string, o Options) (values []float64, messages []string) {
	t.Helper()
	o.File = "f.csv"
	rows, err := Open(strings.NewReader(file), []Mapping{mapping(t, "metric==m", "value=a", "labels.b=b")}, o)
	if err != nil {
		t.Fatal(err)
	}
	for {
		events, err := rows.Next()
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			if s := rows.Stats(); s.Bad != len(messages) || s.Events != len(values) {
				t.Errorf("%+v of %d values and %d messages", s, len(values), len(messages))
			}
			return values, messages
		case errors.As(err, &bad):
			messages = append(messages, err.Error())
		case err != nil:
			t.Fatal(err)
		}
		for _, e := range events {
			values = append(values, e.Value)
		}
	}
}

// numbered returns a file of rows 1 to n; odd replaces the text of b in some rows.
func numbered(n int, odd map[int]string) string {
	var b strings.Builder
	b.WriteString("a,b\n")
	for i := 1; i <= n; i++ {
		text, ok := odd[i]
		if !ok {
			text = "DE"
		}
		fmt.Fprintf(&b, "%d,%s\n", i, text)
	}
	return b.String()
}

// TestQuoteWithoutEnd: an unclosed quote costs its own line; the message names that line and how
// many lines are read again.
func TestQuoteWithoutEnd(t *testing.T) {
	long := strings.Repeat("x", lines.MaxBytes)
	const extraneous = `extraneous or missing " in quoted-field; this line is skipped; lines after it, read as rows: `
	for _, c := range []struct {
		name    string
		file    string
		missing []int
		want    string
	}{
		{"none", numbered(1000, map[int]string{5: `"D""E"`, 7: "\"two\nlines, one field\"", 1000: `"x"`}), nil, ""},
		{
			"to the end", numbered(1000, map[int]string{100: `"DE`}),
			[]int{100},
			`f.csv:101: row 100, column "b": the quote that opens here does not end before the file does; this line is skipped; lines after it, read as rows: 900`,
		},
		{
			"in the last row", numbered(1000, map[int]string{1000: `"DE`}),
			[]int{1000},
			`f.csv:1001: row 1000, column "b": the quote that opens here does not end before the file does`,
		},
		{
			"to the next quote", numbered(1000, map[int]string{100: `"DE`, 300: `"x"`}),
			[]int{100},
			`f.csv:101: row 100, column "b": the quote that opens here goes to line 301: ` + extraneous + `200`,
		},
		{
			"two of them", numbered(1000, map[int]string{100: `"DE`, 300: `"x`}),
			[]int{100, 300},
			`f.csv:101: row 100, column "b": the quote that opens here goes to line 301: ` + extraneous + "200\n" +
				`f.csv:301: row 300, column "b": the quote that opens here does not end before the file does; this line is skipped; lines after it, read as rows: 700`,
		},
		{
			"to the bound", numbered(300_000, map[int]string{100: `"DE`}),
			[]int{100},
			`f.csv:101: row 100, column "b": the quote that opens here does not end within 2097152 bytes; this line is skipped; lines after it, read as rows: 220784`,
		},
		{
			"before a line over the bound", "a,b\n1,\"x\n2,y\n" + long + "z\n4,z\n",
			[]int{1, 3},
			`f.csv:2: row 1, column "b": the quote that opens here does not end within 2097152 bytes; this line is skipped; lines after it, read as rows: 1` + "\n" +
				"f.csv:4: row 3: a line has at most 2097152 bytes",
		},
		{"an inch", numbered(10, map[int]string{3: `5" pipe`}), []int{3}, `f.csv:4: row 3, column "b": a " inside a field that does not begin with one`},
	} {
		t.Run(c.name, func(t *testing.T) {
			values, messages := rowsOf(t, c.file, Options{})
			if got := strings.Join(messages, "\n"); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			next := 1.0
			for _, v := range values {
				for slices.Contains(c.missing, int(next)) {
					next++
				}
				if v != next {
					t.Fatalf("got value %v, want %v", v, next)
				}
				next++
			}
		})
	}
}

// TestEveryLineOpensAQuote: a file of unclosed quotes takes seconds, not minutes.
func TestEveryLineOpensAQuote(t *testing.T) {
	var file strings.Builder
	file.WriteString("a,b\n")
	for range 200_000 {
		file.WriteString("1,\"xxxxxxxxxxxxxxxxxxxxxxxx\n")
	}
	values, messages := rowsOf(t, file.String(), Options{})
	if len(values) != 0 || len(messages) != 200_000 {
		t.Errorf("%d values, %d messages", len(values), len(messages))
	}
}

// TestNotUTF8: bytes that are not UTF-8 are refused with line and column; two texts never become
// one.
func TestNotUTF8(t *testing.T) {
	values, messages := rowsOf(t, "a,b\n1,M\xfcller\n2,Möller\n3,M\xf6ller\n4,\x00\n", Options{})
	want := []string{
		`f.csv:2: row 1, column "b": byte 2 (0xFC) is not UTF-8: --encoding sets the file's encoding, such as latin1`,
		`f.csv:4: row 3, column "b": byte 2 (0xF6) is not UTF-8: --encoding sets the file's encoding, such as latin1`,
		`f.csv:5: row 4, column "b": byte 1 is NUL: the file is not text, or it is UTF-16 (--encoding utf-16le)`,
	}
	if !slices.Equal(values, []float64{2}) || !slices.Equal(messages, want) {
		t.Errorf("%v\n%s", values, strings.Join(messages, "\n"))
	}
	if _, err := Open(strings.NewReader("a,gr\xf6\xdfe\n"), []Mapping{mapping(t, "metric==m", "value=a")}, Options{}); err == nil || !strings.Contains(err.Error(), "input:1: header: byte 5 (0xF6) is not UTF-8") {
		t.Errorf("header: %v", err)
	}
}

// TestWaysToWriteRows: other separators of columns, other marks in numbers, other line ends.
func TestWaysToWriteRows(t *testing.T) {
	for _, c := range []struct {
		file string
		o    Options
		want string
	}{
		{"a;b\n12,5;DE\n1.013,25;FR\n-,5;x\n1.234.567;y\n1,5e3;z\n", Options{Comma: ';', Decimal: ','}, "[12.5 1013.25 -0.5 1.234567e+06 1500] []"},
		{"a;b\n1.5;x\n1.01.3,2;x\n;x\nNaN;x\n,;x\n1,2,3;x\n", Options{Comma: ';', Decimal: ','}, `[] [f.csv:2: row 1, column "a": value "1.5" is not a number with a decimal comma, such as 1.013,25`},
		{"a;b\n12,5;DE\n", Options{Comma: ';'}, `[] [f.csv:2: row 1, column "a": value "12,5" is not a number; --decimal , reads 12,5`},
		{"a\tb\r\n1\tx, y\r\n\r\n2\t\"z\tz\"\r\n", Options{Comma: '\t'}, "[1 2] []"},
		{"a·b\n1·x\n2·\"y·\"\n", Options{Comma: '·'}, "[1 2] []"},
		{"a,b\r1,x\r2,\"y\rz\"\r", Options{}, "[1 2] []"},
		{"\ufeffa,b\n1,x", Options{}, "[1] []"},
	} {
		values, messages := rowsOf(t, c.file, c.o)
		if got := fmt.Sprint(values, " ", messages); !strings.HasPrefix(got, c.want) {
			t.Errorf("%q: got %s, want %s", c.file, got, c.want)
		}
	}
	if values, messages := rowsOf(t, "a;b\n1.5;x\n1.01.3,2;x\n;x\nNaN;x\n,;x\n1,2,3;x\n", Options{Comma: ';', Decimal: ','}); len(values) > 0 || len(messages) != 6 {
		t.Errorf("no numbers: %v %q", values, messages)
	}
}

// ids returns the ids of a file's events, in two rounds.
func ids(t *testing.T, file string, maps ...Mapping) (all []string) {
	t.Helper()
	rows, err := Open(strings.NewReader(file), maps, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for {
			events, err := rows.Next()
			if err != nil {
				break
			}
			for _, e := range events {
				all = append(all, e.ID)
			}
		}
		if err := rows.Again(strings.NewReader(file)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestInventedIDs: the event of the same row after the same beginning of a file gets the same id,
// and every other event gets another one.
func TestInventedIDs(t *testing.T) {
	value := mapping(t, "metric==m", "value=v", "time=t")
	const file = "t,v,w\n1000,1,5\n1000,1,5\n2000,3,5\n"
	want := ids(t, file, value)
	for i, id := range want {
		if id[0] != '~' || slices.Contains(want[:i], id) {
			t.Errorf("ids %v: each must begin with ~, and none may repeat", want)
		}
		if i >= 3 && id != want[i-3]+"#2" {
			t.Errorf("%s in the second round, %s in the first", id, want[i-3])
		}
	}
	for _, same := range []string{file + "4000,4,5\n", strings.ReplaceAll(file, "\n", "\r\n"), strings.TrimSuffix(file, "\n"), "\ufeff" + file} {
		if got := ids(t, same, value); !slices.Equal(got[:3], want[:3]) {
			t.Errorf("%q: ids %v, want %v", same, got, want)
		}
	}
	if got := ids(t, file, mapping(t, "id=@row", "time=t", "value=v", "metric==m")); !slices.Equal(got, want) {
		t.Errorf("id=@row: ids %v, want %v", got, want)
	}
	for _, other := range []Mapping{mapping(t, "metric==m", "value=w", "time=t"), mapping(t, "metric==n", "value=v", "time=t"), mapping(t, "metric==m", "value=v"), mapping(t, "metric==m", "value=v", "time=t", "labels.l=w")} {
		if got := ids(t, file, other); slices.Contains(want, got[0]) || slices.Contains(want, got[2]) {
			t.Errorf("%+v makes other events, with ids %v of %v", other, got, want)
		}
	}
	if got := ids(t, "t,v,w\n999,1,5\n1000,1,5\n", value); slices.Contains(want, got[1]) {
		t.Error("an id does not depend on the lines before")
	}
	if got := ids(t, file, value, value); got[0] != want[0] || got[1] != want[0]+"/2" {
		t.Errorf("a mapping given twice: ids %v", got)
	}
}
