package ndjson

import "github.com/dashfeed/dashfeed/client/lines"

// maxIndent is how much of a line's indentation is told apart.
const maxIndent = 256

// cursor goes through a file byte by byte. Lines end with \n, however the file writes it.
type cursor struct {
	lines *lines.Reader
	piece []byte // the rest of what was read
	ends  bool   // behind piece the line ends
	line  int    // of piece, from 1

	fresh  bool   // nothing but space has come in this line
	indent []byte // that space
}

var lineBreak = []byte{'\n'}

// chunk is what has been read of the current line, or at its end the line break; never nothing,
// unless there is an error.
func (c *cursor) chunk() ([]byte, error) {
	for len(c.piece) == 0 {
		if c.ends {
			return lineBreak, nil
		}
		line := c.lines.Number()
		piece, ends, err := c.lines.Piece()
		if err != nil {
			return nil, err
		}
		c.piece, c.ends, c.line = piece, ends, line
	}
	return c.piece, nil
}

// takeAll goes past n bytes of what chunk gave.
func (c *cursor) takeAll(n int) {
	if n > 0 && len(c.piece) == 0 {
		c.ends, c.fresh, c.indent = false, true, c.indent[:0]
		return
	}
	for _, b := range c.piece[:n] {
		if !c.fresh {
			break
		}
		switch {
		case b != ' ' && b != '\t' && b != '\r':
			c.fresh = false
		case len(c.indent) < maxIndent:
			c.indent = append(c.indent, b)
		}
	}
	c.piece = c.piece[n:]
}

// peek is the next byte.
func (c *cursor) peek() (byte, error) {
	chunk, err := c.chunk()
	if err != nil {
		return 0, err
	}
	return chunk[0], nil
}

// take goes past the byte that peek gave.
func (c *cursor) take() { c.takeAll(1) }

// space goes past space and gives the first byte that is none.
func (c *cursor) space() (byte, error) {
	for {
		b, err := c.peek()
		if err != nil || b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b, err
		}
		c.take()
	}
}

// giveBack puts text, and then what has not been taken, before what is still to be read; line is
// the text's first.
func (c *cursor) giveBack(text []byte, line int) {
	rest := append(append([]byte{}, text...), c.piece...)
	if c.ends {
		rest = append(rest, '\n')
	}
	c.lines.Unread(rest, line)
	c.piece, c.ends, c.fresh, c.indent = nil, false, true, c.indent[:0]
}
