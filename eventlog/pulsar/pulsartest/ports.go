package pulsartest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// freePorts finds four free ports in a row, below the range of outgoing connections.
func freePorts() (int, error) {
	for range 100 {
		if base := 20000 + 4*rand.IntN(2500); free(base) && free(base+1) && free(base+2) && free(base+3) {
			return base, nil
		}
	}
	return 0, errors.New("no four free ports in a row from 20000 to 29999")
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
