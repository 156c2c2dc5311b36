package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/dashfeed/dashfeed/cmd/dashfeed/admin"
)

// tokenCommand groups the commands on tokens.
type tokenCommand struct {
	Revoke      tokenRevokeCommand      `cmd:"" help:"Revoke the tokens of a subject or tenant, or with an id, on every gateway within 5 s."`
	Revocations tokenRevocationsCommand `cmd:"" help:"Print the revocations in force."`
}

type tokenRevokeCommand struct {
	adminServerFlags
	yesFlag
	Subject string     `help:"Revoke the tokens with this claim sub." placeholder:"SUBJECT" xor:"kind" required:""`
	ID      string     `help:"Revoke the tokens with this claim jti." placeholder:"ID" xor:"kind" required:""`
	Tenant  string     `help:"Revoke all tokens of this tenant." placeholder:"TENANT" xor:"kind" required:""`
	Before  *time.Time `help:"Only those that were issued before this time (RFC 3339), and those that do not say when. Default: now." placeholder:"TIME"`
	Until   *time.Time `help:"When the last of these tokens expires (RFC 3339): the entry is dropped then. Default: it is kept for ever." placeholder:"TIME"`
	DryRun  bool       `help:"Only check whether it is possible."`
}

// Run revokes the tokens.
func (c *tokenRevokeCommand) Run(p *program) error {
	r := admin.RevokeRequest{Kind: "tenant", Name: c.Tenant, Before: c.Before, Until: c.Until, DryRun: c.DryRun}
	switch {
	case c.Subject != "":
		r.Kind, r.Name = "subject", c.Subject
	case c.ID != "":
		r.Kind, r.Name = "id", c.ID
	}
	what := fmt.Sprintf("tokens with %s %q", r.Kind, r.Name)
	if !c.DryRun {
		if err := c.confirm(p, what+" are refused on every gateway, and their sessions end"); err != nil {
			return err
		}
	}
	if err := c.ask(p, http.MethodPost, "/revocations", r, nil); err != nil {
		return err
	}
	if c.DryRun {
		p.talk("%s can be revoked, and nothing was changed", what)
		return nil
	}
	p.talk("%s are revoked", what)
	return nil
}

type tokenRevocationsCommand struct{ adminServerFlags }

// Run prints one line per revocation.
func (c *tokenRevocationsCommand) Run(p *program) error {
	var all []admin.Revocation
	if err := c.ask(p, http.MethodGet, "/revocations", nil, &all); err != nil {
		return err
	}
	t := table{columns: []string{"KIND", "NAME", "BEFORE", "UNTIL"}}
	for _, r := range all {
		until := ""
		if r.Until != nil {
			until = r.Until.Format(time.RFC3339)
		}
		t.add(string(r.Kind), r.Name, r.Before.Format(time.RFC3339), until)
	}
	return t.print(p.stdout, c.Output)
}
