package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// origin is the origin of a page, in one spelling: origins that browsers treat as the same are
// equal.
type origin struct {
	scheme, host string // lower case; an IP address as netip writes it, without zone
	port         string // "": the scheme's default
}

// ParseOrigins parses origins as an operator writes them, each as SCHEME://HOST[:PORT]. The error
// names all that are not valid.
func ParseOrigins(list []string) (Origins, error) {
	all := Origins{}
	var errs []error
	for _, text := range list {
		o, err := parseOrigin(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all[o] = true
	}
	return all, errors.Join(errs...)
}

// Origins holds the origins that pages may come from, in addition to the server's own.
type Origins map[origin]bool

// List returns the origins in one spelling, sorted.
func (o Origins) List() []string {
	var all []string
	for one := range o {
		all = append(all, one.String())
	}
	slices.Sort(all)
	return all
}

// String returns the origin as browsers spell it.
func (o origin) String() string {
	host := o.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.port != "" {
		host += ":" + o.port
	}
	return o.scheme + "://" + host
}

// parseOrigin parses an origin as a browser sends it or an operator writes it. A slash at the end,
// the case, and the scheme's default port make no difference.
func parseOrigin(text string) (origin, error) {
	refuse := func(why string) (origin, error) {
		return origin{}, fmt.Errorf("origin %.200q is not allowed: %s; want SCHEME://HOST or SCHEME://HOST:PORT, such as https://dash.example.com", text, why)
	}
	if strings.Contains(text, "*") {
		return refuse("there are no wildcards, each origin is named")
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme == "" {
		return refuse("it has no scheme")
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#@") {
		return refuse("an origin has no path, query or user")
	}
	o := origin{scheme: strings.ToLower(scheme)}
	if !isWord(o.scheme, "+.-") {
		return refuse("its scheme is none")
	}
	var err error
	if o.host, o.port, err = splitHost(rest); err != nil {
		return refuse(err.Error())
	}
	if o.port == ownPort(o.scheme) {
		o.port = ""
	}
	return o, nil
}

// ownPort returns the default port of a scheme.
func ownPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// splitHost splits HOST or HOST:PORT. It returns the host in one spelling: lower case, no dot at
// the end, an IP address as netip writes it, without brackets and zone.
func splitHost(text string) (host, port string, err error) {
	if strings.ContainsAny(text, "/?#@") {
		return "", "", fmt.Errorf("%.200q is no name of a host", text)
	}
	host = text
	if h, p, err := net.SplitHostPort(text); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); p != "" && (err != nil || n == 0) {
			return "", "", fmt.Errorf("%.20q is no port", p)
		} else if p != "" {
			p = strconv.FormatUint(n, 10)
		}
		host, port = h, p
	} else if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		host = text[1 : len(text)-1]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().WithZone("").String(), port, nil
	}
	switch {
	case strings.HasPrefix(text, "["):
		return "", "", fmt.Errorf("%.200q is no IPv6 address", host)
	case host == "":
		return "", "", errors.New("it names no host")
	case strings.ContainsFunc(host, func(r rune) bool { return r > 0x7e }):
		return "", "", fmt.Errorf("%.200q has letters beyond ASCII: write the name as browsers send it, in punycode (xn--…)", host)
	case len(host) > 253 || !isWord(host, "-._"):
		return "", "", fmt.Errorf("%.200q is no name of a host: letters, digits, dots and dashes", host)
	}
	return host, port, nil
}

// isWord reports whether s consists of lower case letters, digits and the others, and begins with a
// letter or digit.
func isWord(s, others string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune(others, r)) {
			return false
		}
	}
	return s != ""
}

// isLoopback reports whether a host, spelled as splitHost does, is the client's own machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == localhost || err == nil && ip.IsLoopback()
}

const localhost = "localhost"
