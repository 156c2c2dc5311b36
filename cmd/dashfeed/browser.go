package main

import (
	"os"
	"os/exec"
	"runtime"
)

// openPage opens an address in the browser of whoever sits at this machine. Where there is no display or no program
// for it, or that fails, nothing happens: the address was printed.
func openPage(address string) {
	name := "xdg-open"
	switch {
	case runtime.GOOS == "darwin":
		name = "open"
	case runtime.GOOS != "linux", os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return
	}
	cmd := exec.Command(name, address) // without our stdin and stdout, which the table has
	if cmd.Start() == nil {
		_ = cmd.Process.Release() // it ends by itself once the browser has the address
	}
}
