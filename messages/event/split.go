package event

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"
)

// Split cuts a request's body into events: a stream of JSON values, one a line, or laid out over
// several lines, or one behind the other; the elements of an array are values of the stream. It
// yields each, in order, counted from 0, until yield says stop; payloads alias the body. Decode
// judges them; err is set only where that isn't needed, because the payload is over MaxBytes.
//
// What is broken costs as little as can be told: its line, where a line is a value; where its first
// line is but a bracket, all up to the next line that begins a value at the same indentation. Only
// where the body begins with an array a syntax error in that refuses the whole body: Split returns
// a *BodyError, and nothing that was yielded before it counts.
//
// A byte order mark before all is passed over.
func Split(body []byte, yield func(index int, payload []byte, err error) bool) error {
	s := splitter{body: bytes.TrimPrefix(body, byteOrderMark), yield: yield}
	i := skipSpace(s.body, 0)
	if i < len(s.body) && s.body[i] == '[' {
		if i = s.array(i); i < 0 {
			return unreadable(s.body, i)
		}
		if next := skipBlank(s.body, i); !begins(s.body, next) {
			return unreadable(s.body, ^next)
		}
	}
	for i = skipSpace(s.body, i); i < len(s.body) && !s.stopped; i = skipSpace(s.body, i) {
		i = s.value(i)
	}
	return nil
}

// splitter is a body on its way through Split.
type splitter struct {
	body    []byte
	yield   func(index int, payload []byte, err error) bool
	index   int
	stopped bool
}

// valueNesting is how deep values of the stream are looked into for their end: an array of events,
// and one level more than an event may have. So no byte of the body is looked at more often, though
// every line begins a value that has no end.
const valueNesting = MaxNesting + 1

// value yields what begins at i, and gives the index behind it.
func (s *splitter) value(i int) (next int) {
	b := s.body
	if end := lineEnd(b, i); isOne(b, i, end) {
		s.give(bytes.TrimRight(b[i:end], " \t\r"))
		return end
	}
	end := -1
	if b[i] == '{' || b[i] == '[' {
		end = skipValue(b, i, valueNesting)
	}
	switch {
	case end < 0 && isLaidOut(b[i:lineEnd(b, i)]):
		next = resume(b, i)
	case end < 0:
		next = lineEnd(b, i)
	case !begins(b, skipBlank(b, end)): // no value: Decode says why
		next = lineEnd(b, end)
	case b[i] == '[':
		return s.array(i)
	default:
		next = end
	}
	s.give(bytes.TrimRight(b[i:next], " \t\r\n"))
	return next
}

// isOne reports, mostly, that a line from i to end is a value by itself, or nothing better: it
// begins and ends with braces, no other begins in it, and what comes behind it goes on with
// nothing. Without it every event would be scanned twice.
func isOne(b []byte, i, end int) bool {
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

// array yields the elements of the array at i, and gives the index behind it; a negative one is an
// error of the scan.
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
		s.give(b[start:i])
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

func (s *splitter) give(payload []byte) {
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

// begins reports whether what is at i may come behind a value: another one, the end of the line, or
// of the body.
func begins(b []byte, i int) bool {
	return i >= len(b) || b[i] == '\n' || b[i] == '{' || b[i] == '['
}

// isLaidOut reports whether a value is laid out over several lines, as its first one shows.
func isLaidOut(line []byte) bool {
	line = bytes.TrimRight(line, " \t\r")
	return len(line) == 1 && (line[0] == '{' || line[0] == '[')
}

// resume is where the next value begins behind a broken one at i that is laid out: in a line with
// the same indentation.
func resume(b []byte, i int) int {
	start := bytes.LastIndexByte(b[:i], '\n') + 1
	indent := b[start:i]
	if len(bytes.Trim(indent, " \t\r")) > 0 {
		indent = nil // it begins behind another
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

// SplitUntyped is Split or FromMessagePack, for bytes whose type nobody names: MessagePack's maps
// and arrays begin with a byte that no JSON text begins with.
func SplitUntyped(body []byte, limit int, yield func(index int, payload []byte, err error) bool) error {
	if len(body) > 0 && (msgp.NextType(body) == msgp.MapType || msgp.NextType(body) == msgp.ArrayType) {
		return FromMessagePack(body, limit, yield)
	}
	return Split(body, yield)
}

func unreadable(body []byte, code int) error {
	return &BodyError{Message: "the body is not a JSON array: " + syntax(body, code)}
}
