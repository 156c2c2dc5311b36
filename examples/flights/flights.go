// Package flights carries the demo's data: a cut of the flights that left New York in 2013, how its
// rows become events, and three dashboards, each of which says which question it answers.
package flights

import (
	"embed"
	"io/fs"
)

// CSV is the cut, in order of scheduled departure; see NOTICE.
//
//go:embed flights.csv
var CSV []byte

// Map says how each row becomes events: the map file of dashfeed publish.
//
//go:embed map.yaml
var Map []byte

//go:embed definitions/*.yaml
var definitions embed.FS

// Definitions holds the three dashboards, a file each.
func Definitions() fs.FS {
	sub, err := fs.Sub(definitions, "definitions")
	if err != nil {
		panic(err) // the pattern above put the folder there
	}
	return sub
}

// Dashboards are the demo's dashboards, the one worth watching first in front.
var Dashboards = []string{"departures", "airports", "day"}
