package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/eventlog"
)

// Admin is a client of the broker's admin API.
type Admin struct {
	base     string
	security Security
	client   *http.Client
	timeout  time.Duration // of one request
}

// StatusError is an HTTP answer whose status is not a success.
type StatusError struct {
	method, path string
	code         int
	reason       string
}

func (e *StatusError) Error() string {
	hint := ""
	switch {
	case e.unknown():
		hint = ": the broker does not accept the token: give it one that is signed with its key, or none where it wants none"
	case e.refused():
		hint = ": the token's role may not do that: give one of a superuser or of the Pulsar tenant's admin"
	}
	return fmt.Sprintf("%s %s: status %d: %s%s", e.method, e.path, e.code, e.reason, hint)
}

// unknown reports whether the broker does not know who we are.
func (e *StatusError) unknown() bool {
	return e.code == http.StatusUnauthorized && !strings.Contains(e.reason, "Unauthorized to")
}

// refused reports whether the role may not do what was asked.
func (e *StatusError) refused() bool {
	return e.code == http.StatusForbidden || e.code == http.StatusUnauthorized && !e.unknown()
}

// Refused reports whether err says that the role may not do what was asked.
func Refused(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.refused()
}

// Status returns the HTTP status of an answer that failed, and 0 if err is no such answer.
func Status(err error) int {
	var s *StatusError
	if errors.As(err, &s) {
		return s.code
	}
	return 0
}

// errSlow is the cause of a request that took longer than its timeout.
var errSlow = errors.New("the admin API took too long")

// NewAdmin returns a client that has sent no request yet; timeout is of one request.
func NewAdmin(u string, s Security, timeout time.Duration) (*Admin, error) {
	config, err := s.TLSConfig()
	if err != nil {
		return nil, err
	}
	a := &Admin{base: strings.TrimSuffix(u, "/") + "/admin/v2/", security: s, timeout: timeout}
	a.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: config, Proxy: http.ProxyFromEnvironment},
		// the broker redirects to the broker that owns the topic
		CheckRedirect: func(r *http.Request, via []*http.Request) error { return a.authorize(r) },
	}
	return a, nil
}

func (a *Admin) authorize(r *http.Request) error {
	token, err := a.security.ReadToken()
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return err
}

// Within returns a copy with another timeout per request, for requests that take the broker longer.
func (a *Admin) Within(timeout time.Duration) *Admin {
	b := *a
	b.timeout = timeout
	return &b
}

// Do sends a request below admin/v2/ and decodes the answer into out, unless out is nil.
func (a *Admin) Do(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	if in == nil {
		body = nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.timeout, errSlow)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if err := a.authorize(request); err != nil {
		return err
	}
	response, err := a.client.Do(request)
	if err != nil {
		return a.unanswered(ctx, method, path, err)
	}
	defer response.Body.Close()
	const most = 4 << 20
	answer, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return a.unanswered(ctx, method, path, err)
	}
	if response.StatusCode >= 300 {
		return &StatusError{method, path, response.StatusCode, reason(answer)}
	}
	if out == nil || len(bytes.TrimSpace(answer)) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what Pulsar gives: is the admin URL right? %w", method, path, err)
	}
	return nil
}

// unanswered says why there is no answer: nobody listens, or the broker is slow.
func (a *Admin) unanswered(ctx context.Context, method, path string, err error) error {
	if context.Cause(ctx) == errSlow {
		return fmt.Errorf("the admin API has not answered %s %s within %s: the broker is busy, or stuck: %w: %w",
			method, path, a.timeout, eventlog.ErrUnreachable, err)
	}
	return fmt.Errorf("the admin API does not answer: is the broker up, and is its URL right? %w: %w", eventlog.ErrUnreachable, err)
}

// Get requests the path and decodes the answer into out.
func (a *Admin) Get(ctx context.Context, path string, out any) error {
	return a.Do(ctx, http.MethodGet, path, nil, out)
}

// Make creates the resource; it is no error if it exists already.
func (a *Admin) Make(ctx context.Context, path string, in any) error {
	err := a.Do(ctx, http.MethodPut, path, in, nil)
	if Status(err) == http.StatusConflict {
		return nil
	}
	return err
}

// Close closes the idle connections.
func (a *Admin) Close() { a.client.CloseIdleConnections() }

func reason(answer []byte) string {
	var said struct{ Reason string }
	if json.Unmarshal(answer, &said) == nil && said.Reason != "" {
		return firstLine(said.Reason)
	}
	if bytes.HasPrefix(bytes.TrimSpace(answer), []byte("<")) {
		return "a page instead of an answer"
	}
	const most = 200
	return string(answer[:min(len(answer), most)])
}

// firstLine returns the message of a broker's reason without the stack trace.
func firstLine(reason string) string {
	const message, most = "Message: ", 200
	if _, after, ok := strings.Cut(reason, message); ok {
		reason = after
	}
	reason, _, _ = strings.Cut(strings.TrimSpace(reason), "\n")
	return reason[:min(len(reason), most)]
}

// TopicPath returns the path of a topic below admin/v2/: persistent/tenant/namespace/topic.
func TopicPath(topic string) string {
	parts := strings.Split(strings.TrimPrefix(topic, "persistent://"), "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "persistent/" + strings.Join(parts, "/")
}

// NamespaceOf returns a topic's tenant/namespace.
func NamespaceOf(topic string) string {
	name := strings.TrimPrefix(topic, "persistent://")
	return name[:strings.LastIndexByte(name, '/')]
}

// NamespacePath returns the path of a tenant/namespace below admin/v2/.
func NamespacePath(namespace string) string {
	tenant, name, _ := strings.Cut(namespace, "/")
	return "namespaces/" + url.PathEscape(tenant) + "/" + url.PathEscape(name)
}
