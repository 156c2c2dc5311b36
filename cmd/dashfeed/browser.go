package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// openPage opens an address in the browser of whoever sits at this machine, and reports whether one
// was asked. Where there is no display or no program for it, or that fails, nothing happens: the
// address was printed.
func openPage(address string) bool {
	name := opener()
	if name == "" {
		return false
	}
	cmd := exec.Command(name, address) // without our stdin and stdout, which the table has
	if cmd.Start() != nil {
		return false
	}
	_ = cmd.Process.Release() // it ends by itself once the browser has the address
	return true
}

// opener is the program that opens addresses here: what BROWSER names, else the desktop's where
// there is one; "" where nobody would see it.
func opener() string {
	switch {
	case os.Getenv("BROWSER") != "":
		first, _, _ := strings.Cut(os.Getenv("BROWSER"), string(os.PathListSeparator))
		return first
	case runtime.GOOS == "darwin":
		return "open"
	case runtime.GOOS == "linux" && (os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != ""):
		return "xdg-open"
	}
	return ""
}
