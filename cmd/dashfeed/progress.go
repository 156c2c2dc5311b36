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
	progressEvery = 3 * time.Second        // between two lines where there is no terminal
)

// progress tells how far a command is: one line that is written over in a terminal, else a line now
// and then.
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

// end leaves the line free for what comes next.
func (o *progress) end() {
	if o.wrote {
		fmt.Fprint(o.out, "\r\x1b[K")
	}
}
