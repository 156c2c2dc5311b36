// Package chaos breaks the built binary on purpose and counts again what it should know: it kills
// the process with kill -9 under load, stalls clients, fills the disk, damages checkpoints and
// sends what nobody should send. Whole clusters on a real Pulsar lose owners, freeze, drain, are
// cut off from each other and from the broker, and are given topics they can't work with. It uses
// the public doors only. What it finds stays as a test.
//
//	traffic    events from outside, with an account of what was acknowledged
//	viewer     viewers that hold the server to every rule of the protocol, and remember what they saw
//	recount    the log, read and folded once more
//	network    machines of network namespaces, and cuts between them
//	trial      a whole cluster with all of these, for the tests here and the measurements of bench
package chaos
