package main

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
	"github.com/dashfeed/dashfeed/messages"
)

// operations are what the admin listener answers and does beside health and metrics; what a role
// has not is nil. Any goroutine may call them.
type operations struct {
	members    func() []memberAnswer
	shards     func() []shardAnswer
	owner      func(k messages.Key) (ownerAnswer, error)
	drain      func(member string) error
	keys       func() ([]keyAnswer, error)
	changeKey  func(do string, key []byte) error
	tenants    func() []tenantAnswer
	addTenant  func(ctx context.Context, t tenantRequest) (tenantProgress, error)
	acceptLoss func(ctx context.Context, shard int) error
	retryShard func(ctx context.Context, shard int) error
	refused    func(ctx context.Context, shard int) (actors.Refused, error)
}

// Errors that the admin API gives by themselves.
var (
	errNoSuch  = errors.New("no such")      // 404
	errRefused = errors.New("not possible") // 409
)

// offer adds the operations to the admin listener.
func (a *admin) offer(o operations) {
	a.offerShards(o)
	a.offerRefused(o)
	if o.members != nil {
		a.offerCluster(o)
	}
}

// longestLoad is how long a request to go on with a shard waits until it is live; it is less than
// the commands wait for an answer.
const longestLoad = adminTimeout - 5*time.Second

// offerShards adds what is done with one shard that has stopped.
func (a *admin) offerShards(o operations) {
	for name, do := range map[string]func(context.Context, int) error{"accept-loss": o.acceptLoss, "retry": o.retryShard} {
		a.post("/shards/{shard}/"+name, func(r *http.Request) (any, error) {
			n, err := shardNumber(r)
			if err != nil {
				return nil, err
			}
			ctx, cancel := context.WithTimeout(r.Context(), longestLoad)
			defer cancel()
			switch err := do(ctx, n); {
			case err == nil:
				return shardWentOn{State: "live"}, nil
			case errors.Is(err, actors.ErrGoesOn):
				return shardWentOn{State: "loading"}, nil
			case errors.Is(err, errNoSuch), errors.Is(err, errRefused):
				return nil, err
			default:
				return nil, fmt.Errorf("%w: %w", errRefused, err)
			}
		})
	}
}

// offerRefused adds what lay in a shard's log and no dashboard got.
func (a *admin) offerRefused(o operations) {
	a.get("/shards/{shard}/refused", func(r *http.Request) (any, error) {
		n, err := shardNumber(r)
		if err != nil {
			return nil, err
		}
		refused, err := o.refused(r.Context(), n)
		if err != nil {
			return nil, err
		}
		answer := refusedAnswer{Counts: refused.Counts, Newest: []refusalAnswer{}}
		for _, x := range refused.Newest {
			answer.Newest = append(answer.Newest, refusalAnswer{x.Position.String(), timeText(x.Append), x.Reason, x.Producer})
		}
		return answer, nil
	})
}

func shardNumber(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.PathValue("shard"))
	if err != nil {
		return 0, badRequest{fmt.Errorf("shard %.20q is no number", r.PathValue("shard"))}
	}
	return n, nil
}

// timeText is a time of the log; "" where it had none.
func timeText(ms int64) string {
	if ms == messages.Unstamped {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// offerCluster adds what there is to see and to do in a cluster.
func (a *admin) offerCluster(o operations) {
	a.get("/cluster/members", func(*http.Request) (any, error) { return o.members(), nil })
	a.get("/cluster/shards", func(*http.Request) (any, error) { return o.shards(), nil })
	a.get("/cluster/owner", func(r *http.Request) (any, error) {
		k := messages.Key{Tenant: r.FormValue("tenant"), Dashboard: r.FormValue("dashboard")}
		if k.Tenant == "" {
			k.Tenant = messages.DefaultTenant
		}
		if err := firstOf(messages.CheckName("tenant", k.Tenant), messages.CheckName("dashboard", k.Dashboard)); err != nil {
			return nil, badRequest{err}
		}
		return o.owner(k)
	})
	a.get("/cluster/keys", func(*http.Request) (any, error) { return o.keys() })
	a.get("/tenants", func(*http.Request) (any, error) { return o.tenants(), nil })

	a.post("/cluster/drain", func(r *http.Request) (any, error) {
		var d drainRequest
		if err := decode(r, &d); err != nil {
			return nil, err
		}
		return struct{}{}, o.drain(d.Node)
	})
	a.post("/cluster/keys", func(r *http.Request) (any, error) {
		var k keyRequest
		if err := decode(r, &k); err != nil {
			return nil, err
		}
		key, err := gossipKey(k.Key)
		if err != nil {
			return nil, badRequest{err}
		}
		return struct{}{}, o.changeKey(k.Do, key)
	})
	a.post("/tenants", func(r *http.Request) (any, error) {
		var t tenantRequest
		if err := decode(r, &t); err != nil {
			return nil, err
		}
		if _, err := tenantsOf([]string{fmt.Sprintf("%s=%d:%s", t.Name, t.Partitions, t.LogTime)}); err != nil {
			return nil, badRequest{err}
		}
		return o.addTenant(r.Context(), t)
	})
}

// badRequest is an error of whoever asked.
type badRequest struct{ error }

func (b badRequest) Unwrap() error { return b.error }

func (a *admin) get(path string, do func(*http.Request) (any, error)) {
	a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, do) })
}

// post takes JSON only, and nothing from a page in a browser: a site that the operator looks at
// must not drain his nodes.
func (a *admin) post(path string, do func(*http.Request) (any, error)) {
	a.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(r *http.Request) (any, error) {
			if len(r.Header.Values("Origin")) > 0 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
				return nil, badRequest{errors.New("want Content-Type: application/json, and no browser")}
			}
			return do(r)
		})
	})
}

func answer(w http.ResponseWriter, r *http.Request, do func(*http.Request) (any, error)) {
	v, err := do(r)
	status := http.StatusOK
	var bad badRequest
	switch {
	case err == nil:
	case errors.As(err, &bad):
		status = http.StatusBadRequest
	case errors.Is(err, errNoSuch):
		status = http.StatusNotFound
	case errors.Is(err, errRefused):
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
	answerJSON(w, status, adminError{err.Error()})
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // who asked has gone
}

// decode reads a small body; keys that are not known are refused, since a misspelt one would be
// ignored.
func decode(r *http.Request, v any) error {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 64<<10))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest{fmt.Errorf("read the body: %w", err)}
	}
	return nil
}
