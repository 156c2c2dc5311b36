package roles

import (
	"fmt"
	"syscall"
)

// How many files and sockets a server needs. It has some 30 open before anybody connects. Its
// stores' tables come on top, at least 64 of each, and the connections of the public and of the
// admin address.
const (
	leastFiles  = 64  // with fewer, the server could not even refuse connections
	wantedFiles = 256 // with fewer, many connections would take what the stores need
)

// openFiles returns how many files and sockets this process may have open. Go's runtime has raised
// that limit to the most that is allowed.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // the default of many systems
	}
	return limit.Cur
}

// checkFiles returns an error if the limit is too low to serve, and a warning if it is low.
func checkFiles(files uint64) (warning string, err error) {
	if files < leastFiles {
		return "", usage("this process may have %d files and sockets open (ulimit -n): it needs at least %d, and should have %d", files, leastFiles, wantedFiles)
	}
	if files < wantedFiles {
		return fmt.Sprintf("this process may have %d files and sockets open (ulimit -n): it should have at least %d", files, wantedFiles), nil
	}
	return "", nil
}
