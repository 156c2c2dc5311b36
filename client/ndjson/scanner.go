package ndjson

// maxDepth bounds the scanner's stack; an event is far less deep.
const maxDepth = 1000

// scanner follows the structure of one JSON value, byte by byte. It is strict about brackets,
// commas, colons and strings, and accepts anything that looks like a number or a word.
type scanner struct {
	stack []byte // { and [
	state state
}

type state uint8

const (
	wantValue      state = iota
	wantFirst            // a value, or the end of an array
	wantKey              //
	wantFirstKey         // a key, or the end of an object
	wantColon            //
	inKey                //
	inKeyEscape          //
	inString             //
	inStringEscape       //
	inWord               // a number, true, false or null
	wantNext             // a comma, or the end of the enclosing value
)

type verdict uint8

const (
	more    verdict = iota
	whole           // the value ends with this byte
	before          // the value ended before this byte
	invalid         // the bytes are not JSON
)

func (s *scanner) begin() { s.stack, s.state = s.stack[:0], wantValue }

// run consumes bytes while the value goes on; n is how many it consumed.
func (s *scanner) run(b []byte) (n int, v verdict) {
	for i, c := range b {
		if s.state == inString && c != '"' && c != '\\' && c >= ' ' {
			continue
		}
		switch v := s.step(c); v {
		case whole:
			return i + 1, v
		case before, invalid:
			return i, v
		}
	}
	return len(b), more
}

// step consumes one byte.
func (s *scanner) step(c byte) verdict {
	switch s.state {
	case inString:
		return s.text(c, inStringEscape, wantNext)
	case inKey:
		return s.text(c, inKeyEscape, wantColon)
	case inStringEscape:
		s.state = inString
		return more
	case inKeyEscape:
		s.state = inKey
		return more
	case inWord:
		if wordly(c) {
			return more
		}
		if len(s.stack) == 0 {
			return before
		}
		s.state = wantNext
	}
	if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
		return more
	}
	return s.mark(c)
}

// text consumes a byte of a string.
func (s *scanner) text(c byte, escape, after state) verdict {
	switch {
	case c == '\\':
		s.state = escape
	case c == '"' && after == wantNext:
		return s.ended()
	case c == '"':
		s.state = after
	case c < ' ':
		return invalid
	}
	return more
}

// mark consumes a byte outside of strings and words that is not space.
func (s *scanner) mark(c byte) verdict {
	switch s.state {
	case wantFirst:
		if c == ']' {
			return s.close('[')
		}
		return s.value(c)
	case wantValue:
		return s.value(c)
	case wantFirstKey:
		if c == '}' {
			return s.close('{')
		}
		return s.become(c == '"', inKey)
	case wantKey:
		return s.become(c == '"', inKey)
	case wantColon:
		return s.become(c == ':', wantValue)
	}
	switch {
	case c == ']':
		return s.close('[')
	case c == '}':
		return s.close('{')
	case s.stack[len(s.stack)-1] == '{':
		return s.become(c == ',', wantKey)
	}
	return s.become(c == ',', wantValue)
}

func (s *scanner) become(ok bool, next state) verdict {
	if !ok {
		return invalid
	}
	s.state = next
	return more
}

// value consumes the first byte of a value.
func (s *scanner) value(c byte) verdict {
	switch {
	case len(s.stack) == maxDepth:
		return invalid
	case c == '{':
		s.stack, s.state = append(s.stack, c), wantFirstKey
	case c == '[':
		s.stack, s.state = append(s.stack, c), wantFirst
	case c == '"':
		s.state = inString
	default:
		return s.become(wordly(c), inWord)
	}
	return more
}

func (s *scanner) close(open byte) verdict {
	if s.stack[len(s.stack)-1] != open {
		return invalid
	}
	s.stack = s.stack[:len(s.stack)-1]
	return s.ended()
}

// ended sets the state after a value.
func (s *scanner) ended() verdict {
	if s.state = wantNext; len(s.stack) == 0 {
		return whole
	}
	return more
}

func wordly(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '+' || c == '.'
}
