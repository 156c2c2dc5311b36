package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

// Options says which server to connect to, and with which token and tenant.
type Options struct {
	Server string // base URL; "": http://127.0.0.1:8080
	// base URLs of more gateways of the same deployment; the client tries them in turn if one is
	// lost, drains or can't be reached
	Others []string
	Token  string // sent as a bearer token; "": none
	// Returns a token, instead of Token, for all uses of the client until it must be replaced. It is
	// called before the first request, before the token of a subscription expires, and once after
	// the server refused one; never twice at the same time. Subscriptions repeat a failed call with
	// growing waits.
	TokenFunc func(ctx context.Context) (string, error)
	Tenant    string // "": the token's tenant, else default

	// DialContext opens connections, for HTTP and WebSocket; nil: net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client talks to one server, or to one of several servers of a deployment at a time. Any number of
// goroutines may use it.
type Client struct {
	bases   []*url.URL     // Server first
	at      *atomic.Uint32 // index of the server for requests; each subscription has its own
	options Options
	tokens  *tokens
	http    *http.Client
}

// New checks the options; it does not connect.
func New(o Options) (*Client, error) {
	if o.Server == "" {
		o.Server = "http://127.0.0.1:8080"
	}
	var bases []*url.URL
	for _, server := range append([]string{o.Server}, o.Others...) {
		base, err := url.Parse(server)
		if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
			return nil, fmt.Errorf("server %q is not allowed: want http://HOST:PORT or https://HOST:PORT", server)
		}
		bases = append(bases, base)
	}
	held, err := newTokens(o)
	if err != nil {
		return nil, err
	}
	if o.DialContext == nil {
		o.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         o.DialContext,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second,
	}
	return &Client{bases: bases, at: new(atomic.Uint32), options: o, tokens: held, http: &http.Client{Transport: transport}}, nil
}

// Close closes idle connections. Close publishers and subscriptions yourself.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// address returns the URL of a path below the base, with the tenant and query.
func (c *Client) address(path string, query url.Values) *url.URL {
	if c.options.Tenant != "" && !query.Has("tenant") {
		if query == nil {
			query = url.Values{}
		}
		query.Set("tenant", c.options.Tenant)
	}
	u := c.base(c.at.Load()).JoinPath(path)
	u.RawQuery = query.Encode()
	return u
}

// base returns the server with that index, modulo their number.
func (c *Client) base(turn uint32) *url.URL { return c.bases[int(turn)%len(c.bases)] }

// turn moves requests to the next server, unless another goroutine has already moved them away from
// this one.
func (c *Client) turn(from *url.URL) {
	if at := c.at.Load(); len(c.bases) > 1 && c.base(at).Host == from.Host {
		c.at.CompareAndSwap(at, at+1)
	}
}

// Of returns the same client for another tenant; "": the token's tenant, else default.
func (c *Client) Of(tenant string) *Client {
	other := *c
	other.options.Tenant = tenant
	return &other
}
