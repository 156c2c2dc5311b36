package gateway

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/dashfeed/dashfeed/messages/wire"
)

// clientFrame returns a masked frame. op with 0x80 marks a message's last frame.
func clientFrame(op byte, payload string) string {
	return announced(op, len(payload)) + masked(payload)
}

var clientMask = [4]byte{0x11, 0xa5, 0x00, 0xff}

func masked(payload string) string {
	b := []byte(payload)
	unmask(b, clientMask, 0)
	return string(b)
}

// announced returns the header of a masked frame, without its payload.
func announced(op byte, size int) string {
	b := appendHeader(nil, op&0xf, size)
	b[0], b[1] = op, b[1]|0x80
	return string(append(b, clientMask[:]...))
}

const last = 0x80

// echoes serves an endpoint that uses our upgrade, sessions, reading and writing to send every
// message back.
func echoes(srv *Server) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !srv.upgradable(w, r, caller{}) {
			return
		}
		ses := srv.upgrade(w, r, caller{}, &upgrader, func(s *session, kind messageKind, b []byte) {
			s.queue(message{kind, bytes.Clone(b)}, nil)
		})
		if ses != nil {
			srv.start(ses)
		}
	})
}

// bytesClient is a connection whose bytes the test writes itself.
type bytesClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
}

func (h *testGateway) raw(path string) *bytesClient {
	conn := h.dial(path).ws.NetConn()
	return &bytesClient{h.t, conn, bufio.NewReader(conn)}
}

// echo returns a raw connection to a session that echoes.
func (h *testGateway) echo() *bytesClient {
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: echoes(h.srv)}
	go func() { _ = server.Serve(l) }()
	h.t.Cleanup(func() { _ = server.Close() })
	c := (&testGateway{t: h.t, pipes: l}).raw("/")
	_ = l.Close()
	return c
}

func (c *bytesClient) write(frames ...string) {
	// the other end may have closed
	go func() { _, _ = io.WriteString(c.conn, strings.Join(frames, "")) }()
}

// next returns the server's next frame, skipping its own pings.
func (c *bytesClient) next() (op byte, payload string) {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		var head [2]byte
		if _, err := io.ReadFull(c.r, head[:]); err != nil {
			return 0, err.Error()
		}
		size := uint64(head[1])
		switch size {
		case 126:
			var b [2]byte
			_, _ = io.ReadFull(c.r, b[:])
			size = uint64(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			_, _ = io.ReadFull(c.r, b[:])
			size = binary.BigEndian.Uint64(b[:])
		}
		b := make([]byte, size)
		if _, err := io.ReadFull(c.r, b); err != nil {
			c.t.Fatalf("frame %x breaks off: %v", head, err)
		}
		if head[0] != last|opPing {
			return head[0], string(b)
		}
	}
}

// answers returns the server's frames up to its close, as text. A close is its code.
func (c *bytesClient) answers() (out []string) {
	c.t.Helper()
	for {
		op, payload := c.next()
		switch {
		case op == 0:
			return append(out, payload)
		case op == last|opClose:
			return append(out, fmt.Sprint(binary.BigEndian.Uint16([]byte(payload))))
		default:
			out = append(out, fmt.Sprintf("%x:%s", op&0xf, payload))
		}
	}
}

// The answer to every kind of frame, up to the close.
func TestFramesAreJudged(t *testing.T) {
	bye := clientFrame(last|opClose, "\x03\xe8")
	long := strings.Repeat("x", 300)
	for name, c := range map[string]struct{ send, want string }{
		"empty text":                  {clientFrame(last|opText, "") + bye, "1:,1000"},
		"text":                        {clientFrame(last|opText, "hé") + bye, "1:hé,1000"},
		"text of 16-bit length":       {clientFrame(last|opText, long) + bye, "1:" + long + ",1000"},
		"binary":                      {clientFrame(last|opBinary, "\xff\x00") + bye, "2:\xff\x00,1000"},
		"parts":                       {clientFrame(opText, "h\xc3") + clientFrame(0, "") + clientFrame(last, "\xa9") + bye, "1:hé,1000"},
		"parts with a ping between":   {clientFrame(opText, "h\xc3") + clientFrame(last|opPing, "p") + clientFrame(last, "\xa9") + bye, "a:p,1:hé,1000"},
		"ping of the most":            {clientFrame(last|opPing, long[:125]) + bye, "a:" + long[:125] + ",1000"},
		"pings, each in its turn":     {clientFrame(last|opPing, "1") + clientFrame(last|opPing, "") + clientFrame(last|opPing, "3") + bye, "a:1,a:,a:3,1000"},
		"pong that nobody asked for":  {clientFrame(last|opPong, "x") + bye, "1000"},
		"close without code":          {clientFrame(last|opClose, ""), "1000"},
		"close with a reason":         {clientFrame(last|opClose, "\x03\xe8bye é"), "1000"},
		"close of a library":          {clientFrame(last|opClose, "\x0b\xb8"), "1000"},
		"close of an application":     {clientFrame(last|opClose, "\x13\x87"), "1000"},
		"what follows a close":        {clientFrame(last|opClose, "") + clientFrame(last|opText, "x"), "1000"},
		"reserved bit":                {clientFrame(last|0x40|opText, "x"), "1002"},
		"reserved bits of a control":  {clientFrame(last|0x70|opPing, "x"), "1002"},
		"reserved opcode":             {clientFrame(last|3, "x"), "1002"},
		"reserved control":            {clientFrame(last|0xb, "x"), "1002"},
		"not masked":                  {"\x81\x01x", "1002"},
		"control in parts":            {clientFrame(opPing, "x"), "1002"},
		"control too long":            {clientFrame(last|opPing, long[:126]), "1002"},
		"close too long":              {clientFrame(last|opClose, "\x03\xe8"+long[:124]), "1002"},
		"continuation of nothing":     {clientFrame(last, "x"), "1002"},
		"continuation after the last": {clientFrame(opText, "a") + clientFrame(last, "b") + clientFrame(0, "c"), "1:ab,1002"},
		"text inside text":            {clientFrame(opText, "a") + clientFrame(last|opText, "b"), "1002"},
		"binary inside text":          {clientFrame(opText, "a") + clientFrame(last|opBinary, "b"), "1002"},
		"half a code":                 {clientFrame(last|opClose, "\x03"), "1002"},
		"close 0":                     {clientFrame(last|opClose, "\x00\x00"), "1002"},
		"close 999":                   {clientFrame(last|opClose, "\x03\xe7"), "1002"},
		"close 1004":                  {clientFrame(last|opClose, "\x03\xec"), "1002"},
		"close 1005":                  {clientFrame(last|opClose, "\x03\xed"), "1002"},
		"close 1006":                  {clientFrame(last|opClose, "\x03\xee"), "1002"},
		"close 1015":                  {clientFrame(last|opClose, "\x03\xf7"), "1002"},
		"close 2999":                  {clientFrame(last|opClose, "\x0b\xb7"), "1002"},
		"close 5000":                  {clientFrame(last|opClose, "\x13\x88"), "1002"},
		"reason not UTF-8":            {clientFrame(last|opClose, "\x03\xe8\xce\xba\xed\xa0\x80"), "1007"},
		"length of 2^63":              {"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", "1002"},
		"not UTF-8":                   {clientFrame(last|opText, "a\xff"), "1007"},
		"ends inside a character":     {clientFrame(last|opText, "a\xc3"), "1007"},
		"continued into none":         {clientFrame(opText, "a\xc3") + clientFrame(last, "a"), "1007"},
		"ends inside, in parts":       {clientFrame(opText, "a\xe2\x82") + clientFrame(last, ""), "1007"},
		"a message before it":         {clientFrame(last|opText, "a") + clientFrame(last|opText, "\xff"), "1:a,1007"},
		"binary is any bytes":         {clientFrame(opBinary, "\xff") + clientFrame(last, "\xc3") + bye, "2:\xff\xc3,1000"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(t *testing.T, h *testGateway) {
				e := h.echo()
				e.write(c.send)
				if got := strings.Join(e.answers(), ","); got != c.want {
					t.Errorf("answered %q, want %q", got, c.want)
				}
				_ = e.conn.Close()
			})
		})
	}
}

// A client's fault is noticed at the first byte that shows it, without waiting for more.
func TestFaultsAreSeenAtOnce(t *testing.T) {
	const limit = 1000
	for name, c := range map[string]struct{ path, send, want string }{
		"too long a text":         {"/v1/ws", announced(last|opText, limit+1), "1106,4503"},
		"too long a binary":       {"/v1/ws", announced(last|opBinary, limit+1), "1106,4503"},
		"2^62 bytes":              {"/v1/ws", "\x82\xff\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", "1106,4503"},
		"too long in parts":       {"/v1/ws", clientFrame(opText, "1234") + announced(last, limit-3), "1106,4503"},
		"too long, plain":         {"/dashboard/checkout", announced(last|opText, limit+1), "4503"},
		"too long a binary, pl.":  {"/dashboard/checkout", announced(opBinary, limit+1), "4503"},
		"in parts, plain":         {"/dashboard/checkout", clientFrame(opBinary, "1234") + announced(0, limit-3), "4503"},
		"too long a control":      {"/v1/ws", "\x89\xfe", "1002"},
		"not masked":              {"/v1/ws", "\x81\x7e", "1002"},
		"not masked, plain":       {"/dashboard/checkout", "\x81\x7e", "1002"},
		"not UTF-8":               {"/v1/ws", announced(last|opText, 900) + masked("{\xc0"), "1007"},
		"not UTF-8, plain":        {"/dashboard/checkout", announced(last|opText, 900) + masked("{\xff"), "1007"},
		"a surrogate, 2 bytes in": {"/v1/ws", announced(opText, 900) + masked("{\xed\xa0"), "1007"},
		"beyond U+10FFFF":         {"/v1/ws", announced(opText, 900) + masked("{\xf4\x90"), "1007"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{Sessions: Sessions{FrameBytes: limit}}, func(t *testing.T, h *testGateway) {
				r := h.raw(c.path)
				if _, first := r.next(); !strings.Contains(first, `"connected"`) && !strings.Contains(first, `"initial-state"`) {
					t.Fatalf("first frame %s", first)
				}
				r.write(c.send)
				began := time.Now()
				var got []string
				for _, a := range r.answers() {
					if f, err := wire.ParseFrame([]byte(strings.TrimPrefix(a, "1:"))); err == nil {
						a = fmt.Sprint(int(f.(*wire.ErrorFrame).Code))
					}
					got = append(got, a)
				}
				if s := strings.Join(got, ","); s != c.want || time.Since(began) != 0 {
					t.Errorf("answered %q after %v, want %q at once", s, time.Since(began), c.want)
				}
				began = time.Now()
				// the client sends nothing more, and is cut
				if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
					t.Errorf("after the close: %v", err)
				}
				if d := time.Since(began); d > closeGrace {
					t.Errorf("the connection stayed for %v", d)
				}
				synctest.Wait()
				if n := h.srv.Sessions(); n != 0 {
					t.Errorf("%d sessions are left", n)
				}
			})
		})
	}
}

// A message of exactly the limit is accepted, whole or in parts, in both dialects.
func TestMessageOfTheLimit(t *testing.T) {
	inBubble(t, Config{Sessions: Sessions{FrameBytes: 100}}, func(t *testing.T, h *testGateway) {
		e := h.echo()
		x := strings.Repeat("x", 100)
		e.write(clientFrame(last|opText, x), clientFrame(opBinary, x[:60]), clientFrame(0, ""), clientFrame(last, x[:40]), clientFrame(last|opClose, ""))
		if got := strings.Join(e.answers(), ","); got != "1:"+x+",2:"+x+",1000" {
			t.Errorf("answered %q", got)
		}
		_ = e.conn.Close()
		p := h.raw("/dashboard/checkout")
		p.next()
		p.write(clientFrame(last|opBinary, x), clientFrame(last|opText, x), clientFrame(last|opPing, "p"), clientFrame(last|opClose, ""))
		if got := strings.Join(p.answers(), ","); got != "a:p,1000" {
			t.Errorf("plain: answered %q", got)
		}
		_ = p.conn.Close()
	})
}

// utf8Cases returns characters at every boundary, and everything that looks like a character and is
// none.
func utf8Cases() (cases []string) {
	for _, r := range []rune{0, 1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfdd0, 0xfffd, 0xfffe, 0xffff, 0x10000, 0x1fffe, 0x10fffe, 0x10ffff} {
		s := string(r)
		cases = append(cases, s)
		for cut := 1; cut < len(s); cut++ {
			cases = append(cases, s[:cut], s[cut:])
		}
	}
	for b := 0x80; b < 0x100; b++ {
		cases = append(cases, string([]byte{byte(b)}), string([]byte{byte(b), 0x80}), string([]byte{byte(b), 0xbf, 0xbf, 0xbf}), string([]byte{byte(b), 0x80, 0x80}))
	}
	for b := 0x7f; b < 0xc1; b++ { // the second byte decides
		for _, first := range []byte{0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf3, 0xf4} {
			cases = append(cases, string([]byte{first, byte(b), 0x80, 0x80}), string([]byte{first, byte(b), 0xbf}))
		}
	}
	return append(cases,
		"κόσμε", "Hello-µ@ßöäüàá-UTF-8!!",
		// overlong
		"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf",
		"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xfe\xfe\xff\xff", "\xf4\x90\x80\x80",
		"\xed\xa0\x80", "\xed\xaf\xbf\xed\xb0\x80", "\xed\xbf\xbf", // surrogates
	)
}

// Text is accepted if the standard library accepts it as UTF-8, however it is cut into frames and
// reads. Otherwise it is refused no later than at the byte where the standard library stops.
func TestTextIsUTF8(t *testing.T) {
	for _, c := range utf8Cases() {
		text := "ok " + c + " ok"
		for cut := 0; cut <= len(text); cut++ {
			for _, frames := range []string{
				clientFrame(last|opText, text),
				clientFrame(opText, text[:cut]) + clientFrame(last, text[cut:]),
			} {
				in := incoming{r: bufio.NewReaderSize(&slow{strings.NewReader(frames), 1 + cut}, 16), limit: 100, control: func(byte, []byte) {}}
				h, err := in.next()
				if err != nil {
					t.Fatal(err)
				}
				b, err := in.rest(h, nil)
				var v *violation
				switch {
				case utf8.ValidString(text) && (err != nil || string(b) != text):
					t.Errorf("%q cut at %d: %q, %v", text, cut, b, err)
				case !utf8.ValidString(text) && (!errors.As(err, &v) || v.code != wire.CloseNotText):
					t.Errorf("%q cut at %d was taken: %v", text, cut, err)
				}
			}
		}
	}
}

// slow returns at most n bytes per read.
type slow struct {
	r io.Reader
	n int
}

func (s *slow) Read(b []byte) (int, error) { return s.r.Read(b[:min(len(b), s.n)]) }

// Any bytes are messages within the limit, or end reading. An accepted message is what its frames
// contain.
func FuzzIncoming(f *testing.F) {
	f.Add([]byte(clientFrame(opText, "a") + clientFrame(last|opPing, "p") + clientFrame(last, "é")))
	f.Add([]byte(clientFrame(last|opClose, "\x03\xe8bye")))
	f.Add([]byte(announced(last|opBinary, 1<<40)))
	f.Fuzz(func(t *testing.T, b []byte) {
		in := incoming{r: bufio.NewReaderSize(bytes.NewReader(b), 512), limit: 64, control: func(_ byte, p []byte) {
			if len(p) > maxControlPayload {
				t.Fatalf("a control frame of %d bytes", len(p))
			}
		}}
		for {
			h, err := in.next()
			if err != nil {
				return
			}
			got, err := in.rest(h, nil)
			if len(got) > 64 || err == nil && h.op == opText && !utf8.Valid(got) {
				t.Fatalf("took %q", got)
			}
			if err != nil {
				return
			}
		}
	})
}

// TestFramesOfABatch: a batch has the same bytes, whether it is copied or written without copying.
func TestFramesOfABatch(t *testing.T) {
	long := bytes.Repeat([]byte("x"), copiedBytes+1)
	for _, c := range []struct {
		batch outgoing
		want  string
	}{
		{outgoing{}, ""},
		{outgoing{ping: true}, "\x89\x00"},
		{outgoing{messages: []message{{textMessage, []byte("a")}, {pongMessage, []byte("b")}, {binaryMessage, []byte("c")}}}, "\x81\x01a\x8a\x01b\x82\x01c"},
		{outgoing{update: &frame{payloads: [][]byte{[]byte("u"), []byte("v")}}, closing: 4001}, "\x81\x01u\x81\x01v\x88\x0c\x0f\xa1slow write"},
		{outgoing{messages: []message{{textMessage, []byte("a")}}, update: &frame{payloads: [][]byte{long, []byte("v"), long}}, ping: true}, "\x81\x01a\x81\x7e\x10\x01" + string(long) + "\x81\x01v\x81\x7e\x10\x01" + string(long) + "\x89\x00"},
	} {
		copied := string(appendBatch(nil, &c.batch))
		var pieces []string
		for _, b := range buffersOf(&c.batch) {
			pieces = append(pieces, string(b))
		}
		if copied != c.want || strings.Join(pieces, "") != c.want {
			t.Errorf("got %.80q and %.80q, want %.80q", copied, pieces, c.want)
		}
		if len(copied) > sizeOf(&c.batch) {
			t.Errorf("%d bytes, where %d were counted", len(copied), sizeOf(&c.batch))
		}
	}
}
