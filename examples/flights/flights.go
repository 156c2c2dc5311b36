// Package flights holds the demo's data: flights that left New York in 2013, the mapping of its
// rows to events, and three dashboards, each of which names the question that it answers.
package flights

import (
	"embed"
	"io/fs"
)

// CSV holds the flights, ordered by scheduled departure; see NOTICE.
//
//go:embed flights.csv
var CSV []byte

// Map says how each row becomes events: the map file of dashfeed publish.
//
//go:embed map.yaml
var Map []byte

//go:embed definitions/*.yaml
var definitions embed.FS

// Definitions returns the three dashboards, one file each.
func Definitions() fs.FS {
	sub, err := fs.Sub(definitions, "definitions")
	if err != nil {
		panic(err) // cannot fail: the pattern above embeds the folder
	}
	return sub
}

// Dashboards lists the demo's dashboards, the most interesting one first.
var Dashboards = []string{"departures", "airports", "day"}
