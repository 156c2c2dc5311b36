// Package messages defines the terms of Dashfeed, one word for one thing. Code, docs, command line
// and metrics use these terms and no others. The package has no goroutine, clock, lock or I/O.
//
//	event       one fact: tenant, dashboard, metric, value, time, labels, metadata, id
//	record      an entry of the log: an event, a definition or a tick, with its position and append time
//	log         ordered, partitioned, durable, replayable records
//	position    opaque token, totally ordered within one partition of the log
//	shard       one partition of the log and the dashboards whose keys hash to it; the unit of placement
//	home        the partition that a dashboard's key hashes to; a record anywhere else is misrouted
//	dashboard   a virtual actor: it always exists, and is in memory while someone or something needs it
//	definition  the dashboard's panels, as data
//	panel       one query: filter, window, group by, aggregates
//	cell        one (panel, group, window) with its values and the version that last changed it
//	version     the number of steps this dashboard has taken; dense, deterministic; continues over a new epoch
//	step        a record of the dashboard's own, or an instant at which a deadline changed or removed a cell
//	log time    the greatest append time seen in the shard; the only clock of a fold
//	watermark   how far event time has certainly come; it alone decides what is late, purged, merged and forgotten
//	epoch       names one unbroken history; a break (a definition, a record set aside) begins the next
//	format      what two binaries must share to produce the same bytes
//	view        a projection of a dashboard (panels, groups)
//	place       what a client holds: epoch, version and view
//	update      the cells changed and removed between two versions; values are absolute
//	snapshot    an update from 0
//	checkpoint  a shard's durable state and the position it covers
//	claim       what a node reports about a shard in every beat: loading, or live at a position
//	owner       the node that serves a shard; a standby folds it too
//	mirror      a gateway's copy of one dashboard
//	session     one client connection; a subscription is its interest in one dashboard
//	cohort      the sessions that receive the same bytes: same dashboard, view, rate class, encoding
package messages
