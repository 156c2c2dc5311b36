package event

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"
)

// Split cuts a request's body into events. The body is a stream of JSON values: one a line, one
// over several lines, or one behind another; the elements of an array are values of the stream.
// Split yields each value in order, counted from 0, until yield returns false; payloads alias the
// body. Decode judges the payloads. err is set only if the payload is over MaxBytes, so that it
// needs no decoding.
//
// A broken value costs as little as can be told: its line, if a value fits on a line; if its first
// line is only a bracket, everything up to the next line that begins a value at the same
// indentation. Only if the body begins with an array does a syntax error in it refuse the whole
// body: Split returns a *BodyError, and nothing yielded before it counts.
//
// Split skips a byte order mark at the beginning.
func Split(body []byte, yield func(index int, payload []byte, err error) bool) error {
	s := splitter{body: bytes.TrimPrefix(body, byteOrderMark), yield: yield}
	i := skipSpace(s.body, 0)
	if i < len(s.body) && s.body[i] == '[' {
		if i = s.array(i); i < 0 {
			return unreadable(s.body, i)
		}
		if next := skipBlank(s.body, i); !mayFollow(s.body, next) {
			return unreadable(s.body, ^next)
		}
	}
	for i = skipSpace(s.body, i); i < len(s.body) && !s.stopped; i = skipSpace(s.body, i) {
		i = s.value(i)
	}
	return nil
}

// splitter is the state of Split.
type splitter struct {
	body    []byte
	yield   func(index int, payload []byte, err error) bool
	index   int
	stopped bool
}

// valueNesting is how deep Split looks into a value for its end: an array of events, and one level
// more than an event may have. The limit keeps it from reading the same bytes again and again when
// every line begins a value that never ends.
const valueNesting = MaxNesting + 1

// value yields the value that begins at i and returns the index behind it.
func (s *splitter) value(i int) (next int) {
	b := s.body
	if end := lineEnd(b, i); isWholeLine(b, i, end) {
		s.yieldPayload(bytes.TrimRight(b[i:end], " \t\r"))
		return end
	}
	end := -1
	if b[i] == '{' || b[i] == '[' {
		end = skipValue(b, i, valueNesting)
	}
	switch {
	case end < 0 && isMultiLine(b[i:lineEnd(b, i)]):
		next = resume(b, i)
	case end < 0:
		next = lineEnd(b, i)
	case !mayFollow(b, skipBlank(b, end)): // not a value: Decode says why
		next = lineEnd(b, end)
	case b[i] == '[':
		return s.array(i)
	default:
		next = end
	}
	s.yieldPayload(bytes.TrimRight(b[i:next], " \t\r\n"))
	return next
}

// isWholeLine reports, with a cheap test, that the line from i to end holds exactly one value or
// something broken: it begins and ends with braces, no other value begins in it, and the next line
// does not continue it. Without this test every event would be scanned twice.
func isWholeLine(b []byte, i, end int) bool {
	line := bytes.TrimRight(b[i:end], " \t\r")
	if line[0] != '{' || line[len(line)-1] != '}' {
		return false
	}
	if next := skipSpace(b, end); next < len(b) && b[next] != '{' {
		return false
	}
	for at := 0; ; {
		n := bytes.IndexByte(line[at:], '}')
		if at += n + 1; n < 0 || at == len(line) {
			return true
		}
		if next := skipBlank(line, at); line[next] == '{' || line[next] == '[' {
			return false
		}
	}
}

// array yields the elements of the array at i and returns the index behind it. A negative index is
// an error of the scan.
func (s *splitter) array(i int) int {
	b := s.body
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		start := i
		if i = skipValue(b, i, maxBodyNesting); i < 0 {
			return i
		}
		s.yieldPayload(b[start:i])
		i = skipSpace(b, i)
		switch {
		case s.stopped:
			return len(b)
		case i >= len(b) || b[i] != ',' && b[i] != ']':
			return ^i
		case b[i] == ']':
			return i + 1
		}
		i = skipSpace(b, i+1)
	}
}

func (s *splitter) yieldPayload(payload []byte) {
	if s.stopped {
		return
	}
	var err error
	if len(payload) > MaxBytes {
		payload, err = nil, refusedBytes
	}
	s.stopped = !s.yield(s.index, payload, err)
	s.index++
}

// mayFollow reports whether what is at i may follow a value: another value, the end of the line, or
// the end of the body.
func mayFollow(b []byte, i int) bool {
	return i >= len(b) || b[i] == '\n' || b[i] == '{' || b[i] == '['
}

// isMultiLine reports, from its first line, whether a value is laid out over several lines.
func isMultiLine(line []byte) bool {
	line = bytes.TrimRight(line, " \t\r")
	return len(line) == 1 && (line[0] == '{' || line[0] == '[')
}

// resume returns where the next value begins after a broken multi-line value at i: in a line with
// the same indentation.
func resume(b []byte, i int) int {
	start := bytes.LastIndexByte(b[:i], '\n') + 1
	indent := b[start:i]
	if len(bytes.Trim(indent, " \t\r")) > 0 {
		indent = nil // the value begins behind another one
	}
	for i = lineEnd(b, i); i < len(b); i = lineEnd(b, i) {
		i++
		if rest, ok := bytes.CutPrefix(b[i:], indent); ok && len(rest) > 0 && (rest[0] == '{' || rest[0] == '[') {
			return i + len(indent)
		}
	}
	return len(b)
}

func lineEnd(b []byte, i int) int {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return i + n
	}
	return len(b)
}

func skipBlank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

var byteOrderMark = []byte("\ufeff")

// SplitUntyped is Split or FromMessagePack, for bytes of unknown type: MessagePack's maps and
// arrays begin with a byte that begins no JSON text.
func SplitUntyped(body []byte, limit int, yield func(index int, payload []byte, err error) bool) error {
	if len(body) > 0 && (msgp.NextType(body) == msgp.MapType || msgp.NextType(body) == msgp.ArrayType) {
		return FromMessagePack(body, limit, yield)
	}
	return Split(body, yield)
}

func unreadable(body []byte, code int) error {
	return &BodyError{Message: "the body is not a JSON array: " + syntax(body, code)}
}
