package token

import (
	"errors"
	"fmt"
)

// Reason is a word for why a token was refused. The metrics count by it.
type Reason string

// The reasons.
const (
	Malformed   Reason = "malformed"     // it is no token, or a claim has a wrong shape
	TooBig      Reason = "too_big"       // it has more than MaxBytes bytes
	Issuer      Reason = "issuer"        // nobody configured this issuer
	UnknownKey  Reason = "unknown_key"   // the issuer has no such key
	Algorithm   Reason = "algorithm"     // the issuer's key does not sign with this algorithm
	Signature   Reason = "signature"     // the issuer's key has not signed this
	Audience    Reason = "audience"      // it was made for somebody else
	Expired     Reason = "expired"       //
	NotYetValid Reason = "not_yet_valid" //
	Unreachable Reason = "unreachable"   // the issuer's keys are not known and could not be fetched
)

// Reasons lists all reasons.
func Reasons() []Reason {
	return []Reason{Malformed, TooBig, Issuer, UnknownKey, Algorithm, Signature, Audience, Expired, NotYetValid, Unreachable}
}

// Error says why a token was refused. Its text contains nothing of the token, so it may be logged
// and sent to anybody.
type Error struct {
	Reason Reason
	text   string
}

func (e *Error) Error() string { return e.text }

func refuse(r Reason, format string, args ...any) *Error {
	return &Error{Reason: r, text: fmt.Sprintf(format, args...)}
}

// Why returns the reason of an error of Verify.
func Why(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return Malformed
}
