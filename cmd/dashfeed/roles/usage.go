package roles

import (
	"errors"
	"fmt"
)

// UsageError is an error of the command line or the configuration.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }

func (e *UsageError) Unwrap() error { return e.Err }

func usage(format string, args ...any) error {
	return &UsageError{fmt.Errorf(format, args...)}
}

// usageOf is err as an error of usage; nil where there is none.
func usageOf(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}

// refusals is one error of usage of all that is wrong; nil where none of errs is one.
func refusals(errs []error) error { return usageOf(errors.Join(errs...)) }
