package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/cells"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// dashboardCommand groups the commands on dashboards.
type dashboardCommand struct {
	List   dashboardListCommand   `cmd:"" help:"Print the dashboards of a tenant."`
	Get    dashboardGetCommand    `cmd:"" help:"Print what a dashboard shows now."`
	Open   dashboardOpenCommand   `cmd:"" help:"Print the address of a dashboard's page, and open it in the browser."`
	Delete dashboardDeleteCommand `cmd:"" help:"Delete the definition of a dashboard and all that it has counted."`
}

type dashboardListCommand struct {
	clientFlags
	Prefix string `help:"Only dashboards whose names begin with this text." placeholder:"TEXT"`
}

// listPage is the number of dashboards in one request.
const listPage = 1000

// Run prints one line per dashboard, sorted by name.
func (c *dashboardListCommand) Run(p *program) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	defer server.Close()
	t := table{columns: []string{"DASHBOARD", "TITLE", "PANELS", "VERSION", "VIEWERS", "TIME"}}
	for cursor, more := "", true; more; more = cursor != "" {
		var page []client.Summary
		if page, cursor, err = server.List(p, c.Prefix, cursor, listPage); err != nil {
			return err
		}
		for _, d := range page {
			t.add(d.Dashboard, d.Title, d.Panels, d.Version, d.Sessions, time.UnixMilli(d.Time).UTC().Format(time.RFC3339))
		}
	}
	return t.print(p.stdout, c.Output)
}

type dashboardGetCommand struct {
	clientFlags
	Dashboard string   `arg:"" help:"Dashboard."`
	Panels    []string `help:"Only these panels." placeholder:"PANEL"`
}

// Run prints one line per cell; with -o json or yaml, the server's answer.
func (c *dashboardGetCommand) Run(p *program) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	defer server.Close()
	r, err := server.Read(p, c.Dashboard, client.ReadOptions{Panels: c.Panels})
	if err != nil {
		return explainUnknown(p, server, c.Dashboard, err)
	}
	if c.Output != "table" {
		return printJSON(p.stdout, c.Output, r)
	}
	found, err := wire.ParseCells(r.Cells)
	if err != nil {
		return fmt.Errorf("read the cells of %s: %w", c.Dashboard, err)
	}
	shown := make([]shownCell, len(found))
	for i, f := range found {
		shown[i] = showCell(r.Schema, &cells.Cell{Panel: f.Panel, Start: f.Start, End: f.End, Group: f.Group, Revision: f.Revision, Row: f.Row})
	}
	sortCells(shown)
	for _, cell := range shown {
		if _, err := fmt.Fprintln(p.stdout, cell.line(r.Schema)); err != nil {
			return err
		}
	}
	var counters messages.Counters
	if err := json.Unmarshal(r.Counters, &counters); err != nil {
		return fmt.Errorf("read the counters of %s: %w", c.Dashboard, err)
	}
	p.talk("%s is %s at version %d: %s", c.Dashboard, r.State, r.Version, countersLine(counters))
	return nil
}

type dashboardOpenCommand struct {
	clientFlags
	Browser   bool   `help:"Open the page in the browser if stdout is a terminal." default:"true" negatable:""`
	Dashboard string `arg:"" help:"Dashboard."`
}

// Run prints the address, and opens it in a browser if a user is at the terminal.
func (c *dashboardOpenCommand) Run(p *program) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	defer server.Close()
	if err := needDashboard(p, server, c.Dashboard); err != nil {
		return err
	}
	address := strings.TrimSuffix(c.Server[0], "/") + "/d/" + url.PathEscape(c.Dashboard)
	if c.Tenant != "" && c.Tenant != messages.DefaultTenant {
		address += "?" + url.Values{"tenant": {c.Tenant}}.Encode()
	}
	t := table{columns: []string{"ADDRESS"}, rows: [][]any{{address}}}
	if c.Output != "table" {
		return t.print(p.stdout, c.Output)
	}
	if _, err := fmt.Fprintln(p.stdout, address); err != nil {
		return err
	}
	if _, interactive := terminal(p.stdout); c.Browser && interactive && !openPage(address) {
		p.talk("found no browser to open it")
	}
	return nil
}

type dashboardDeleteCommand struct {
	clientFlags
	yesFlag
	Dashboard string `arg:"" help:"Dashboard."`
}

// Run begins a new history and then deletes the definition. The dashboard stays in the list, since
// its log has its name; the tenant's default counts events that come later.
func (c *dashboardDeleteCommand) Run(p *program) error {
	server, err := c.open()
	if err != nil {
		return err
	}
	defer server.Close()
	if err := needDashboard(p, server, c.Dashboard); err != nil {
		return err
	}
	if err := c.confirm(p, fmt.Sprintf("all that %s has counted is gone, and its definition is deleted", c.Dashboard)); err != nil {
		return err
	}
	d, err := definitionInForce(p, server, c.Dashboard)
	if err != nil {
		return err
	}
	d.parsed.Reset = true
	if _, err := server.Define(p, c.Dashboard, d.parsed.YAML()); err != nil {
		return fmt.Errorf("begin a fresh history of %s: %w", c.Dashboard, err)
	}
	if err := server.Undefine(p, c.Dashboard); err != nil {
		return fmt.Errorf("%s has begun a fresh history, but its definition is not deleted: %w", c.Dashboard, err)
	}
	p.talk("%s is empty and has no definition of its own; its name stays in the list", c.Dashboard)
	return nil
}
