package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// yesFlag is the flag of every command that deletes something.
type yesFlag struct {
	Yes bool `help:"Do it without asking."`
}

// confirm asks before something is deleted; what is a sentence without its full stop. If it can't
// ask anybody, it refuses, unless --yes was given.
func (f yesFlag) confirm(p *program, what string) error {
	if f.Yes {
		return nil
	}
	if in, ok := p.stdin.(*os.File); !ok || !term.IsTerminal(int(in.Fd())) {
		return usage("%s; give --yes to do it", what)
	}
	fmt.Fprintf(p.stderr, "%s. Go on? [y/N] ", visible(what))
	answer, _ := bufio.NewReader(p.stdin).ReadString('\n') // end of input means no
	if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
		return usage("nothing was changed")
	}
	return nil
}
