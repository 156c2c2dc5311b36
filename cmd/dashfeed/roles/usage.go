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

// usageOf wraps err in a UsageError; nil if err is nil.
func usageOf(err error) error {
	if err == nil {
		return nil
	}
	return &UsageError{err}
}

// refusals joins errs into one UsageError; nil if all of errs are nil.
func refusals(errs []error) error { return usageOf(errors.Join(errs...)) }
