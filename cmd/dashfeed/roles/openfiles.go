package roles

import (
	"fmt"
	"syscall"
)

// How many files and sockets a server needs. It has some 30 open before anybody connects; then come
// its stores' tables, at least 64 of each, the connections of the public and of the admin address.
const (
	leastFiles  = 64  // with fewer it could not say no to anybody
	wantedFiles = 256 // with fewer many connections take what the stores need
)

// openFiles is how many files and sockets this process may have open. Go's runtime has raised it to
// the most that is allowed.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what systems grant that say nothing else
	}
	return limit.Cur
}

// checkFiles refuses to serve with too few, and says what is to be warned of.
func checkFiles(files uint64) (warning string, err error) {
	if files < leastFiles {
		return "", usage("this process may have %d files and sockets open (ulimit -n): it needs at least %d, and should have %d", files, leastFiles, wantedFiles)
	}
	if files < wantedFiles {
		return fmt.Sprintf("this process may have %d files and sockets open (ulimit -n): it should have at least %d", files, wantedFiles), nil
	}
	return "", nil
}
