package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

const (
	progressPause = 500 * time.Millisecond // between two looks
	progressEvery = 3 * time.Second        // between two lines if there is no terminal
)

// progress shows how far a command is: a line that is overwritten in a terminal, otherwise a line
// every few seconds.
type progress struct {
	out   io.Writer
	over  bool
	told  time.Time
	wrote bool
}

func progressOf(p *program) *progress {
	f, ok := p.stderr.(*os.File)
	return &progress{out: p.stderr, over: ok && term.IsTerminal(int(f.Fd()))}
}

func (o *progress) say(line string) {
	switch {
	case o.over:
		fmt.Fprintf(o.out, "\r\x1b[K%s", visible(line))
		o.wrote = true
	case time.Since(o.told) >= progressEvery:
		o.told = time.Now()
		fmt.Fprintln(o.out, visible(line))
	}
}

// end ends the line, so that the next output begins on its own line.
func (o *progress) end() {
	if o.wrote {
		fmt.Fprint(o.out, "\r\x1b[K")
	}
}
