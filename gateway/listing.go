package gateway

import (
	"context"
	"net/http"
	"strconv"

	"github.com/dashfeed/dashfeed/feed"
	"github.com/dashfeed/dashfeed/gateway/limits"
	"github.com/dashfeed/dashfeed/messages"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// Bounds of a page of the listing.
const (
	pageSize    = 100
	maxPageSize = 1000
)

var listParameters = []string{"tenant", "prefix", "limit", "cursor"}

// listEntry is one dashboard of a listing.
type listEntry struct {
	Dashboard string `json:"dashboard"`
	Tenant    string `json:"tenant"`
	Title     string `json:"title"`
	Epoch     string `json:"epoch"`
	Version   uint64 `json:"version"`
	Time      int64  `json:"time"` // log time, ms
	Panels    int    `json:"panels"`
	Sessions  int    `json:"sessions"` // sessions of this gateway
}

// serveList serves GET /v1/dashboards: a tenant's dashboards sorted by name, in pages. The cursor
// is the last name of the previous page.
func (s *Server) serveList(w http.ResponseWriter, r *http.Request, q query, c caller) {
	by, at := c.by(), limits.Key{Tenant: c.home()}
	if err := s.mayRead(&by, at); err != nil {
		writeError(w, err)
		return
	}
	if !c.reaches(at.Tenant) {
		writeError(w, unseen)
		return
	}
	limit := pageSize
	if t, ok := q["limit"]; ok {
		var err error
		if limit, err = strconv.Atoi(t); err != nil || limit < 1 || limit > maxPageSize {
			writeError(w, wire.Errorf(wire.CodeBadOption, "limit %.40q is not allowed: 1 to %d", t, maxPageSize))
			return
		}
	}
	cursor := q["cursor"]
	if cursor != "" && !messages.ValidName(cursor) {
		writeError(w, wire.Errorf(wire.CodeBadOption, "cursor %.40q is none that a listing gave", cursor))
		return
	}
	found, next, err := s.visible(r.Context(), c, at.Tenant, q["prefix"], cursor, limit)
	if err != nil {
		writeError(w, err)
		return
	}
	list := make([]listEntry, 0, len(found))
	for _, f := range found {
		list = append(list, listEntry{
			Dashboard: f.Key.Dashboard, Tenant: f.Key.Tenant, Title: f.Title, Epoch: f.Epoch.String(),
			Version: f.Version, Time: f.Time, Panels: f.Panels, Sessions: s.mirrors.views(f.Key),
		})
	}
	n := writeJSON(w, http.StatusOK, struct {
		Dashboards []listEntry `json:"dashboards"`
		Next       *string     `json:"next"`
	}{list, next})
	s.cfg.Limits.Charge(limits.SubjectBytes, &by, at, n)
}

// visible returns the first dashboards after cursor that the caller may see, at most limit, and the
// cursor of the next page; nil: this is the last one. The cursor never names a dashboard that the
// caller may not see.
func (s *Server) visible(ctx context.Context, c caller, tenant, prefix, cursor string, limit int) (list []feed.Summary, next *string, err error) {
	for ask := limit + 1; ; ask = maxPageSize {
		found, err := s.cfg.Feed.List(ctx, tenant, prefix, cursor, ask)
		if err != nil {
			return nil, nil, err
		}
		for _, f := range found {
			if c.may(read, f.Key) != nil || f.Scoped && !c.seesAllRows() {
				continue
			}
			if len(list) == limit {
				return list, &list[limit-1].Key.Dashboard, nil
			}
			list = append(list, f)
		}
		if len(found) < ask {
			return list, nil, nil
		}
		cursor = found[len(found)-1].Key.Dashboard
	}
}
