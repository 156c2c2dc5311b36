package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// errSurvived says that the code is broken and the test passes.
var errSurvived = errors.New("survived")

// run breaks the code and returns nil if the test fails. It does not change the repository: the
// compiler reads the broken file in place of the other (go build -overlay), also when the test
// itself builds the program.
func (m mutant) run(root string) error {
	dir, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	overlay, err := m.overlay(root, dir)
	if err != nil {
		return err
	}
	binary := filepath.Join(dir, "mutant.test")
	build := exec.Command("go", "test", "-c", "-vet=off", "-overlay="+overlay, "-o", binary, m.pkg)
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("does not compile: %s", firstLines(out))
	}
	out, err := m.execute(root, binary, overlay)
	switch {
	case bytes.Contains(out, []byte("no tests to run")):
		return fmt.Errorf("%s has no test %s", m.pkg, m.test)
	case bytes.Contains(out, []byte("--- SKIP")):
		return fmt.Errorf("%s %s was skipped", m.pkg, m.test)
	case err == nil:
		return errSurvived
	}
	return nil
}

// overlay writes the broken source, and the map for the go command.
func (m mutant) overlay(root, dir string) (string, error) {
	original := filepath.Join(root, m.file)
	source, err := os.ReadFile(original)
	if err != nil {
		return "", err
	}
	broken, err := m.apply(string(source))
	if err != nil {
		return "", err
	}
	replaced := filepath.Join(dir, "broken.go")
	if err := os.WriteFile(replaced, []byte(broken), 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {original: replaced}})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}

// execute runs the test in its own directory, as go test does.
func (m mutant) execute(root, binary, overlay string) ([]byte, error) {
	cmd := exec.Command(binary, "-test.run="+pattern(m.test), "-test.v", "-test.timeout=3m")
	cmd.Dir = filepath.Join(root, m.pkg)
	cmd.Env = append(os.Environ(), strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+overlay))
	return cmd.CombinedOutput()
}

// pattern returns the regular expression that matches this test only.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + p + "$"
	}
	return strings.Join(parts, "/")
}

// passes runs the test on the unbroken code: a test that fails anyway catches nothing.
func (m mutant) passes(root string) error {
	cmd := exec.Command("go", "test", "-vet=off", "-run="+pattern(m.test), "-timeout=3m", m.pkg)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("fails on the unbroken code: %s", firstLines(out))
	}
	return nil
}

func firstLines(out []byte) string {
	const most = 600
	return string(bytes.TrimSpace(out[:min(len(out), most)]))
}
