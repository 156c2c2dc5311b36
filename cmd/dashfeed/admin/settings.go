package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
	"github.com/dashfeed/dashfeed/gateway/settings"
	"github.com/dashfeed/dashfeed/messages"
)

// RevokeRequest is the body of POST /revocations.
type RevokeRequest struct {
	Kind   settings.Kind `json:"kind"` // subject, id, tenant
	Name   string        `json:"name"`
	Before *time.Time    `json:"before,omitempty"` // tokens that were issued before it; nil: now
	// when the last of these tokens expires; nil: unknown
	Until  *time.Time `json:"until,omitempty"`
	DryRun bool       `json:"dry_run,omitempty"`
}

// Revocation is a line of GET /revocations.
type Revocation struct {
	Kind   settings.Kind `json:"kind"`
	Name   string        `json:"name"`
	Before time.Time     `json:"before"`
	Until  *time.Time    `json:"until,omitempty"` // when the entry is dropped; nil: never
}

// LimitsRequest is the body of POST /tenants/{tenant}/limits.
type LimitsRequest struct {
	Limits map[string]string `json:"limits"` // "": the server's limit counts again
	DryRun bool              `json:"dry_run,omitempty"`
}

// TenantLimits answers GET /tenants/{tenant}/limits.
type TenantLimits struct {
	Name   string            `json:"name"`
	Limits map[string]string `json:"limits"` // its own
}

// offerSettings adds what is in force on every gateway: revocations and tenants' own limits.
func (a *Listener) offerSettings(o Operations) {
	board := o.Settings.Board()
	a.get("/revocations", func(*http.Request) (any, error) {
		all := []Revocation{}
		for _, r := range board.Revocations(time.Now()) {
			line := Revocation{Kind: r.Kind, Name: r.Name, Before: time.UnixMilli(r.Before).UTC()}
			if r.Until != 0 {
				until := time.UnixMilli(r.Until).UTC()
				line.Until = &until
			}
			all = append(all, line)
		}
		return all, nil
	})
	a.post("/revocations", func(r *http.Request) (any, error) {
		var q RevokeRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		return struct{}{}, change(r.Context(), o.Settings, settings.Change{Revoke: q.revocation(time.Now())}, q.DryRun)
	})
	tenant := func(r *http.Request) (string, error) {
		name := r.PathValue("tenant")
		if err := messages.CheckName("tenant", name); err != nil {
			return "", BadRequest{err}
		}
		if o.HasTenant != nil {
			return name, o.HasTenant(name)
		}
		return name, nil
	}
	a.get("/tenants/{tenant}/limits", func(r *http.Request) (any, error) {
		name, err := tenant(r)
		return TenantLimits{name, board.Limits(name)}, err
	})
	a.post("/tenants/{tenant}/limits", func(r *http.Request) (any, error) {
		name, err := tenant(r)
		if err != nil {
			return nil, err
		}
		var q LimitsRequest
		if err := decode(r, &q); err != nil {
			return nil, err
		}
		c := settings.Change{Tenant: &settings.Own{Name: name, Limits: q.Limits}}
		err = change(r.Context(), o.Settings, c, q.DryRun)
		return TenantLimits{name, board.Limits(name)}, err
	})
}

func (q RevokeRequest) revocation(now time.Time) *settings.Revocation {
	r := &settings.Revocation{Kind: q.Kind, Name: q.Name, Before: now.UnixMilli()}
	if q.Before != nil {
		r.Before = q.Before.UnixMilli()
	}
	if q.Until != nil {
		r.Until = q.Until.UnixMilli()
	}
	return r
}

// change makes a change of the settings; a dry run only checks it.
func change(ctx context.Context, s settings.Store, c settings.Change, dry bool) error {
	c.Version, c.At = s.Board().Version()+1, time.Now().UnixMilli()
	err := s.Board().Try(c)
	switch {
	case errors.Is(err, settings.ErrConflict): // another change came in between
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case err != nil:
		return BadRequest{err}
	case dry:
		return nil
	}
	err = s.Change(ctx, c)
	if errors.Is(err, eventlog.ErrUnreachable) {
		return fmt.Errorf("whether the change is stored is not known: make it again, it does no harm twice: %w", err)
	}
	return err
}
