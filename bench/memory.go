package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/dashfeed/dashfeed/chaos/process"
)

const mib = 1 << 20

// dashboards sends 10 events of 2 metrics to each of 100,000 dashboards under the default
// definition, and reads the process's resident memory while they are awake and, with a short
// --sleep, asleep.
func dashboards(ctx context.Context, b *bench) error {
	const count, events = 100_000, 10
	for _, phase := range []struct {
		name       string
		sleepAfter string
		target     float64
	}{{"awake", "1h", 400}, {"asleep", "2s", 20}} {
		p, err := b.start(ctx, "dashboards-"+phase.name, "--sleep", phase.sleepAfter, "--checkpoint", "2s")
		if err != nil {
			return err
		}
		err = b.fill(ctx, p, phase.name, count, events, phase.target)
		if stopped := p.Stop(); err != nil || stopped != nil {
			return errors.Join(err, stopped)
		}
	}
	return nil
}

func (b *bench) fill(ctx context.Context, p *process.Process, phase string, count, events int, target float64) error {
	// A first round over a few dashboards allocates what does not grow with their number.
	if err := post(p.URL, "warm", 0, 200, events); err != nil {
		return err
	}
	before, err := settled(ctx, p)
	if err != nil {
		return err
	}
	began := time.Now()
	for first := 0; first < count; first += 100 {
		if err := post(p.URL, "d", first, 100, events); err != nil {
			return err
		}
	}
	sent := time.Since(began)
	peak, err := p.RSS()
	if err != nil {
		return err
	}
	after, err := settled(ctx, p)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "dashboards %s: %d dashboards, %d events in %s; RSS %.0f MiB before, %.0f right after, %.0f settled\n", phase,
		count, count*events, sent.Round(time.Millisecond), float64(before)/mib, float64(peak)/mib, float64(after)/mib)
	b.figure("RSS growth "+phase, float64(after-before)/mib, target, "MiB")
	if phase != "asleep" {
		return nil
	}
	// After the restart all dashboards are asleep: this measures those that were never awake.
	if err := errors.Join(p.Stop(), p.Start(ctx)); err != nil {
		return err
	}
	if after, err = settled(ctx, p); err != nil {
		return err
	}
	b.figure("RSS growth asleep, after a restart", float64(after-before)/mib, target, "MiB")
	return nil
}

// post sends some events of two metrics to each of n dashboards in one body.
func post(url, prefix string, first, n, events int) error {
	var body bytes.Buffer
	for i := first; i < first+n; i++ {
		for e := range events {
			fmt.Fprintf(&body, `{"id":"e%d-%d","dashboard":"%s%d","metric":"m%d","value":%d.5,"time":%d}`+"\n",
				i, e, prefix, i, e%2, i, time.Now().UnixMilli())
		}
	}
	resp, err := http.Post(url+"/v1/events", "application/x-ndjson", &body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusAccepted {
		err = fmt.Errorf("POST /v1/events: %s: %.300s", resp.Status, text)
	}
	return err
}

// settled waits until the resident memory has stopped falling for 30 s, at most 3 minutes, and
// returns it.
func settled(ctx context.Context, p *process.Process) (int64, error) {
	least, err := p.RSS()
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for quiet, waited := 0, 0; quiet < 30 && waited < 180; waited++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		now, err := p.RSS()
		if err != nil {
			return 0, err
		}
		quiet++
		if now < least-mib {
			least, quiet = now, 0
		}
	}
	return p.RSS()
}

// sessions opens 10,000 plain sessions on 100 dashboards that have data and leaves them idle.
func sessions(ctx context.Context, b *bench) error {
	const count, dashboards = 10_000, 100
	p, err := b.start(ctx, "sessions", "--sleep", "1h")
	if err != nil {
		return err
	}
	defer p.Stop()
	if err := post(p.URL, "d", 0, dashboards, 1); err != nil {
		return err
	}
	warm, err := connect(p.URL, "127.0.0.1", 100, dashboards)
	if err != nil {
		return err
	}
	before, err := settled(ctx, p)
	if err != nil {
		return err
	}
	var open []net.Conn
	for i := range 8 {
		// Each has a loopback address of its own, so that ports never run short.
		more, err := connect(p.URL, fmt.Sprintf("127.0.0.%d", i+2), count/8, dashboards)
		open = append(open, more...)
		if err != nil {
			return err
		}
	}
	after, err := settled(ctx, p)
	if err != nil {
		return err
	}
	for _, c := range append(open, warm...) {
		c.Close()
	}
	fmt.Fprintf(b.out, "sessions: %d idle plain sessions on %d dashboards; RSS %.1f MiB before, %.1f settled\n", len(open), dashboards, float64(before)/mib, float64(after)/mib)
	b.figure("RSS of an idle plain session", float64(after-before)/1024/float64(len(open)), 12, "KiB")
	return nil
}

// connect opens n plain sessions from a loopback address and reads each one's first frame.
func connect(url, from string, n, dashboards int) ([]net.Conn, error) {
	var conns []net.Conn
	for i := range n {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
		ws := websocket.Dialer{NetDial: dialer.Dial, ReadBufferSize: 256, WriteBufferSize: 256}
		c, _, err := ws.Dial(strings.Replace(url, "http", "ws", 1)+fmt.Sprintf("/dashboard/d%d", i%dashboards), nil)
		if err != nil {
			return conns, fmt.Errorf("session %d: %w", i, err)
		}
		if _, _, err := c.ReadMessage(); err != nil {
			return conns, fmt.Errorf("session %d: %w", i, err)
		}
		conns = append(conns, c.NetConn())
	}
	return conns, nil
}
