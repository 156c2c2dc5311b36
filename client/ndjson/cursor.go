package ndjson

import "github.com/dashfeed/dashfeed/client/lines"

// maxIndent bounds how much of a line's indentation is compared.
const maxIndent = 256

// cursor reads a file byte by byte. It reports \n at the end of a line, whatever the file has.
type cursor struct {
	lines *lines.Reader
	piece []byte // the rest of the piece read last
	ends  bool   // the line ends after piece
	line  int    // of piece, from 1

	fresh  bool   // the line has had nothing but space so far
	indent []byte // that space
}

var lineBreak = []byte{'\n'}

// chunk returns the unread rest of what was read of the current line, or the line break at its end;
// it is never empty without an error.
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

// takeAll consumes n bytes of what chunk returned.
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

// peek returns the next byte.
func (c *cursor) peek() (byte, error) {
	chunk, err := c.chunk()
	if err != nil {
		return 0, err
	}
	return chunk[0], nil
}

// take consumes the byte that peek returned.
func (c *cursor) take() { c.takeAll(1) }

// space skips space and returns the first byte after it.
func (c *cursor) space() (byte, error) {
	for {
		b, err := c.peek()
		if err != nil || b != ' ' && b != '\t' && b != '\r' && b != '\n' {
			return b, err
		}
		c.take()
	}
}

// giveBack puts text, and then the unread rest, before what is still to be read; line is the first
// line of text.
func (c *cursor) giveBack(text []byte, line int) {
	rest := append(append([]byte{}, text...), c.piece...)
	if c.ends {
		rest = append(rest, '\n')
	}
	c.lines.Unread(rest, line)
	c.piece, c.ends, c.fresh, c.indent = nil, false, true, c.indent[:0]
}
