package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
)

// Proxies lists the networks of proxies that are trusted to name their clients.
type Proxies []netip.Prefix

// ParseProxies parses networks as an operator writes them, 10.0.0.0/8 or 10.1.2.3. The error names
// all that are not valid.
func ParseProxies(list []string) (Proxies, error) {
	var all Proxies
	var errs []error
	for _, text := range list {
		text = strings.TrimSpace(text)
		network, err := netip.ParsePrefix(text)
		if ip, single := netip.ParseAddr(text); single == nil {
			network, err = ip.Unmap().WithZone("").Prefix(ip.Unmap().BitLen())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("proxy %.100q is not allowed: want a network or an address, such as 10.0.0.0/8 or 10.1.2.3", text))
			continue
		}
		all = append(all, network.Masked())
	}
	return all, errors.Join(errs...)
}

// has reports whether an address belongs to a proxy.
func (p Proxies) has(a netip.Addr) bool {
	for _, network := range p {
		if network.Contains(a) {
			return true
		}
	}
	return false
}

// Client returns the client's address, as shares are counted by it: the other end of the
// connection, or, if that is a proxy, the last address in X-Forwarded-For that is not a proxy.
// Anybody may have written the addresses before that one.
func (p Proxies) Client(r *http.Request) netip.Addr {
	client := addressOf(r.RemoteAddr)
	if !p.has(client) {
		return shareOf(client)
	}
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(said) - 1; i >= 0 && p.has(client); i-- {
		next := addressOf(strings.TrimSpace(said[i]))
		if !next.IsValid() {
			break
		}
		client = next
	}
	return shareOf(client)
}

// named returns the client that a proxy names; the zero address if no proxy is involved, or the
// proxy names none.
func (p Proxies) named(r *http.Request) netip.Addr {
	if !p.has(addressOf(r.RemoteAddr)) {
		return netip.Addr{}
	}
	if client := p.Client(r); client != shareOf(addressOf(r.RemoteAddr)) {
		return client
	}
	return netip.Addr{}
}

// shareOf returns the address that a client's share is counted by. An IPv6 client has a /64 network
// with all its addresses.
func shareOf(a netip.Addr) netip.Addr {
	if a.Is6() {
		network, _ := a.Prefix(64)
		return network.Addr()
	}
	return a
}

// addressOf parses an address with or without port. It returns the zero address for anything else.
func addressOf(text string) netip.Addr {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone("")
	}
	a, _ := netip.ParseAddr(strings.Trim(text, "[]"))
	return a.Unmap().WithZone("")
}
