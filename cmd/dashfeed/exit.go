package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/roles"
)

// The exit codes, which docs/OPERATIONS.md documents.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnreachable = 3
	exitRefused     = 4
	exitInterrupted = 130
)

// exitError is an error with an exit code.
type exitError struct {
	code int
	err  error // nil: nothing more to print
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usage returns an error of the command line or the configuration.
func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// exit prints err, if any, and returns its exit code.
func (p *program) exit(err error) int {
	if err == nil {
		return exitDone
	}
	var known *exitError
	var wrong *roles.UsageError
	var unreachable *client.UnreachableError
	code := exitFailed
	switch {
	case errors.As(err, &known):
		code = known.code
		if known.err == nil {
			return code
		}
	case errors.As(err, &wrong):
		code = exitUsage
	case errors.Is(err, context.Canceled) && p.Err() != nil:
		return exitInterrupted
	case errors.As(err, &unreachable):
		code = exitUnreachable
	}
	p.talk("dashfeed: %v", err)
	return code
}
