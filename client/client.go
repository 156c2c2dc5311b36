package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Options says which server to talk to, and as whom.
type Options struct {
	Server string // base URL; "": http://127.0.0.1:8080
	Token  string // shown as a bearer token; "": none
	Tenant string // "": the token's, else default

	// DialContext opens connections, for HTTP and WebSocket alike; nil: net.Dialer's.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client talks to one server. Any number of goroutines may use it.
type Client struct {
	base    *url.URL
	options Options
	http    *http.Client
}

// New checks the options; it does not connect.
func New(o Options) (*Client, error) {
	if o.Server == "" {
		o.Server = "http://127.0.0.1:8080"
	}
	base, err := url.Parse(o.Server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("server %q is not allowed: want http://HOST:PORT or https://HOST:PORT", o.Server)
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
	return &Client{base: base, options: o, http: &http.Client{Transport: transport}}, nil
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
	u := c.base.JoinPath(path)
	u.RawQuery = query.Encode()
	return u
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
