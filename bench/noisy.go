package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	noisyLimit  = 2_000 // events/s of a tenant
	noisyEvents = 20    // events of a request
	quietRate   = 500   // events/s of each quiet tenant
	quiet       = 4     // tenants
	noisyPhase  = 5 * time.Second
	noisyRounds = 4
)

// noisy measures how long POST /v1/events takes for tenants within their limit, while another sends
// as much as its limit allows, and ten times as much. Both take turns in one run.
func noisy(ctx context.Context, b *bench) error {
	p, err := b.start(ctx, "noisy", "--limit", fmt.Sprintf("events=%d", noisyLimit))
	if err != nil {
		return err
	}
	defer p.Stop()
	at, err := url.Parse(p.URL)
	if err != nil {
		return err
	}
	calm, loud := &noisyRun{}, &noisyRun{}
	for range noisyRounds {
		if err := calm.phase(ctx, at.Host, 9*noisyLimit/10); err != nil {
			return err
		}
		if err := loud.phase(ctx, at.Host, 10*noisyLimit); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.out, "noisy: %d tenants with %d events/s each, %d a request, limit %d events/s, fsync; %d and %d samples\n",
		quiet, quietRate, noisyEvents, noisyLimit, len(calm.took), len(loud.took))
	for _, q := range []float64{0.5, 0.99} {
		fmt.Fprintf(b.out, "p%g of the others: %.2f ms while one is within its limit, %.2f ms while it is at ten times\n", q*100, quantile(calm.took, q), quantile(loud.took, q))
	}
	seconds := (noisyRounds * noisyPhase).Seconds()
	fmt.Fprintf(b.out, "of the noisy tenant %.0f and %.0f events/s were stored, and %d and %d requests refused\n",
		float64(calm.stored)/seconds, float64(loud.stored)/seconds, calm.refused, loud.refused)
	b.figure("p99 of the others, noisy / calm", quantile(loud.took, 0.99)/quantile(calm.took, 0.99), 1.5, "x")
	b.machine()
	return nil
}

// noisyRun is what happened in the phases of one kind.
type noisyRun struct {
	mu              sync.Mutex
	took            []time.Duration // of the quiet tenants' requests
	stored, refused int             // events and requests of the noisy tenant
}

// phase sends for noisyPhase: the noisy tenant at that rate on eight connections, each quiet one on
// one.
func (n *noisyRun) phase(ctx context.Context, host string, rate int) error {
	const loud = 8
	posts, ctx := errgroup.WithContext(ctx)
	for i := range loud {
		posts.Go(func() error { return n.send(ctx, host, "noisy", i, rate/loud, false) })
	}
	for i := range quiet {
		posts.Go(func() error { return n.send(ctx, host, fmt.Sprintf("quiet-%d", i), i, quietRate, true) })
	}
	return posts.Wait()
}

func (n *noisyRun) send(ctx context.Context, host, tenant string, number, rate int, quiet bool) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return err
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	every := time.Second * noisyEvents / time.Duration(rate)
	began := time.Now().Add(every * time.Duration(number) / 8)
	for at := time.Duration(0); at < noisyPhase; at += every {
		if err := wait(ctx, time.Until(began.Add(at))); err != nil {
			return err
		}
		text := postRequest(host, postCase{events: noisyEvents}, number, int(at/every))
		text = strings.Replace(text, "POST /v1/events ", "POST /v1/events?tenant="+tenant+" ", 1)
		sent := time.Now()
		if _, err := io.WriteString(conn, text); err != nil {
			return err
		}
		answer, err := http.ReadResponse(answers, nil)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(answer.Body)
		switch {
		case err != nil:
			return err
		case quiet && answer.StatusCode != http.StatusAccepted:
			return fmt.Errorf("POST /v1/events of %s: %s: %s", tenant, answer.Status, body)
		}
		n.note(quiet, answer.StatusCode, time.Since(sent))
	}
	return nil
}

func (n *noisyRun) note(quiet bool, status int, took time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case quiet:
		n.took = append(n.took, took)
	case status == http.StatusAccepted:
		n.stored += noisyEvents
	default:
		n.refused++
	}
}
