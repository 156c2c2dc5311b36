package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

// latency sends 2,000 single events a second, spread over 50 dashboards; each event's value is its
// number. It measures the time from before the POST until a WebSocket client that subscribed
// without maxRate has read the frame with the value. An event that a newer one replaced within a
// flush has no frame of its own: its time ends with the frame of the newer value, as a viewer sees
// it.
func latency(ctx context.Context, b *bench) error {
	const (
		dashboards = 50
		rate       = 2000
		warm       = 3 * time.Second
		duration   = 20 * time.Second
	)
	p, err := b.start(ctx, "latency")
	if err != nil {
		return err
	}
	defer p.Stop()
	l := &latencyRun{sent: make([]time.Time, 0, rate*30), seen: make([][]int, dashboards)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	viewers, viewing := errgroup.WithContext(ctx)
	for d := range dashboards {
		conn, _, err := websocket.DefaultDialer.Dial(strings.Replace(p.URL, "http", "ws", 1)+"/v1/ws", nil)
		if err != nil {
			return err
		}
		context.AfterFunc(viewing, func() { conn.Close() })
		if err := conn.WriteJSON(map[string]any{"type": "subscribe", "id": 1, "dashboard": fmt.Sprintf("d%d", d), "panels": []string{"latest"}}); err != nil {
			return err
		}
		viewers.Go(func() error { return l.view(viewing, conn, d) })
	}
	if err := l.send(ctx, p.URL, dashboards, rate, warm+duration); err != nil {
		return err
	}
	time.Sleep(200 * time.Millisecond) // wait for the last frames
	cancel()
	if err := viewers.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	samples := l.samples(int(warm.Seconds() * rate))
	if len(samples) == 0 {
		return errors.New("no frame came")
	}
	at := func(q float64) float64 { return float64(samples[int(q*float64(len(samples)-1))].Microseconds()) / 1000 }
	fmt.Fprintf(b.out, "latency: %d samples over %s, %d events/s, %d dashboards, fsync; %d events without a later frame\n",
		len(samples), duration, rate, dashboards, l.lost)
	b.figure("POST to frame p50", at(0.50), 5, "ms")
	b.figure("POST to frame p99", at(0.99), 30, "ms")
	fmt.Fprintf(b.out, "p90 %.2f ms, p99.9 %.2f ms, max %.2f ms; POST alone p50 %.2f ms, p99 %.2f ms\n", at(0.9), at(0.999), at(1),
		quantile(l.posts, 0.5), quantile(l.posts, 0.99))
	return nil
}

type latencyRun struct {
	mu    sync.Mutex
	sent  []time.Time // by event number
	took  []time.Duration
	seen  [][]int // numbers sent and not yet seen, by dashboard
	posts []time.Duration
	lost  int
}

func (l *latencyRun) send(ctx context.Context, url string, dashboards, rate int, duration time.Duration) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}
	posts, posting := errgroup.WithContext(ctx)
	posts.SetLimit(256)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for n := 0; time.Since(began) < duration; {
		select {
		case <-tick.C:
		case <-posting.Done():
			return posts.Wait()
		}
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
			d := n % dashboards
			l.mu.Lock()
			l.sent = append(l.sent, time.Now())
			l.took = append(l.took, -1)
			l.seen[d] = append(l.seen[d], n)
			l.mu.Unlock()
			body := fmt.Appendf(nil, `{"id":"e%d","dashboard":"d%d","metric":"number","value":%d,"time":%d,"labels":{"country":"DE"}}`, n, d, n, time.Now().UnixMilli())
			posts.Go(func() error { return l.post(client, url, body) })
		}
	}
	return posts.Wait()
}

func (l *latencyRun) post(client *http.Client, url string, body []byte) error {
	began := time.Now()
	resp, err := client.Post(url+"/v1/events", "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("POST /v1/events: %s: %s", resp.Status, text)
	}
	l.mu.Lock()
	l.posts = append(l.posts, time.Since(began))
	l.mu.Unlock()
	return nil
}

// view reads the frames of one dashboard's latest panel. The first value of its cell is the newest
// event's number.
func (l *latencyRun) view(ctx context.Context, conn *websocket.Conn, d int) error {
	for {
		_, data, err := conn.ReadMessage()
		now := time.Now()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("viewer of d%d: %w", d, err)
		}
		var frame struct {
			Type  string
			Cells [][]json.RawMessage
		}
		if err := json.Unmarshal(data, &frame); err != nil {
			return err
		}
		if frame.Type != "update" || len(frame.Cells) == 0 {
			continue
		}
		cell := frame.Cells[len(frame.Cells)-1]
		var values []json.RawMessage
		var number int
		if err := json.Unmarshal(cell[len(cell)-1], &values); err != nil {
			return fmt.Errorf("frame %s: %w", data, err)
		}
		if err := json.Unmarshal(values[0], &number); err != nil {
			return fmt.Errorf("frame %s: %w", data, err)
		}
		l.arrived(d, number, now)
	}
}

func (l *latencyRun) arrived(d, number int, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting := l.seen[d][:0]
	for _, n := range l.seen[d] {
		if n <= number {
			l.took[n] = now.Sub(l.sent[n])
		} else {
			waiting = append(waiting, n)
		}
	}
	l.seen[d] = waiting
}

// samples returns the sorted times of the events from number first on.
func (l *latencyRun) samples(first int) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []time.Duration
	for n := first; n < len(l.took); n++ {
		if l.took[n] < 0 {
			l.lost++
			continue
		}
		all = append(all, l.took[n])
	}
	slices.Sort(all)
	return all
}

func quantile(ds []time.Duration, q float64) float64 {
	slices.Sort(ds)
	return float64(ds[int(q*float64(len(ds)-1))].Microseconds()) / 1000
}
