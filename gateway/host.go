package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// Hosts holds the names by which clients may address a listener, in addition to IP addresses and
// localhost. Any site can give its own name the address of a machine that its visitor reaches (DNS
// rebinding). For the browser, the site and the server are then one host, and no check of origins
// tells them apart. The requested name does.
type Hosts map[string]bool

// ParseHosts parses names as an operator writes them, without scheme and port, and adds the hosts
// of the origins. The error names all that are not allowed.
func ParseHosts(names []string, origins Origins) (Hosts, error) {
	all := Hosts{}
	var errs []error
	for _, text := range names {
		name, port, err := splitHost(strings.TrimSpace(text))
		if err == nil && port != "" {
			err = errors.New("a port makes no difference, leave it out")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("host %.200q is not allowed: %w; want a name, such as dash.example.com", text, err))
			continue
		}
		all[name] = true
	}
	for o := range origins {
		all[o.host] = true
	}
	return all, errors.Join(errs...)
}

// Check returns an error if a request names another host. A request of HTTP/1.0 may name none: no
// browser sends one, and balancers use it for health checks.
func (h Hosts) Check(r *http.Request) error {
	if r.Host == "" && !r.ProtoAtLeast(1, 1) {
		return nil
	}
	name, _, err := splitHost(r.Host)
	if _, notIP := netip.ParseAddr(name); err == nil && (notIP == nil || name == localhost || h[name]) {
		return nil
	}
	return fmt.Errorf("host %.200q is not one that this server is asked by: an IP address, localhost, and names given with --hosts or --origins are", r.Host)
}

// withHost refuses requests for another host. Most requests name the same host as the one before,
// which is not checked again.
func (s *Server) withHost(next http.Handler) http.Handler {
	var good atomic.Pointer[string]
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if last := good.Load(); last == nil || *last != r.Host {
			if err := s.hosts.Check(r); err != nil {
				writeStatus(w, http.StatusMisdirectedRequest, wire.Errorf(wire.CodeForbidden, "%v", err))
				return
			}
			if host := r.Host; host != "" { // it may be missing in HTTP/1.0 only
				good.Store(&host)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// loopbackOnly reports whether only this machine reaches a listener's address.
func loopbackOnly(a net.Addr) bool {
	host, _, err := net.SplitHostPort(a.String())
	return err == nil && isLoopback(host)
}
