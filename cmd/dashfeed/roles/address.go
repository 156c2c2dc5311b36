package roles

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/dashfeed/dashfeed/gateway"
	"github.com/dashfeed/dashfeed/gateway/limits"
)

// address is an address that a role listens on.
type address struct {
	flag, at string
	guard    string // flags that authenticate its clients; "": it has none
	guarded  bool   // the flags are given
}

// wrong checks the flags. It also returns an error for each unguarded address that other machines
// can reach, unless --insecure is given.
func (f *PublicFlags) wrong(listened ...address) (errs []error) {
	origins, err := gateway.ParseOrigins(f.Origins)
	errs = append(errs, flagged("origins", err))
	_, err = gateway.ParseHosts(f.Hosts, origins)
	errs = append(errs, flagged("hosts", err))
	_, err = gateway.ParseProxies(f.TrustedProxies)
	errs = append(errs, flagged("trusted-proxies", err))
	_, err = limits.Parse(f.Limit, nil)
	errs = append(errs, flagged("limit", err))
	_, err = gateway.ParseOrigins(f.FrameAncestors)
	errs = append(errs, flagged("frame-ancestors", err), f.publicFiles().Check(""))
	for _, a := range listened {
		if err := wrongAddress(a.flag, a.at); err != nil {
			errs = append(errs, err)
			continue
		}
		if f.Insecure || a.guarded || !Exposed(a.at) {
			continue
		}
		remedy := "listen on 127.0.0.1, behind a proxy that does"
		if a.guard != "" {
			remedy = "give " + a.guard
		}
		errs = append(errs, fmt.Errorf("--%s %q can be reached from other machines, and nothing there authenticates clients: %s, or give --insecure", a.flag, a.at, remedy))
	}
	return errs
}

// flagged wraps err with the flag that it is about; nil if err is nil.
func flagged(flag string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("--%s: %w", flag, err)
}

// Exposed reports whether another machine may reach an address. For a name that does not resolve it
// is false: the listener's error says why.
func Exposed(at string) bool {
	host, _, err := net.SplitHostPort(at)
	if err != nil || host == "" {
		return err == nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ips, _ := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for _, ip := range ips {
		if !ip.Unmap().IsLoopback() {
			return true
		}
	}
	return false
}

// wrongAddress returns an error if the text is no address to listen on or to dial.
func wrongAddress(flag, at string) error {
	_, port, err := net.SplitHostPort(at)
	if err != nil || port == "" {
		return fmt.Errorf("--%s %q is not an address: want HOST:PORT", flag, at)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		n, err = net.LookupPort("tcp", port) // http, https, …
	}
	if err != nil || n < 0 || n > 65535 {
		return fmt.Errorf("--%s %q is not an address: ports are 1 to 65535, or 0 for a free one", flag, at)
	}
	return nil
}
