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
	Doors      []string // base URLs of gateways; a sender that is refused tries the next
	Dashboards []string
	Rate       int           // events a second, of all senders together
	Every      time.Duration // a sender's bodies follow each other so; 0: 40 ms
	Senders    int           // 0: 2; each has one connection a gateway
	Account    *Account
}

// Run posts until ctx ends, and then until what was begun is acknowledged. A body that no gateway
// takes for 90 s is an error, and so is one of whose events some are refused. Where bodies are held
// up the rate is made up for afterwards.
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
	began, sent, door := time.Now(), 0, sender
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
			if door, err = l.deliver(client, door, events); err != nil {
				return err
			}
			l.Account.add(events)
		}
	}
}

// deliver sends one body until it is stored whole, and tells by which door.
func (l *Load) deliver(client *http.Client, door int, events []event) (int, error) {
	var body []byte
	for i := range events {
		body = append(events[i].append(body), '\n')
	}
	for deadline := time.Now().Add(patience); ; door++ {
		err := post(client, l.Doors[door%len(l.Doors)], body, len(events))
		if err == nil {
			return door, nil
		}
		if refused := (*refusedError)(nil); errors.As(err, &refused) {
			return door, err
		}
		if time.Now().After(deadline) {
			return door, fmt.Errorf("no gateway took %d events for %s, the last: %w", len(events), patience, err)
		}
		time.Sleep(again)
	}
}

// refusedError is an answer that another attempt will not better.
type refusedError struct{ answer string }

func (e *refusedError) Error() string { return "events refused for good: " + e.answer }

// post is nil where every event was stored.
func post(client *http.Client, door string, body []byte, events int) error {
	resp, err := client.Post(door+"/v1/events", "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := fmt.Sprintf("%s: %s: %.300s", door, resp.Status, text)
	switch {
	case resp.StatusCode == http.StatusAccepted && bytes.Contains(text, fmt.Appendf(nil, `"accepted":%d,`, events)):
		return nil
	case resp.StatusCode >= 500:
		return errors.New(answer)
	}
	return &refusedError{answer}
}
