package client

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// endpoint is POST /v1/events in its smallest form: what it stored, and what it answers instead of
// storing.
type endpoint struct {
	mu     sync.Mutex
	bodies [][]string // ids of each request stored
	tries  [][]string // ids of each request
	at     []time.Time
	answer func(try int, w http.ResponseWriter) (answered bool) // nil: store
}

func (d *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		body, _ = gzip.NewReader(r.Body)
	}
	b, _ := io.ReadAll(body)
	var ids []string
	for line := range strings.Lines(string(b)) {
		var e struct{ ID string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			ids = append(ids, "unreadable "+line)
			continue
		}
		ids = append(ids, e.ID)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tries, d.at = append(d.tries, ids), append(d.at, time.Now())
	if d.answer != nil && d.answer(len(d.tries), w) {
		return
	}
	d.bodies = append(d.bodies, ids)
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprintf(w, `{"accepted":%d,"refused":[],"refusedCount":0,"positions":{"0":"1"}}`, len(ids))
}

func refuse(w http.ResponseWriter, status int, body string, header ...string) {
	for i := 0; i+1 < len(header); i += 2 {
		w.Header().Set(header[i], header[i+1])
	}
	w.WriteHeader(status)
	io.WriteString(w, body)
}

func event(id string) Event {
	return Event{ID: id, Dashboard: "d", Metric: "m", Value: 1}
}

func TestPublisherBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &endpoint{}
		c, _ := serve(t, d)
		p := c.Publisher(PublisherOptions{Count: 3, Delay: time.Second})
		for i := range 7 {
			if err := p.Publish(t.Context(), event(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := fmt.Sprint(d.bodies); got != "[[0 1 2] [3 4 5]]" {
			t.Errorf("before the delay: %s, want two whole batches", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := fmt.Sprint(d.bodies); got != "[[0 1 2] [3 4 5] [6]]" {
			t.Errorf("after the delay: %s, want the rest too", got)
		}
		if err := p.Publish(t.Context(), event("7")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.Flush(t.Context()); err != nil || time.Since(began) != 0 || len(d.bodies) != 4 {
			t.Errorf("flush: %v after %v, %v", err, time.Since(began), d.bodies)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if err := p.Publish(t.Context(), event("8")); !errors.Is(err, ErrPublisherClosed) {
			t.Errorf("after Close: %v", err)
		}
		if s := p.Stats(); s.Accepted != 8 || s.Refused != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestPublisherRetries: 429, 503 and network errors are retried with the same ids, not before
// Retry-After.
func TestPublisherRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &endpoint{}
		c, network := serve(t, d)
		d.answer = func(try int, w http.ResponseWriter) bool {
			switch try {
			case 1:
				refuse(w, 503, `{"error":{"code":1302,"message":"storage full","retry":true,"after":5000}}`, "Retry-After", "5")
			case 2:
				refuse(w, 429, "", "Retry-After", "40")
			default:
				return false
			}
			return true
		}
		p := c.Publisher(PublisherOptions{})
		for range 2 {
			if err := p.Publish(t.Context(), event("")); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(d.tries) != 3 || fmt.Sprint(d.tries[0]) != fmt.Sprint(d.tries[2]) || d.tries[0][0] == "" || d.tries[0][0] == d.tries[0][1] {
			t.Errorf("tries %v: want three with the same two ids", d.tries)
		}
		if first, second := d.at[1].Sub(d.at[0]), d.at[2].Sub(d.at[1]); first < 5*time.Second || second < 40*time.Second {
			t.Errorf("retried after %v and %v, the server asked for 5 s and 40 s", first, second)
		}
		network.set(true)
		if err := p.Publish(t.Context(), event("later")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		network.set(false)
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if last := d.bodies[len(d.bodies)-1]; fmt.Sprint(last) != "[later]" {
			t.Errorf("an hour without network: %v", d.bodies)
		}
		if p.Stats().Retries < 100 {
			t.Errorf("%d retries in an hour: want one in 15 s or so", p.Stats().Retries)
		}
	})
}

// TestPublisherBound: a server that stores nothing makes Publish wait once the buffer is full.
func TestPublisherBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &endpoint{answer: func(_ int, w http.ResponseWriter) bool { refuse(w, 503, ""); return true }}
		c, _ := serve(t, d)
		p := c.Publisher(PublisherOptions{Count: 2, Buffer: 5})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		taken := 0
		for p.Publish(ctx, event("")) == nil {
			taken++
		}
		if taken != 7 { // a batch in flight and the buffer
			t.Errorf("%d events were taken, want 7", taken)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err == nil {
			t.Error("Close returned nil, which means that all was stored")
		}
	})
}

// TestPublisherBytes: the buffer is bounded in bytes too.
func TestPublisherBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &endpoint{answer: func(_ int, w http.ResponseWriter) bool { refuse(w, 503, ""); return true }}
		c, _ := serve(t, d)
		p := c.Publisher(PublisherOptions{Buffer: 1 << 20})
		big := event("")
		big.Metadata = strings.Repeat("x", 1<<20)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		taken := 0
		for p.Publish(ctx, big) == nil {
			taken++
		}
		if taken != 7 { // each is a little over 1 MiB
			t.Errorf("%d events of 1 MiB were taken, want 7: the bound is 8 MiB", taken)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.Close(ctx)
	})
}

func TestPublisherFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &endpoint{answer: func(_ int, w http.ResponseWriter) bool {
			refuse(w, 401, `{"error":{"code":1101,"message":"no token","retry":false,"after":0}}`)
			return true
		}}
		c, _ := serve(t, d)
		p := c.Publisher(PublisherOptions{Buffer: 1, Count: 1})
		var err error
		for range 100 {
			if err = p.Publish(t.Context(), event("")); err != nil {
				break
			}
			synctest.Wait()
		}
		var refused *Error
		if !errors.As(err, &refused) || refused.Code != 1101 || refused.Status != 401 {
			t.Errorf("Publish: %v, want the server's error", err)
		}
		if err := p.Flush(t.Context()); !errors.As(err, &refused) {
			t.Errorf("Flush: %v", err)
		}
		if err := p.Close(t.Context()); !errors.As(err, &refused) {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestPublisherReportsRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &endpoint{answer: func(try int, w http.ResponseWriter) bool {
			if try == 1 {
				refuse(w, 202, `{"accepted":1,"refused":[{"index":1,"reason":"bad_label","message":"event 1: …"}],"refusedCount":1}`)
			} else {
				refuse(w, 400, `{"accepted":0,"refused":[{"index":0,"reason":"missing_metric","message":"…"}],"refusedCount":1,"error":{"code":1103,"message":"none"}}`)
			}
			return true
		}}
		c, _ := serve(t, d)
		var told []string
		p := c.Publisher(PublisherOptions{Count: 2, Refused: func(r Refusal) { told = append(told, r.Reason+" "+string(r.Event)) }})
		p.PublishJSON(t.Context(), []byte(`{"id":"a"}`))
		p.PublishJSON(t.Context(), []byte(`{"id":"b"}`))
		p.PublishJSON(t.Context(), []byte(`{"id":"c"}`))
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(told); got != `[bad_label {"id":"b"} missing_metric {"id":"c"}]` {
			t.Errorf("told %s", got)
		}
		if s := p.Stats(); s.Accepted != 1 || s.Refused != 2 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestPublisherSplits: the publisher halves a batch that is too big for the server.
func TestPublisherSplits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &endpoint{}
		c, _ := serve(t, d)
		d.answer = func(_ int, w http.ResponseWriter) bool {
			if last := d.tries[len(d.tries)-1]; len(last) > 1 || last[0] == "big" {
				refuse(w, 413, `{"error":{"code":1106,"message":"too big","retry":false,"after":0}}`)
				return true
			}
			return false
		}
		p := c.Publisher(PublisherOptions{Count: 4})
		for _, id := range []string{"a", "b", "big", "c"} {
			p.Publish(t.Context(), event(id))
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(d.bodies); got != "[[a] [b] [c]]" || p.Stats().Refused != 1 {
			t.Errorf("stored %s, refused %d", got, p.Stats().Refused)
		}
	})
}

func TestWithID(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:               `{"id":"x"}`,
		`{"a":1}`:          `{"a":1,"id":"x"}`,
		`{"a":"}" } `:      `{"a":"}" ,"id":"x"}`,
		`{"id":null}`:      `{"id":null,"id":"x"}`, // the last wins
		"{ \"a\" : {} \n}": "{ \"a\" : {} \n,\"id\":\"x\"}",
	} {
		if got := string(WithID([]byte(in), "x")); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
