package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// againstVariable names other binaries, separated by commas, to measure in turn with this one: on a
// machine that others use, only figures of one run can be compared.
const againstVariable = "BENCH_AGAINST"

// posting measures what a single process spends on POST /v1/events, from the socket to the folded
// event, with fsync: the CPU time by /proc while events come, minus what it spends while none come.
func posting(ctx context.Context, b *bench) error {
	const rounds = 3
	binaries := []string{b.binary}
	if others := os.Getenv(againstVariable); others != "" {
		binaries = append(binaries, strings.Split(others, ",")...)
	}
	for _, c := range []postCase{{1, 2_000, 120}, {20, 10_000, 20}, {200, 40_000, 6}} {
		spent := make([]float64, len(binaries))
		for round := range rounds {
			for i, binary := range binaries {
				each, err := b.postOne(ctx, binary, fmt.Sprintf("post-%d-%d-%d", c.events, round, i), c)
				if err != nil {
					return err
				}
				spent[i] += each / rounds
			}
		}
		for i, binary := range binaries {
			b.figure(fmt.Sprintf("POST, %d a request, %s", c.events, binary), spent[i], c.target, "us")
		}
		b.machine()
	}
	return nil
}

// postCase is a load: events in a request, and events a second.
type postCase struct {
	events, rate int
	target       float64 // us of CPU an event
}

const (
	postConnections = 32
	postDashboards  = 50
)

// postOne returns the us of CPU that a process of that binary spends on an event.
func (b *bench) postOne(ctx context.Context, binary, name string, c postCase) (each float64, err error) {
	const warm, idle, lasts = time.Second, 2 * time.Second, 8 * time.Second
	p, err := process.Start(ctx, process.Config{Binary: binary, Data: b.dir + "/" + name, Log: os.Stderr})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if _, err := postEvents(ctx, p.URL, c, warm); err != nil {
		return 0, err
	}
	still, err := spentOver(p, func() error { return wait(ctx, idle) })
	if err != nil {
		return 0, err
	}
	profiled := b.profile(p, name, lasts)
	sent := 0
	busy, err := spentOver(p, func() error {
		sent, err = postEvents(ctx, p.URL, c, lasts)
		return err
	})
	profiled()
	busy -= still * lasts / idle
	return float64(busy.Nanoseconds()) / 1000 / float64(sent), err
}

// spentOver returns the CPU time that a process uses while do runs.
func spentOver(p *process.Process, do func() error) (time.Duration, error) {
	before, err := p.CPU()
	if err := errors.Join(err, do()); err != nil {
		return 0, err
	}
	after, err := p.CPU()
	return after - before, err
}

// postEvents sends events on connections that stay open, and returns how many were accepted.
func postEvents(ctx context.Context, server string, c postCase, lasts time.Duration) (sent int, err error) {
	at, err := url.Parse(server)
	if err != nil {
		return 0, err
	}
	posts, ctx := errgroup.WithContext(ctx)
	taken := make([]int, postConnections)
	for i := range postConnections {
		posts.Go(func() (err error) {
			taken[i], err = postOn(ctx, at.Host, c, i, lasts)
			return err
		})
	}
	err = posts.Wait()
	for _, n := range taken {
		sent += n
	}
	return sent, err
}

// postOn sends one connection's share of the requests.
func postOn(ctx context.Context, host string, c postCase, number int, lasts time.Duration) (sent int, err error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	every := time.Second * time.Duration(c.events*postConnections) / time.Duration(c.rate)
	began := time.Now().Add(every * time.Duration(number) / postConnections)
	for n := 0; ; n++ {
		at := time.Duration(n) * every
		if at >= lasts {
			return sent, nil
		}
		if err := wait(ctx, time.Until(began.Add(at))); err != nil {
			return sent, err
		}
		if _, err := io.WriteString(conn, postRequest(host, c, number, n)); err != nil {
			return sent, err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return sent, err
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusAccepted {
			return sent, fmt.Errorf("POST /v1/events: %s: %s: %w", answer.Status, text, err)
		}
		sent += c.events
	}
}

// postRequest returns a request as a client library sends it, with events of about 150 bytes.
func postRequest(host string, c postCase, connection, n int) string {
	var body strings.Builder
	for i := range c.events {
		fmt.Fprintf(&body, `{"id":"e%d-%d-%d","dashboard":"d%d","metric":"latency","value":%d,"time":%d,"labels":{"country":"DE","host":"host-%04d"},"metadata":{"unit":"ms"}}`+"\n",
			connection, n, i, (n+i)%postDashboards, n, time.Now().UnixMilli(), n%100)
	}
	return fmt.Sprintf("POST /v1/events HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: %d\r\nContent-Type: application/x-ndjson\r\nAccept-Encoding: gzip\r\n\r\n%s", host, body.Len(), body.String())
}
