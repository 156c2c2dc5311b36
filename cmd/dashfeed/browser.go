package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// openPage opens an address in the user's browser, and reports whether it started one. If there is
// no display or no program for it, or the program fails, nothing happens: the address was printed.
func openPage(address string) bool {
	name := opener()
	if name == "" {
		return false
	}
	cmd := exec.Command(name, address) // without our stdin and stdout, which the table uses
	if cmd.Start() != nil {
		return false
	}
	_ = cmd.Process.Release() // it exits by itself once the browser has the address
	return true
}

// opener returns the program that opens addresses here: the one that BROWSER names, else the
// desktop's if there is one; "" if no user would see it.
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
