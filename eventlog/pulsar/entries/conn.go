package entries

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/eventlog/pulsar/broker"
)

const (
	maxCommandBytes = 1 << 20
	maxFrameBytes   = 128 << 20 // a broker's largest message is 5 MB by default
	maxRedirects    = 20

	bufferBytes = 32 << 10
	// a broker that sends nothing for this long gets a ping
	keepAlive = 5 * time.Second

	protocolVersion = 20
)

// Options say how to connect to a broker.
type Options struct {
	URL      string // pulsar://host:port[,host:port] or pulsar+ssl://…
	Security broker.Security
}

func (o Options) secure() bool { return strings.HasPrefix(o.URL, "pulsar+ssl://") }

// conn is a connection to one broker, used by one goroutine.
type conn struct {
	net.Conn
	o      Options
	host   string // the broker that answers: behind a proxy it is not the one that was dialled
	in     *bufio.Reader
	broken error // why the connection can't be used any more

	closer     context.Context // closes the connection when it ends
	stopCloser func() bool
}

// dial connects to a broker; through is the address to dial, another one behind a proxy.
func dial(ctx context.Context, o Options, through, host string) (*conn, error) {
	var d interface {
		DialContext(ctx context.Context, network, address string) (net.Conn, error)
	} = &net.Dialer{}
	if o.secure() {
		config, err := o.Security.TLSConfig()
		if err != nil {
			return nil, err
		}
		d = &tls.Dialer{Config: config}
	}
	raw, err := d.DialContext(ctx, "tcp", through)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, o: o, host: host}
	c.in = bufio.NewReaderSize(&answeringReader{c}, bufferBytes)
	if err := c.hello(ctx, through); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("connect to %s: %w", host, err)
	}
	return c, nil
}

// within runs do, and closes the connection if ctx ends first.
func (c *conn) within(ctx context.Context, do func() error) error {
	err := c.closingWith(ctx, do)
	c.closeWith(context.Background())
	return err
}

// closingWith is like within, but ctx keeps closing the connection until another context replaces
// it. Callers that read one entry after another pass the same context and save its registration.
func (c *conn) closingWith(ctx context.Context, do func() error) error {
	if c.broken != nil {
		return c.broken
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	c.closeWith(ctx)
	err := do()
	if err != nil {
		c.broken = err // the failure may have come in the middle of a frame
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return err
}

func (c *conn) closeWith(ctx context.Context) {
	if c.closer == ctx {
		return
	}
	if c.stopCloser != nil && !c.stopCloser() && c.broken == nil {
		c.broken = net.ErrClosed
	}
	c.closer, c.stopCloser = ctx, context.AfterFunc(ctx, func() { _ = c.Conn.Close() })
}

// Close closes the connection.
func (c *conn) Close() error {
	c.closeWith(context.Background())
	return c.Conn.Close()
}

// answeringReader reads from a connection as long as the broker answers. A broker that sends
// nothing gets a ping, and Read fails if it does not answer that. Without it, a network that fails
// without a reset would block a reader forever.
type answeringReader struct{ c *conn }

func (p *answeringReader) Read(b []byte) (int, error) {
	for asked := false; ; asked = true {
		if err := p.c.SetReadDeadline(time.Now().Add(keepAlive)); err != nil {
			return 0, err
		}
		n, err := p.c.Conn.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		if asked {
			return 0, fmt.Errorf("%s has not answered for %s", p.c.host, keepAlive)
		}
		if err := p.c.send(cmdPing, nil); err != nil {
			return 0, err
		}
	}
}

func (c *conn) auth() (method string, data []byte, err error) {
	switch s := c.o.Security; {
	case s.Token != "" || s.TokenFile != "":
		token, err := s.ReadToken()
		return "token", []byte(token), err
	case s.Cert != "":
		return "tls", nil, nil
	}
	return "", nil, nil
}

func (c *conn) hello(ctx context.Context, through string) error {
	method, data, err := c.auth()
	if err != nil {
		return err
	}
	// the features that we support: refreshed tokens, and the broker's own metadata of entries
	flags := pack(nil).number(1, 1).number(2, 1)
	body := pack(nil).text(1, "dashfeed").number(4, protocolVersion).bytes(10, flags)
	if method != "" {
		body = body.text(5, method).bytes(3, data)
	}
	if through != c.host {
		body = body.text(6, c.host)
	}
	return c.within(ctx, func() error {
		if err := c.send(cmdConnect, body); err != nil {
			return err
		}
		_, err := c.await(cmdConnected)
		return err
	})
}

func (c *conn) send(kind int, body pack) error {
	_, err := c.Write(appendFrame(nil, kind, body))
	return err
}

func appendFrame(b []byte, kind int, body pack) []byte {
	cmd := command(kind, body)
	b = binary.BigEndian.AppendUint32(b, uint32(4+len(cmd)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(cmd)))
	return append(b, cmd...)
}

// frame is a command that was received, and the bytes behind it.
type frame struct {
	kind int
	body []byte
	rest []byte
}

// read is like next, but returns a broker's error as an error.
func (c *conn) read() (frame, error) {
	f, err := c.next()
	if err == nil && f.kind == cmdError {
		err = brokerError(f.body, 2, 3)
	}
	return f, err
}

// next reads a frame. It answers pings and authentication challenges itself.
func (c *conn) next() (frame, error) {
	for {
		f, err := c.readFrame()
		if err != nil {
			return f, err
		}
		switch f.kind {
		case cmdPing:
			err = c.send(cmdPong, nil)
		case cmdAuthChallenge:
			var method string
			var data []byte
			if method, data, err = c.auth(); err == nil {
				err = c.send(cmdAuthResponse, pack(nil).text(1, "dashfeed").bytes(2, pack(nil).text(1, method).bytes(2, data)).number(3, protocolVersion))
			}
		default:
			return f, nil
		}
		if err != nil {
			return f, err
		}
	}
}

func (c *conn) readFrame() (f frame, err error) {
	var sizes [8]byte
	if _, err := io.ReadFull(c.in, sizes[:]); err != nil {
		return f, err
	}
	total, size := binary.BigEndian.Uint32(sizes[:]), binary.BigEndian.Uint32(sizes[4:])
	if total > maxFrameBytes || size > maxCommandBytes || uint64(size)+4 > uint64(total) {
		return f, fmt.Errorf("a frame of %d bytes with a command of %d is not allowed", total, size)
	}
	b := make([]byte, total-4)
	if _, err := io.ReadFull(c.in, b); err != nil {
		return f, err
	}
	f.rest = b[size:]
	err = fields(b[:size], func(x field) error {
		if x.number == 1 {
			f.kind = int(x.n)
		} else if int(x.number) == f.kind {
			f.body = x.b
		}
		return nil
	})
	return f, err
}

// await reads until a command of that kind comes.
func (c *conn) await(kind int) (body []byte, err error) {
	for {
		f, err := c.read()
		if err != nil || f.kind == kind {
			return f.body, err
		}
	}
}

// BrokerError is an error that a broker sent as its answer.
type BrokerError struct {
	Code    uint64
	Message string
}

func (e *BrokerError) Error() string {
	return fmt.Sprintf("the broker says (%d): %s", e.Code, e.Message)
}

func brokerError(body []byte, code, message int) *BrokerError {
	e := &BrokerError{}
	_ = fields(body, func(f field) error {
		switch int(f.number) {
		case code:
			e.Code = f.n
		case message:
			e.Message = f.text()
		}
		return nil
	})
	return e
}

// connect connects to the broker that serves the topic.
func connect(ctx context.Context, o Options, topic string) (*conn, error) {
	_, hosts, _ := strings.Cut(o.URL, "://")
	var c *conn
	var err error
	for host := range strings.SplitSeq(hosts, ",") {
		if host, err = o.hostOf("pulsar://" + host); err == nil {
			if c, err = dial(ctx, o, host, host); err == nil {
				return c.follow(ctx, host, topic)
			}
		}
	}
	return nil, err
}

func (o Options) hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	if u.Port() != "" {
		return u.Host, nil
	}
	return net.JoinHostPort(u.Hostname(), map[bool]string{false: "6650", true: "6651"}[o.secure()]), nil
}

// follow repeats the lookup until the broker it is connected to serves the topic.
func (c *conn) follow(ctx context.Context, service, topic string) (*conn, error) {
	authoritative := uint64(0)
	for range maxRedirects {
		a, err := c.lookup(ctx, topic, authoritative)
		if err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("find who serves %s: %w", topic, err)
		}
		if a.host != c.host {
			_ = c.Close()
			through := a.host
			if a.proxied {
				through = service
			}
			if c, err = dial(ctx, c.o, through, a.host); err != nil {
				return nil, err
			}
		}
		if a.connect {
			return c, nil
		}
		authoritative = a.authoritative
	}
	_ = c.Close()
	return nil, fmt.Errorf("find who serves %s: more than %d brokers name another", topic, maxRedirects)
}

// answer is a broker's answer to the lookup of a topic.
type answer struct {
	host          string
	connect       bool // host serves the topic; otherwise host knows which broker does
	proxied       bool // only the service's address reaches that broker
	authoritative uint64
}

func (c *conn) lookup(ctx context.Context, topic string, authoritative uint64) (a answer, err error) {
	const failed = 2
	var body []byte
	err = c.within(ctx, func() (err error) {
		if err = c.send(cmdLookup, pack(nil).text(1, topic).number(2, 1).number(3, authoritative)); err == nil {
			body, err = c.await(cmdLookupAnswer)
		}
		return err
	})
	if err != nil {
		return a, err
	}
	urls := [2]string{}
	kind := uint64(0)
	err = fields(body, func(f field) error {
		switch f.number {
		case 1:
			urls[0] = f.text()
		case 2:
			urls[1] = f.text()
		case 3:
			kind = f.n
		case 5:
			a.authoritative = f.n
		case 8:
			a.proxied = f.n != 0
		}
		return nil
	})
	if err != nil {
		return a, err
	}
	if kind == failed {
		return a, brokerError(body, 6, 7)
	}
	a.connect = kind == 1
	address := urls[0]
	if c.o.secure() {
		address = urls[1]
	}
	a.host, err = c.o.hostOf(address)
	return a, err
}
