// Package chaos breaks the built binary on purpose and checks what the binary counted: the tests
// kill the process with kill -9 under load, stall clients, fill the disk, damage checkpoints and
// send bad input. Whole clusters on a real Pulsar lose owners, freeze, drain, are cut off from each
// other and from the broker, and get topics that they can't work with. The tests use the public
// interfaces only. Every fault they find stays as a test.
//
//	traffic    events from outside, with an account of what was acknowledged
//	viewer     viewers that check every rule of the protocol, and remember what they saw
//	recount    reads the log and folds it again
//	network    machines of network namespaces, and cuts between them
//	trial      a whole cluster with all of these, for the tests here and the measurements of bench
package chaos
