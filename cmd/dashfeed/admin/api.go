package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/dashfeed/dashfeed/actors"
	"github.com/dashfeed/dashfeed/cmd/dashfeed/keys"
	"github.com/dashfeed/dashfeed/gateway/settings"
	"github.com/dashfeed/dashfeed/messages"
)

// Operations are what the admin listener can do beside health and metrics. A nil operation is one
// that the role does not have. Any goroutine may call them.
type Operations struct {
	Members    func() []Member
	Shards     func() []ShardStatus
	Owner      func(k messages.Key) (Owner, error)
	Drain      func(member string) error
	Keys       func() ([]Key, error)
	ChangeKey  func(do string, key []byte) error
	Tenants    func() []Tenant
	AddTenant  func(ctx context.Context, t TenantRequest) (TenantProgress, error)
	AcceptLoss func(ctx context.Context, shard int) error
	RetryShard func(ctx context.Context, shard int) error
	Refused    func(ctx context.Context, shard int) (actors.Refused, error)
	Settings   settings.Store
	HasTenant  func(name string) error // nil: every name is a tenant
}

// Errors with a status of their own.
var (
	ErrNoSuch  = errors.New("no such")      // 404
	ErrRefused = errors.New("not possible") // 409
)

// Offer adds the operations to the admin listener.
func (a *Listener) Offer(o Operations) {
	a.offerShards(o)
	a.offerRefused(o)
	if o.Settings != nil {
		a.offerSettings(o)
	}
	if o.Members != nil {
		a.offerCluster(o)
	}
}

// Timeout bounds one request of a command. No request takes long: a drain, for example, is started
// by one request and observed by others.
const Timeout = 30 * time.Second

// longestLoad is how long accept-loss and retry wait until the shard is live. It is less than the
// commands wait for an answer.
const longestLoad = Timeout - 5*time.Second

// offerShards adds the operations on a shard that has stopped.
func (a *Listener) offerShards(o Operations) {
	for name, do := range map[string]func(context.Context, int) error{"accept-loss": o.AcceptLoss, "retry": o.RetryShard} {
		a.post("/shards/{shard}/"+name, func(r *http.Request) (any, error) {
			n, err := shardNumber(r)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(r.Context(), longestLoad)
			defer cancel()
			switch err := do(ctx, n); {
			case err == nil:
				return Resumed{State: "live"}, nil
			case errors.Is(err, actors.ErrGoesOn):
				return Resumed{State: "loading"}, nil
			case errors.Is(err, ErrNoSuch), errors.Is(err, ErrRefused):
				return nil, err
			default:
				return nil, fmt.Errorf("%w: %w", ErrRefused, err)
			}
		})
	}
}

// offerRefused adds the list of a shard's records that no dashboard got.
func (a *Listener) offerRefused(o Operations) {
	a.get("/shards/{shard}/refused", func(r *http.Request) (any, error) {
		n, err := shardNumber(r)
		if err != nil {
			return nil, err
		}
		refused, err := o.Refused(r.Context(), n)
		if err != nil {
			return nil, err
		}
		answer := Refused{Counts: refused.Counts, Newest: []Refusal{}}
		for _, x := range refused.Newest {
			answer.Newest = append(answer.Newest, Refusal{x.Position.String(), timeText(x.Append), x.Reason, x.Producer})
		}
		return answer, nil
	})
}

func shardNumber(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.PathValue("shard"))
	if err != nil {
		return 0, BadRequest{fmt.Errorf("shard %.20q is not a number", r.PathValue("shard"))}
	}
	return n, nil
}

// timeText formats a time of the log; "" if the record had none.
func timeText(ms int64) string {
	if ms == messages.Unstamped {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// offerCluster adds the operations on a cluster.
func (a *Listener) offerCluster(o Operations) {
	a.get("/cluster/members", func(*http.Request) (any, error) { return o.Members(), nil })
	a.get("/cluster/shards", func(*http.Request) (any, error) { return o.Shards(), nil })
	a.get("/cluster/owner", func(r *http.Request) (any, error) {
		k := messages.Key{Tenant: r.FormValue("tenant"), Dashboard: r.FormValue("dashboard")}
		if k.Tenant == "" {
			k.Tenant = messages.DefaultTenant
		}
		if err := errors.Join(messages.CheckName("tenant", k.Tenant), messages.CheckName("dashboard", k.Dashboard)); err != nil {
			return nil, BadRequest{err}
		}
		return o.Owner(k)
	})
	a.get("/cluster/keys", func(*http.Request) (any, error) { return o.Keys() })
	a.get("/tenants", func(*http.Request) (any, error) { return o.Tenants(), nil })

	a.post("/cluster/drain", func(r *http.Request) (any, error) {
		var d DrainRequest
		if err := decode(r, &d); err != nil {
			return nil, err
		}
		return struct{}{}, o.Drain(d.Node)
	})
	a.post("/cluster/keys", func(r *http.Request) (any, error) {
		var k KeyRequest
		if err := decode(r, &k); err != nil {
			return nil, err
		}
		key, err := keys.ParseGossip(k.Key)
		if err != nil {
			return nil, BadRequest{err}
		}
		return struct{}{}, o.ChangeKey(k.Do, key)
	})
	a.post("/tenants", func(r *http.Request) (any, error) {
		var t TenantRequest
		if err := decode(r, &t); err != nil {
			return nil, err
		}
		if err := t.check(); err != nil {
			return nil, BadRequest{err}
		}
		return o.AddTenant(r.Context(), t)
	})
}

// BadRequest is an error that the client made.
type BadRequest struct{ Err error }

func (b BadRequest) Error() string { return b.Err.Error() }

func (b BadRequest) Unwrap() error { return b.Err }

func (a *Listener) get(path string, do func(*http.Request) (any, error)) {
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, do) })
}

// post accepts JSON only, and no request of a page in a browser: a site that the operator visits
// must not be able to drain nodes.
func (a *Listener) post(path string, do func(*http.Request) (any, error)) {
	a.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(r *http.Request) (any, error) {
			if len(r.Header.Values("Origin")) > 0 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
				return nil, BadRequest{errors.New("want Content-Type: application/json, and no browser")}
			}
			return do(r)
		})
	})
}

func answer(w http.ResponseWriter, r *http.Request, do func(*http.Request) (any, error)) {
	v, err := do(r)
	status := http.StatusOK
	var bad BadRequest
	switch {
	case err == nil:
	case errors.As(err, &bad):
		status = http.StatusBadRequest
	case errors.Is(err, ErrNoSuch):
		status = http.StatusNotFound
	case errors.Is(err, ErrRefused):
		status = http.StatusConflict
	default:
		status = http.StatusInternalServerError
	}
	if err != nil {
		answerError(w, status, err)
		return
	}
	answerJSON(w, status, v)
}

func answerError(w http.ResponseWriter, status int, err error) {
	answerJSON(w, status, Failure{err.Error()})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // it fails only if the client is gone
}

// decode reads a small body. It refuses unknown keys, since a misspelt key would be ignored.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return BadRequest{fmt.Errorf("read the body: %w", err)}
	}
	return nil
}
