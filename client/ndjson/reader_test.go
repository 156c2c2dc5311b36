package ndjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/dashfeed/dashfeed/client/lines"
)

// read returns every value of a file as LINE:TEXT, and every bad one as LINE!REASON: MESSAGE.
func read(file io.Reader) string {
	r := New(lines.New(file))
	var got []string
	for {
		v, err := r.Next()
		var bad *BadValue
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(got, "\n")
		case errors.As(err, &bad):
			got = append(got, fmt.Sprintf("%d!%s: %v", bad.Line, bad.Reason, err))
		case err != nil:
			return strings.Join(append(got, "error: "+err.Error()), "\n")
		default:
			got = append(got, fmt.Sprintf("%d:%s", v.Line, strings.NewReplacer("\n", "/", "\r", "").Replace(string(v.Text))))
		}
	}
}

func TestReader(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{"a line a value", "{\"a\":1}\n\n  {\"a\":\"}\\\"{\"}\r\n{}", "1:{\"a\":1}\n3:{\"a\":\"}\\\"{\"}\n4:{}"},
		{"old Macs", "{\"a\":1}\r{\"a\":2}\r", "1:{\"a\":1}\n2:{\"a\":2}"},
		{"several on a line", `{"a":1}{"a":2} {"a":3}`, "1:{\"a\":1}\n1:{\"a\":2}\n1:{\"a\":3}"},
		{"laid out", "{\n  \"a\": {\n    \"b\": [1, 2]\n  }\n}\n{\n  \"a\": 2\n}", "1:{/  \"a\": {/    \"b\": [1, 2]/  }/}\n6:{/  \"a\": 2/}"},
		{"an array of lines", "[{\"a\":1},\n{\"a\":2}]", "1:{\"a\":1}\n2:{\"a\":2}"},
		{"an array on one line", `[{"a":[1,{}]}, {"a":2},{}]`, "1:{\"a\":[1,{}]}\n1:{\"a\":2}\n1:{}"},
		{"an array laid out", "[\n  {\n    \"a\": 1\n  },\n  {\n    \"a\": 2\n  }\n]\n", "2:{/    \"a\": 1/  }\n5:{/    \"a\": 2/  }"},
		{"arrays and objects", "[]\n[{\"a\":1}] [ ] {\"a\":2}\n[{\"a\":3}]", "2:{\"a\":1}\n2:{\"a\":2}\n3:{\"a\":3}"},
		{"elements that are no objects", `[1, "x]", null, [2], {}]`, "1:1\n1:\"x]\"\n1:null\n1:[2]\n1:{}"},
		{"empty", " \n", ""},

		{"a broken line costs itself", "{\"a\":1}\n{\"a\":2\n{\"a\":3}\n", "1:{\"a\":1}\n2:{\"a\":2\n3:{\"a\":3}"},
		{"broken behind a colon", "{\"a\":\n{\"a\":3}\n{\"a\":4}", "1:{\"a\":\n2:{\"a\":3}\n3:{\"a\":4}"},
		{"broken in a string", "{\"a\":\"x\n{\"a\":3}\n", "1:{\"a\":\"x\n2:{\"a\":3}"},
		{"broken at the end", "{\"a\":1}\n{\"a\":2,\n\"b\":", "1:{\"a\":1}\n2:{\"a\":2,\n3:\"b\":"},
		{"no JSON", "not json\n7\n{\"a\":1} x\n{\"a\":2},\n{\"a\":3}", "1:not json\n2:7\n3:{\"a\":1} x\n4:{\"a\":2},\n5:{\"a\":3}"},
		{
			"a broken one of those laid out", "{\n  \"a\": {\n    \"b\" 1\n  }\n}\n{\n  \"a\": 2\n}",
			"3!malformed: unexpected '1' in the value that begins in line 1\n6:{/  \"a\": 2/}",
		},
		{"one cut off", "{\n  \"a\": 1\n{\n  \"a\": 2\n}", "3!malformed: unexpected '{' in the value that begins in line 1\n3:{/  \"a\": 2/}"},
		{"the last cut off", "{\n  \"a\": 1\n", "2!malformed: unexpected end in the value that begins in line 1"},
		{
			"a broken element laid out", "[\n  {\n    \"a\": 1,\n  },\n  {\n    \"a\": 2\n  }\n]\n{\"a\":3}",
			"4!malformed: unexpected '}' in the value that begins in line 2\n5:{/    \"a\": 2/  }\n9:{\"a\":3}",
		},
		{"a broken element of lines", "[{\"a\":1},\n{\"a\":2,},\n{\"a\":3}]", "1:{\"a\":1}\n2!malformed: unexpected '}'\n3:{\"a\":3}"},
		{"the last element broken", "[\n{\"a\":1},\n{\"a\" 2}\n]\n{\"a\":3}", "2:{\"a\":1}\n3!malformed: unexpected '2'\n5:{\"a\":3}"},
		{
			"broken on one line", `[{"a":1},{"a" 2},{"a":3}]`,
			"1:{\"a\":1}\n1!malformed: unexpected '2'\nerror: line 1: the values that follow in the array that begins here can't be separated",
		},
		{"no end", "[{\"a\":1},\n", "1:{\"a\":1}\nerror: line 1: the array that begins here has no end"},
		{"no end within", "[{\"a\":1},\n{\"a\"", "1:{\"a\":1}\nerror: line 1: the array that begins here has no end"},
		{"commas", "[{\"a\":1} {\"a\":2},,{\"a\":3},]", "1:{\"a\":1}\n1!malformed: unexpected '{': a comma is missing before it\n1:{\"a\":2}\n1!malformed: unexpected ',': an element is missing\n1:{\"a\":3}\n1!malformed: unexpected ']' after a comma"},
		{"too deep", strings.Repeat("[", 3) + strings.Repeat(`{"a":`, 2000) + "\n{\"a\":1}", "1!malformed: unexpected '{'\n2:{\"a\":1}\nerror: line 1: the array that begins here has no end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, file := range []io.Reader{strings.NewReader(c.file), iotest.OneByteReader(strings.NewReader(c.file))} {
				if got := read(file); got != c.want {
					t.Errorf("got\n%s\nwant\n%s", got, c.want)
				}
			}
		})
	}
}

// TestTooLong: a value over the bound costs itself only, in any layout, and little memory.
func TestTooLong(t *testing.T) {
	long := strings.Repeat("x", lines.MaxBytes)
	const refused = "!too_large: a line has at most 2097152 bytes"
	for _, c := range []struct{ name, file, want string }{
		{"a line", "{\"a\":1}\n{\"a\":\"" + long + "\"}\n{\"a\":2}", "1:{\"a\":1}\n2" + refused + "\n3:{\"a\":2}"},
		{"a line cut off", "{\"a\":\"" + long + "\n{\"a\":2}", "1" + refused + "\n2:{\"a\":2}"},
		{"no JSON", long + long + "\n{\"a\":2}", "1" + refused + "\n2:{\"a\":2}"},
		{"laid out", "{\n\"a\":\"" + long + "\"\n}\n{\"a\":2}", "1" + refused + "\n4:{\"a\":2}"},
		{"an element", "[{\"a\":\"" + long + "\"},{\"a\":2},\n{\"a\":3}]", "1" + refused + "\n1:{\"a\":2}\n2:{\"a\":3}"},
	} {
		if got := read(strings.NewReader(c.file)); got != c.want {
			t.Errorf("%s: got %.300s", c.name, got)
		}
	}
	parts := []io.Reader{strings.NewReader("[\"")}
	for range 128 {
		parts = append(parts, strings.NewReader(long))
	}
	r := New(lines.New(io.MultiReader(append(parts, strings.NewReader("\",{}]"))...)))
	if _, err := r.Next(); err == nil || cap(r.text) > 3*lines.MaxBytes {
		t.Errorf("%v; %d bytes are held", err, cap(r.text))
	}
	if v, err := r.Next(); err != nil || string(v.Text) != "{}" {
		t.Errorf("got %s, %v", v.Text, err)
	}
}

// TestSums: the same values have the same sums in any layout, and other values have others.
func TestSums(t *testing.T) {
	sums := func(file string) (all []string) {
		r := New(lines.New(strings.NewReader(file)))
		for {
			v, err := r.Next()
			if err != nil {
				return all
			}
			all = append(all, fmt.Sprintf("%x%x", v.Sum.Hi, v.Sum.Lo))
		}
	}
	want := sums("{\"a\":1}\n{\"a\":1}\n{\"a\":3}\n")
	for _, same := range []string{"[{\"a\":1},{\"a\":1},{\"a\":3}]", "{\"a\":1}\r\n\r\n{\"a\":1}\r\n{\"a\":3}", "{\"a\":1}\n{\"a\":1}\n{\"a\":3}\n{\"a\":4}"} {
		if got := sums(same); fmt.Sprint(got[:3]) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", same, got, want)
		}
	}
	if want[0] == want[1] {
		t.Error("two lines that are alike have one sum")
	}
	if other := sums("{\"a\":2}\n{\"a\":1}\n{\"a\":3}\n"); other[1] == want[1] || other[2] == want[2] {
		t.Error("a sum does not depend on what comes before")
	}
}

// FuzzReader compares arrays and single values with encoding/json, and looks for panics and loops.
func FuzzReader(f *testing.F) {
	for _, s := range []string{`[{"a":1},{"b":[true,null,-1e5]}]`, "{\n\"a\":\"\\\"\"}", "[", "{\"a\":1}\n{\"a\":\n{}", "[\n {\n},\n {,\n },\n {\n }]", "\r\r[{}\r]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		got := read(strings.NewReader(file))
		if other := read(iotest.OneByteReader(strings.NewReader(file))); strings.Count(got, "!") == 0 && other != got {
			t.Fatalf("%q by the byte: %q, else %q", file, other, got)
		}
		var want []json.RawMessage
		if strings.ContainsAny(file, "\r") || json.Unmarshal([]byte(file), &want) != nil || want == nil {
			return
		}
		r := New(lines.New(strings.NewReader(file)))
		for i, w := range want {
			v, err := r.Next()
			if err != nil || string(v.Text) != string(w) {
				t.Fatalf("%q: element %d: got %q, %v, want %q", file, i, v.Text, err, w)
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("%q: got %v after the last element", file, err)
		}
	})
}
