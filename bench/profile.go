package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dashfeed/dashfeed/chaos/process"
)

// profileVariable names the directory for CPU profiles of the measured processes; they cost a few
// percent.
const profileVariable = "BENCH_PROFILE"

// profile takes a CPU profile of a process for that long, if the variable is set; the returned
// function waits for it.
func (b *bench) profile(p *process.Process, name string, lasts time.Duration) (wait func()) {
	dir := os.Getenv(profileVariable)
	if dir == "" {
		return func() {}
	}
	var taking sync.WaitGroup
	taking.Go(func() {
		if err := fetch(fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", p.Admin, int(lasts.Seconds())), filepath.Join(dir, name+"-"+p.Name+".pprof")); err != nil {
			fmt.Fprintf(b.out, "profile of %s: %v\n", p.Name, err)
		}
	})
	return taking.Wait
}

func fetch(url, file string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, resp.Body); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
