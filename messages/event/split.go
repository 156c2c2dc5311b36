package event

import (
	"bytes"

	"github.com/tinylib/msgp/msgp"
)

// Split cuts a request's body into events by its first byte that is no space: `[` is an array of events, anything else
// one object or NDJSON. It yields each array element or non-empty line, in order, counted from 0, until yield says
// stop; payloads alias the body. Decode judges them; err is set only where that isn't needed, because the payload is
// over MaxBytes.
//
// A syntax error in an array refuses the whole body: Split returns a *BodyError, and nothing that was yielded before it
// counts. In NDJSON it is only its own line's, found by Decode.
//
// A byte order mark before all is passed over.
func Split(body []byte, yield func(index int, payload []byte, err error) bool) error {
	body = bytes.TrimPrefix(body, byteOrderMark)
	i := skipSpace(body, 0)
	if i == len(body) {
		return nil
	}
	if body[i] == '[' {
		return splitArray(body, i, yield)
	}
	if body[i] == '{' {
		// One object may be laid out over several lines.
		if end := skipValue(body, i, maxBodyNesting); end > 0 && skipSpace(body, end) == len(body) {
			give(0, body[i:end], yield)
			return nil
		}
	}
	splitLines(body, yield)
	return nil
}

var byteOrderMark = []byte("\ufeff")

// SplitUntyped is Split or FromMessagePack, for bytes whose type nobody names: MessagePack's maps and arrays begin with a byte that
// no JSON text begins with.
func SplitUntyped(body []byte, limit int, yield func(index int, payload []byte, err error) bool) error {
	if len(body) > 0 && (msgp.NextType(body) == msgp.MapType || msgp.NextType(body) == msgp.ArrayType) {
		return FromMessagePack(body, limit, yield)
	}
	return Split(body, yield)
}

func splitArray(body []byte, i int, yield func(int, []byte, error) bool) error {
	i = skipSpace(body, i+1)
	if i < len(body) && body[i] == ']' {
		return atEnd(body, i+1)
	}
	for index := 0; ; index++ {
		start := i
		if i = skipValue(body, i, maxBodyNesting); i < 0 {
			return unreadable(body, i)
		}
		if !give(index, body[start:i], yield) {
			return nil
		}
		i = skipSpace(body, i)
		switch {
		case i >= len(body) || body[i] != ',' && body[i] != ']':
			return unreadable(body, ^i)
		case body[i] == ']':
			return atEnd(body, i+1)
		}
		i = skipSpace(body, i+1)
	}
}

func atEnd(body []byte, i int) error {
	if i = skipSpace(body, i); i < len(body) {
		return unreadable(body, ^i)
	}
	return nil
}

func unreadable(body []byte, code int) error {
	return &BodyError{Message: "the body is not a JSON array: " + syntax(body, code)}
}

func splitLines(body []byte, yield func(int, []byte, error) bool) {
	for index := 0; len(body) > 0; {
		line, rest, _ := bytes.Cut(body, []byte{'\n'})
		body = rest
		line = bytes.Trim(line, " \t\r")
		if len(line) == 0 {
			continue
		}
		if !give(index, line, yield) {
			return
		}
		index++
	}
}

func give(index int, payload []byte, yield func(int, []byte, error) bool) bool {
	if len(payload) > MaxBytes {
		return yield(index, nil, refusedBytes)
	}
	return yield(index, payload, nil)
}
