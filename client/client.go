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

// Options says which server to talk to, and as whom.
type Options struct {
	Server string // base URL; "": http://127.0.0.1:8080
	// further base URLs of the same house, tried in turn where one is lost, drains or can't be
	// reached
	Others []string
	Token  string // shown as a bearer token; "": none
	Tenant string // "": the token's, else default

	// DialContext opens connections, for HTTP and WebSocket alike; nil: net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client talks to one server, or to one of several of a house at a time. Any number of goroutines
// may use it.
type Client struct {
	bases   []*url.URL     // Server first
	at      *atomic.Uint32 // the one that requests go to; subscriptions each have their own
	options Options
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
	return &Client{bases: bases, at: new(atomic.Uint32), options: o, http: &http.Client{Transport: transport}}, nil
}

// Close closes idle connections. Publishers and subscriptions are closed by whoever opened them.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// address is the URL of a path below the base, with the tenant and further parameters.
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

// base is the server whose turn it is.
func (c *Client) base(turn uint32) *url.URL { return c.bases[int(turn)%len(c.bases)] }

// turn has requests go to the next server, unless somebody else has turned away from this one
// already.
func (c *Client) turn(from *url.URL) {
	if at := c.at.Load(); len(c.bases) > 1 && c.base(at).Host == from.Host {
		c.at.CompareAndSwap(at, at+1)
	}
}

// header is what every request carries.
func (c *Client) header() http.Header {
	h := http.Header{}
	if c.options.Token != "" {
		h.Set("Authorization", "Bearer "+c.options.Token)
	}
	return h
}

// Of is the same client for another tenant; "" is the token's, else default.
func (c *Client) Of(tenant string) *Client {
	other := *c
	other.options.Tenant = tenant
	return &other
}
