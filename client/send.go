package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/klauspost/compress/gzip"
)

// compressAbove is the size from which compressing a batch pays.
const compressAbove = 4 << 10

// appended is the server's answer to a batch.
type appended struct {
	Accepted     uint64            `json:"accepted"`
	Refused      []refused         `json:"refused"`
	RefusedCount uint64            `json:"refusedCount"`
	Positions    map[string]string `json:"positions"` // partition → position of the last event in it
}

type refused struct {
	Index   int    `json:"index"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// send sends one batch until it is stored or refused.
func (p *Publisher) send(ctx context.Context, batch []item) error {
	if p.options.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.options.Patience)
		defer cancel()
	}
	body := ndjson(batch)
	for b := (backoff{}); ; {
		a, err := p.client.appendBatch(ctx, p.options.Dashboard, body)
		if err == nil {
			p.count(a, batch)
			return nil
		}
		after, again := retryable(err)
		if !again {
			return p.split(ctx, batch, err)
		}
		wait := b.next(after)
		if p.options.Retried != nil {
			p.options.Retried(b.attempts, wait, err)
		}
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
			return err
		}
		if pause(ctx, wait) != nil {
			return err
		}
		p.retries.Add(1)
	}
}

// split sends a batch that is too big for the server in halves.
func (p *Publisher) split(ctx context.Context, batch []item, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Status != http.StatusRequestEntityTooLarge {
		return err
	}
	if len(batch) == 1 {
		p.count(appended{Refused: []refused{{Reason: "too_large", Message: e.Message}}, RefusedCount: 1}, batch)
		return nil
	}
	half := len(batch) / 2
	if err := p.send(ctx, batch[:half]); err != nil {
		return err
	}
	return p.send(ctx, batch[half:])
}

func (p *Publisher) count(a appended, batch []item) {
	p.accepted.Add(a.Accepted)
	p.refused.Add(max(a.RefusedCount, uint64(len(a.Refused))))
	stored := Stored{Unlisted: a.RefusedCount - min(a.RefusedCount, uint64(len(a.Refused))), Positions: a.Positions}
	for _, r := range a.Refused {
		if r.Index < 0 || r.Index >= len(batch) {
			continue
		}
		stored.Refused = append(stored.Refused, r.Index)
		if p.options.Refused != nil {
			p.options.Refused(Refusal{batch[r.Index].payload, r.Reason, r.Message, batch[r.Index].tag})
		}
	}
	if p.options.Stored == nil {
		return
	}
	for _, i := range batch {
		stored.Tags = append(stored.Tags, i.tag)
	}
	p.options.Stored(stored)
}

// retryable reports whether the same request may succeed later, and when.
func retryable(err error) (after time.Duration, again bool) {
	var unreachable *UnreachableError
	var tokenless *TokenError
	if errors.As(err, &unreachable) || errors.As(err, &tokenless) {
		return 0, !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	var e *Error
	if errors.As(err, &e) {
		return e.After, e.Retry || e.Status == http.StatusTooManyRequests || e.Status == http.StatusServiceUnavailable
	}
	return 0, false
}

// ndjson writes the batch as a body with one event a line.
func ndjson(batch []item) []byte {
	size := 0
	for _, i := range batch {
		size += len(i.payload) + 1
	}
	body := make([]byte, 0, size)
	for _, i := range batch {
		start := len(body)
		body = append(body, i.payload...)
		// pretty-printed events: a line break is only space in JSON
		for i, c := range body[start:] {
			if c == '\n' || c == '\r' {
				body[start+i] = ' '
			}
		}
		body = append(body, '\n')
	}
	return body
}

// appendBatch posts one batch. If every event was refused, it returns the answer as usual.
func (c *Client) appendBatch(ctx context.Context, dashboard string, body []byte) (appended, error) {
	query := url.Values{}
	if dashboard != "" {
		query.Set("dashboard", dashboard)
	}
	h := http.Header{}
	h.Set("Content-Type", "application/x-ndjson")
	if len(body) >= compressAbove {
		body = compressed(body)
		h.Set("Content-Encoding", "gzip")
	}
	status, header, answer, err := c.do(ctx, http.MethodPost, c.address("/v1/events", query), h, body)
	if err != nil {
		return appended{}, err
	}
	var a appended
	err = json.Unmarshal(answer, &a)
	if status == http.StatusAccepted {
		if err != nil {
			return a, fmt.Errorf("read the answer to events: %w", err)
		}
		return a, nil
	}
	if status == http.StatusBadRequest && err == nil && len(a.Refused) > 0 {
		return a, nil
	}
	return a, answered(status, header, answer)
}

func compressed(body []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	w.Write(body)
	w.Close()
	return b.Bytes()
}

// maxAnswerBytes bounds one HTTP answer.
const maxAnswerBytes = 256 << 20

// do sends one request with the token and reads its whole answer. If the server refuses the token,
// which does nothing else, and there is another one, do repeats the request once with that.
func (c *Client) do(ctx context.Context, method string, address *url.URL, header http.Header, body []byte) (int, http.Header, []byte, error) {
	text, err := c.tokens.current(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	authorize(header, text)
	status, answered, answer, err := c.anywhere(ctx, method, address, header, body)
	if err != nil || status != http.StatusUnauthorized || !c.tokens.renewable() {
		return status, answered, answer, err
	}
	c.tokens.drop(text)
	another, err := c.tokens.current(ctx)
	if err != nil {
		return 0, nil, nil, err
	}
	if another == text {
		return status, answered, answer, nil
	}
	authorize(header, another)
	return c.anywhere(ctx, method, address, header, body)
}

// anywhere sends one request and reads its whole answer. If a server can't be reached, so that
// nothing was sent, or answers no reads for now, it tries each of the other servers before it gives
// up.
func (c *Client) anywhere(ctx context.Context, method string, address *url.URL, header http.Header, body []byte) (int, http.Header, []byte, error) {
	for asked := 1; ; asked++ {
		status, answered, answer, err := c.once(ctx, method, address, header, body)
		elsewhere := unsent(err) || method == http.MethodGet && status == http.StatusServiceUnavailable
		if !elsewhere || asked >= len(c.bases) || ctx.Err() != nil {
			return status, answered, answer, err
		}
		next := c.base(c.at.Load())
		u := *address
		u.Scheme, u.Host = next.Scheme, next.Host
		address = &u
	}
}

// once sends one request to one server.
func (c *Client) once(ctx context.Context, method string, address *url.URL, header http.Header, body []byte) (int, http.Header, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	request.Header = header
	response, err := c.http.Do(request)
	if err != nil {
		c.turn(address)
		return 0, nil, nil, &UnreachableError{serverOf(address), reason(err)}
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err != nil {
		c.turn(address)
		return 0, nil, nil, &UnreachableError{serverOf(address), err}
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		c.turn(address)
	}
	return response.StatusCode, response.Header, answer, nil
}

// unsent reports whether no connection was made, so that the server did not get the request.
func unsent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// serverOf returns the scheme and host of an address.
func serverOf(address *url.URL) string { return address.Scheme + "://" + address.Host }

// reason strips method and address from an HTTP error: UnreachableError names them.
func reason(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
