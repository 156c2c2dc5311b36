package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// ReadOptions says what to read of a dashboard.
type ReadOptions struct {
	Since  messages.Place // zero: everything
	Panels []string       // nil: all panels
	// "PARTITION:POSITION" of an event, or several of them with commas: the server answers when it
	// has folded the one of the dashboard's partition
	After string
	Wait  time.Duration // how long the server waits for After
	Lists bool          // include the lists of late and refused events
	Bare  bool          // leave out the cells
}

// Reading is a dashboard at one version.
type Reading struct {
	Dashboard string            `json:"dashboard"`
	Tenant    string            `json:"tenant"`
	Epoch     string            `json:"epoch"`
	Version   uint64            `json:"version"`
	View      string            `json:"view"`
	Time      int64             `json:"time"`      // log time, ms
	Watermark *int64            `json:"watermark"` // ms; nil if no event was accepted
	State     string            `json:"state"`     // live, stale or moving
	Since     *int64            `json:"since"`     // ms; nil while live
	Lag       int64             `json:"lag"`       // ms
	Schema    wire.Schema       `json:"schema"`
	From      uint64            `json:"from"`
	To        uint64            `json:"to"`
	Cells     []json.RawMessage `json:"cells"` // wire.ParseCells reads them
	Removed   []uint32          `json:"removed"`
	Latest    map[string]Newest `json:"latest"`
	Counters  json.RawMessage   `json:"counters"`
	Late      []map[string]any  `json:"late,omitempty"`
	Refused   []map[string]any  `json:"refused,omitempty"`
}

// Newest is a metric's newest value.
type Newest struct {
	Value    *float64        `json:"value"`
	Time     int64           `json:"time"` // ms
	Metadata json.RawMessage `json:"metadata"`
}

// Summary is one dashboard of a listing.
type Summary struct {
	Dashboard string `json:"dashboard"`
	Tenant    string `json:"tenant"`
	Title     string `json:"title"`
	Epoch     string `json:"epoch"`
	Version   uint64 `json:"version"`
	Time      int64  `json:"time"`
	Panels    int    `json:"panels"`
	Sessions  int    `json:"sessions"`
}

// Definition is the definition that the server returns.
type Definition struct {
	Source  []byte // YAML
	Hash    string
	Default bool // the tenant's default: nobody defined this dashboard
}

// Applied is the server's answer to a new definition.
type Applied struct {
	Dashboard string `json:"dashboard"`
	Hash      string `json:"hash"`
	Position  string `json:"position"`
	Changed   bool   `json:"changed"`
	// the definition is stored but was not folded in time; a definition put at the same moment may
	// replace it
	Pending bool `json:"pending"`
}

// Read reads a dashboard once.
func (c *Client) Read(ctx context.Context, dashboard string, o ReadOptions) (Reading, error) {
	q := url.Values{}
	if o.Since.Version != 0 {
		q.Set("since", o.Since.String())
	}
	if len(o.Panels) > 0 {
		q.Set("panels", strings.Join(o.Panels, ","))
	}
	if o.After != "" {
		q.Set("after", o.After)
		q.Set("wait", o.Wait.String())
	}
	if o.Bare {
		q.Set("cells", "none")
	}
	if o.Lists {
		q.Set("include", "late,refused")
	}
	var r Reading
	err := c.call(ctx, http.MethodGet, c.address(path(dashboard, ""), q), nil, &r)
	return r, err
}

// List lists the tenant's dashboards whose names begin with prefix, by name: at most limit of them,
// after cursor, which is next of the previous answer ("": from the start). next is "" at the end.
func (c *Client) List(ctx context.Context, prefix, cursor string, limit int) (list []Summary, next string, err error) {
	q := url.Values{"limit": {strconv.Itoa(limit)}}
	if prefix != "" {
		q.Set("prefix", prefix)
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	var answer struct {
		Dashboards []Summary `json:"dashboards"`
		Next       *string   `json:"next"`
	}
	if err := c.call(ctx, http.MethodGet, c.address("/v1/dashboards", q), nil, &answer); err != nil {
		return nil, "", err
	}
	if answer.Next != nil {
		next = *answer.Next
	}
	return answer.Dashboards, next, nil
}

// Definition returns the definition in force for a dashboard.
func (c *Client) Definition(ctx context.Context, dashboard string) (Definition, error) {
	status, header, body, err := c.do(ctx, http.MethodGet, c.address(path(dashboard, "/definition"), nil), http.Header{}, nil)
	if err != nil {
		return Definition{}, err
	}
	if status != http.StatusOK {
		return Definition{}, answered(status, header, body)
	}
	hash, _ := strconv.Unquote(header.Get("ETag"))
	return Definition{body, hash, header.Get("X-Dashfeed-Default") == "true"}, nil
}

// Define puts a YAML or JSON definition in force. If it has mistakes the error is an *Error with
// Problems.
func (c *Client) Define(ctx context.Context, dashboard string, source []byte) (Applied, error) {
	var a Applied
	err := c.call(ctx, http.MethodPut, c.address(path(dashboard, "/definition"), nil), source, &a)
	return a, err
}

// Undefine puts the tenant's default definition in force again.
func (c *Client) Undefine(ctx context.Context, dashboard string) error {
	return c.call(ctx, http.MethodDelete, c.address(path(dashboard, "/definition"), nil), nil, nil)
}

func path(dashboard, rest string) string {
	return "/v1/dashboards/" + url.PathEscape(dashboard) + rest
}

// call sends a request and reads the JSON of its answer.
func (c *Client) call(ctx context.Context, method string, address *url.URL, body []byte, into any) error {
	h := http.Header{}
	if body != nil {
		h.Set("Content-Type", "application/yaml")
	}
	status, header, answer, err := c.do(ctx, method, address, h, body)
	if err != nil {
		return err
	}
	if status >= 300 {
		return answered(status, header, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, address.Path, err)
	}
	return nil
}
