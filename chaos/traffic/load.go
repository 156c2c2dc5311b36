package traffic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	maxBatch = 500 // events of one body
	again    = 50 * time.Millisecond
	patience = 90 * time.Second // for one body, over all its attempts
)

// Load posts events to gateways.
type Load struct {
	Name       string   // prefix of the ids
	Gateways   []string // base URLs; a sender that is refused tries the next
	Dashboards []string
	Rate       int           // events a second, of all senders together
	Every      time.Duration // time between two bodies of a sender; 0: 40 ms
	Senders    int           // 0: 2; each has one connection to each gateway
	Account    *Account
}

// Run posts until ctx ends, and then until everything begun is acknowledged. It returns an error if
// no gateway accepts a body for 90 s, or if a gateway refuses events. After a delay it sends faster
// until the rate is made up for.
func (l *Load) Run(ctx context.Context) error {
	senders := max(1, l.Senders)
	if l.Senders == 0 {
		senders = 2
	}
	group, ctx := errgroup.WithContext(ctx)
	for i := range senders {
		group.Go(func() error { return l.send(ctx, i, senders) })
	}
	return group.Wait()
}

func (l *Load) send(ctx context.Context, sender, senders int) error {
	every := l.Every
	if every == 0 {
		every = 40 * time.Millisecond
	}
	client := &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	name, rate := l.Name+strconv.Itoa(sender), float64(l.Rate)/float64(senders)
	began, sent, gateway := time.Now(), 0, sender
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		for due := int(time.Since(began).Seconds() * rate); sent < due && ctx.Err() == nil; {
			events := make([]event, 0, min(due-sent, maxBatch))
			for ; sent < due && len(events) < maxBatch; sent++ {
				events = append(events, makeEvent(name, sent*senders+sender, l.Dashboards))
			}
			var err error
			if gateway, err = l.deliver(client, gateway, events); err != nil {
				return err
			}
			l.Account.add(events)
		}
	}
}

// deliver sends one body until it is stored whole, and returns the gateway that took it.
func (l *Load) deliver(client *http.Client, gateway int, events []event) (int, error) {
	var body []byte
	for i := range events {
		body = append(events[i].append(body), '\n')
	}
	for deadline := time.Now().Add(patience); ; gateway++ {
		err := post(client, l.Gateways[gateway%len(l.Gateways)], body, len(events))
		if err == nil {
			return gateway, nil
		}
		if refused := (*refusedError)(nil); errors.As(err, &refused) {
			return gateway, err
		}
		if time.Now().After(deadline) {
			return gateway, fmt.Errorf("no gateway took %d events for %s, the last: %w", len(events), patience, err)
		}
		time.Sleep(again)
	}
}

// refusedError is an answer that a retry would not change.
type refusedError struct{ answer string }

func (e *refusedError) Error() string { return "events refused for good: " + e.answer }

// post returns nil if every event was stored.
func post(client *http.Client, gateway string, body []byte, events int) error {
	resp, err := client.Post(gateway+"/v1/events", "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := fmt.Sprintf("%s: %s: %.300s", gateway, resp.Status, text)
	switch {
	case resp.StatusCode == http.StatusAccepted && bytes.Contains(text, fmt.Appendf(nil, `"accepted":%d,`, events)):
		return nil
	case resp.StatusCode >= 500:
		return errors.New(answer)
	}
	return &refusedError{answer}
}
