package messages

import (
	"fmt"
	"strconv"
	"strings"
)

// Epoch names one unbroken history of a dashboard. 0 means that there is no record yet.
type Epoch uint32

// String returns 8 hex digits.
func (e Epoch) String() string { return fmt.Sprintf("%08x", uint32(e)) }

// ParseEpoch reads 8 hex digits.
func ParseEpoch(s string) (Epoch, error) {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || len(s) != 8 {
		return 0, fmt.Errorf("epoch %q is not 8 hex digits", s)
	}
	return Epoch(n), nil
}

// View identifies a projection of a dashboard. 0 means not given: the whole dashboard.
type View uint64

// String returns 16 hex digits.
func (v View) String() string { return fmt.Sprintf("%016x", uint64(v)) }

// ParseView reads 16 hex digits.
func ParseView(s string) (View, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || len(s) != 16 {
		return 0, fmt.Errorf("view %q is not 16 hex digits", s)
	}
	return View(n), nil
}

// Place is what a client holds. A version means nothing without the epoch and the view it belongs
// to.
type Place struct {
	Epoch   Epoch
	Version uint64
	View    View
}

// String returns EPOCH:VERSION:VIEW, or EPOCH:VERSION if View is 0.
func (p Place) String() string {
	s := p.Epoch.String() + ":" + strconv.FormatUint(p.Version, 10)
	if p.View != 0 {
		s += ":" + p.View.String()
	}
	return s
}

// ParsePlace reads EPOCH:VERSION or EPOCH:VERSION:VIEW.
func ParsePlace(s string) (Place, error) {
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return Place{}, fmt.Errorf("place %q is not of the form EPOCH:VERSION or EPOCH:VERSION:VIEW", s)
	}
	var p Place
	var err error
	if p.Epoch, err = ParseEpoch(parts[0]); err != nil {
		return Place{}, fmt.Errorf("place %q: %w", s, err)
	}
	if p.Version, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return Place{}, fmt.Errorf("place %q: version %q is not a whole number from 0", s, parts[1])
	}
	if len(parts) == 3 {
		if p.View, err = ParseView(parts[2]); err != nil {
			return Place{}, fmt.Errorf("place %q: %w", s, err)
		}
	}
	return p, nil
}
