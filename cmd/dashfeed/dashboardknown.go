package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dashfeed/dashfeed/client"
	"github.com/dashfeed/dashfeed/messages/wire"
)

// noDashboard is an error about a dashboard that has no record.
type noDashboard struct {
	name, hint string
	err        error // of the server
}

func (e *noDashboard) Error() string {
	return fmt.Sprintf("there is no dashboard %q: it has no event and no definition; %s", e.name, e.hint)
}

func (e *noDashboard) Unwrap() error { return e.err }

// unknownDashboard reports whether a server has said that a dashboard has no record.
func unknownDashboard(err error) bool {
	var refused *client.Error
	return errors.As(err, &refused) && refused.Status == http.StatusNotFound && refused.Code == int(wire.CodeUnknownDashboard)
}

// needDashboard returns an error if a dashboard has no record.
func needDashboard(ctx context.Context, server *client.Client, dashboard string) error {
	_, err := server.Read(ctx, dashboard, client.ReadOptions{Bare: true})
	return explainUnknown(ctx, server, dashboard, err)
}

// explainUnknown returns err. If the dashboard has no record, the error suggests the most similar
// name.
func explainUnknown(ctx context.Context, server *client.Client, dashboard string, err error) error {
	if !unknownDashboard(err) {
		return err
	}
	hint := "dashfeed dashboard list prints the known ones"
	if list, _, failed := server.List(ctx, "", "", listPage); failed == nil {
		names := make([]string, len(list))
		for i, d := range list {
			names[i] = d.Dashboard
		}
		if near, ok := nearest(dashboard, names); ok {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
	}
	return &noDashboard{dashboard, hint, err}
}
