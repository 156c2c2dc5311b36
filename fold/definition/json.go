package definition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/dashfeed/dashfeed/messages/event"
)

// maxJSONDepth is far beyond the nesting of any definition.
const maxJSONDepth = 16

// jsonReader reads JSON into the tree that the YAML parser would return, with places.
type jsonReader struct {
	src          []byte
	tokens       *json.Decoder
	at           int // line and column are counted up to here
	line, column int
}

// textError says that JSON text is not Unicode. encoding/json would replace the wrong bytes, and a
// filter would then compare another label.
type textError struct {
	at  int
	err error
}

func (e *textError) Error() string { return e.err.Error() }

func (e *textError) problem(src []byte) Problem {
	before := src[:e.at]
	return Problem{
		Line: 1 + bytes.Count(before, []byte{'\n'}), Column: 1 + utf8.RuneCount(before[1+bytes.LastIndexByte(before, '\n'):]),
		Message: e.err.Error(),
	}
}

// jsonNode reads one JSON value.
func jsonNode(src []byte) (*yaml.Node, error) {
	if at, err := event.CheckText(src); err != nil {
		return nil, &textError{at, err}
	}
	r := &jsonReader{src: src, tokens: json.NewDecoder(bytes.NewReader(src)), line: 1, column: 1}
	r.tokens.UseNumber()
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := r.tokens.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return n, nil
}

func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("line %d: nested deeper than %d", r.line, maxJSONDepth)
	}
	n := &yaml.Node{}
	n.Line, n.Column = r.place()
	t, err := r.tokens.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Delim:
		n.Kind, n.Tag = yaml.MappingNode, "!!map"
		if t == '[' {
			n.Kind, n.Tag = yaml.SequenceNode, "!!seq"
		}
		for r.tokens.More() {
			c, err := r.value(depth + 1) // in an object keys and values alternate
			if err != nil {
				return nil, err
			}
			n.Content = append(n.Content, c)
		}
		_, err := r.tokens.Token()
		return n, err
	case string:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!str", t
	case json.Number:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!int", t.String()
		if strings.ContainsAny(n.Value, ".eE") {
			n.Tag = "!!float"
		}
	case bool:
		n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!bool", fmt.Sprint(t)
	default:
		n.Kind, n.Tag = yaml.ScalarNode, "!!null"
	}
	return n, nil
}

// place returns where the next token begins, line and column from 1.
func (r *jsonReader) place() (line, column int) {
	start := int(r.tokens.InputOffset())
	for start < len(r.src) && strings.IndexByte(" \t\r\n,:", r.src[start]) >= 0 {
		start++
	}
	skipped := r.src[r.at:start]
	if i := bytes.LastIndexByte(skipped, '\n'); i >= 0 {
		r.line += bytes.Count(skipped, []byte{'\n'})
		r.column = 1
		skipped = skipped[i+1:]
	}
	r.column += utf8.RuneCount(skipped)
	r.at = start
	return r.line, r.column
}
